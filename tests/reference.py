"""The parts of the manual that the code itself knows: commands, routes, settings.

    make docs          writes them into docs/, between their marks
    tests/test_docs.py holds that they are up to date

A part stands between ``<!-- name -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from fa.cli.main import build_parser
from fa.node import settings
from fa.node.api.routes import ROUTES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

SETTINGS = {
    "array.name": "of the array",
    "array.id": "made by `fa init`; never change it",
    "array.vip": "virtual IP, as `10.0.0.9/24@eth0`",
    "array.witness": "`volume:NAME` or `none`: where the third vote lies",
    "array.mirrors": "copies of the store besides the coordinator's, 0 to 4",
    "array.min_insync": "complete copies without which nothing is acknowledged",
    "node.name": "of this node, unique in the array",
    "node.listen": "`host:port` of the API and of the other nodes' links",
    "node.advertise": "what others reach it by, where that differs from `listen`",
    "node.index": "unique in the array for ever; never change it",
    "node.kind": "`data`, or `witness`: votes, holds no store, runs no work",
    "node.rank": "who stands first for coordinator: higher before lower, then by name",
    "node.mirror": "whether it may be given a copy of the store, and so lead one day; who has one keeps it",
    "node.slots": "by class, as `{ cpu = 4, gpu = 1 }`; none given: one per core",
    "node.tags": "words that factories may require as `tag:…`",
    "node.only_factories": "runs these and nothing else",
    "node.only_tags": "runs only what requires one of these tags",
    "node.reserve": 'slots kept for important work, as `[{ min_priority = 75, slots = 1, class = "cpu" }]`',
    "volumes": "name and mount point of each volume here",
    "timing.heartbeat": "between two signs of life",
    "timing.suspect_after": "silence of the coordinator after which others ask around; at least twice `heartbeat`",
    "timing.lost_after": "silence of a node after which its work goes to others",
    "timing.orphan_after": "without any coordinator for that long, a node ends its encodes",
    "timing.volume_timeout": "within which a volume answers, or counts as gone",
    "timing.forward_timeout": "how long a request waits for a coordinator before it is answered 503",
    "transcode.ffmpeg": "path; empty: PATH, then the one that comes along",
    "transcode.ffprobe": "path; empty: beside ffmpeg or on PATH; fa does without",
    "transcode.exec": "programs that `exec` products may start, as absolute paths",
    "transcode.scratch": "folder for copied sources; empty: `scratch/` in the state directory",
    "transcode.localise": "copy every source to scratch first, whatever its factory says",
    "alerts.targets": "Apprise URLs that alerts go to",
    "alerts.targets_file": "a file with one URL a line, for those with secrets",
    "alerts.digest_after": "alerts a minute from which they are sent as one",
    "alerts.hosts": "where factories' notices may go: names, addresses, `slack://`; empty: anywhere but to this server",
    "alerts.disk_low_percent": "free room below which a disk or volume is alarmed; 0: never",
    "retention.history": "how far back the store can be restored to any moment",
    "retention.jobs": "how long finished jobs are listed",
    "retention.alerts": "how long alerts that are over are listed",
    "retention.events": "lines of history that are kept",
    "retention.logs": "how long logs of attempts are kept",
    "retention.requests": "how long an `Idempotency-Key` is remembered",
    "limits.body_bytes": "of one request",
    "limits.batch_bytes": "of one `/v1/jobs:batch`",
    "limits.connections": "of clients, in all",
    "limits.connections_per_address": "of clients, from one address",
    "limits.body_timeout": "within which a request's body has come",
    "limits.idle_timeout": "after which a silent connection is closed",
}
"""What each setting is for. Names and defaults come from the code; a setting without words here fails the build."""


def spaced(seconds: float) -> str:
    """A span as a person would write it."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f'"{int(seconds / size)}{unit}"'
    return f'"{seconds:g}s"'


def default(field: Any) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if field.name.endswith("_seconds"):
        return f"`{spaced(value)}`"
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{written}`" if value or isinstance(value, bool | int | float) else "-"


def setting_fields() -> dict[str, Any]:
    """Every setting under its dotted name."""
    found: dict[str, Any] = {}
    for section in msgspec.structs.fields(settings.Settings):
        if isinstance(section.type, type) and issubclass(section.type, msgspec.Struct):
            found |= {f"{section.name}.{field.encode_name}": field for field in msgspec.structs.fields(section.type)}
        else:
            found[section.name] = section
    return found


def settings_table() -> Iterator[str]:
    yield "| setting | default | what it is for |"
    yield "|---|---|---|"
    for name, field in setting_fields().items():
        yield f"| `{name}` | {default(field)} | {SETTINGS[name]} |"


def routes_table() -> Iterator[str]:
    yield "| method and path | role | what it does |"
    yield "|---|---|---|"
    for route in ROUTES:
        yield f"| `{route.method} {route.path}` | {route.role or 'anyone'} | {route.summary} |"


@cache
def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command that does something, under the words that call it."""
    found: dict[str, argparse.ArgumentParser] = {}

    def walk(parser: argparse.ArgumentParser, words: str) -> None:
        if parser.get_default("run"):
            found[words] = parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, child in action.choices.items():
                    walk(child, f"{words} {name}")

    walk(build_parser(), "fa")
    return found


COMMON = {
    "-h",
    "--no-color",
    "--no-header",
    "--dir",
    "--addr",
    "--token-file",
    "--cacert",
    "-o",
    "-q",
    "--dry-run",
    "--yes",
}
"""What (nearly) every command takes: said once, above the table."""


def usage(parser: argparse.ArgumentParser, words: str) -> str:
    """One line: the words, then what they take."""
    parts = [words]
    for action in parser._actions:
        hidden = action.help == argparse.SUPPRESS or isinstance(action, argparse._SubParsersAction)
        if not hidden and not COMMON & set(action.option_strings):
            parts.append(spelled(parser, action))
    return " ".join(parts)


def spelled(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = argparse.HelpFormatter(parser.prog)
    if not action.option_strings:
        return formatter._format_args(action, formatter._get_default_metavar_for_positional(action))
    option = action.option_strings[0]
    if action.nargs != 0:
        option += " " + formatter._format_args(action, formatter._get_default_metavar_for_optional(action))
    return option if action.required else f"[{option}]"


def commands_table() -> Iterator[str]:
    yield "| command | what it does |"
    yield "|---|---|"
    for words, parser in commands().items():
        line = usage(parser, words).replace("|", "\\|")
        said = (parser.description or "").strip().split("\n")[0].replace("|", "\\|")
        yield f"| `{line}` | {said} |"


PARTS: dict[tuple[str, str], Callable[[], Iterator[str]]] = {
    ("operating.md", "settings"): settings_table,
    ("api.md", "routes"): routes_table,
    ("cli.md", "commands"): commands_table,
}


def updated(file: str, name: str) -> str:
    """The document with that part written anew."""
    body = "\n".join(PARTS[file, name]())
    text = (DOCS / file).read_text()
    made, count = re.subn(
        rf"(<!-- {name} -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{body}\n{match[2]}",
        text,
        count=1,
        flags=re.S,
    )
    assert count == 1, f"docs/{file} has no part <!-- {name} -->"
    return made


def main() -> None:
    for file, name in PARTS:
        (DOCS / file).write_text(updated(file, name))


if __name__ == "__main__":
    main()
