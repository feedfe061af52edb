"""`fa doctor`: looks at everything a node needs, and says what to do. Needs no running node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fa.cli import checks
from fa.cli.array import state_dir
from fa.cli.checks import Finding
from fa.cli.context import Context
from fa.cli.exits import FAILURE, OK
from fa.cli.parser import Parser, leaf
from fa.cli.tables import Noun, column
from fa.errors import FaError, NotFound

FINDING = Noun(
    "check",
    "check",
    (column("CHECK", "check"), column("LEVEL", "level", "state"), column("FOUND", "text"), column("ADVICE", "advice")),
)


def doctor(parser: Parser) -> None:
    leaf(parser, _doctor, "fa doctor", "fa doctor --dir /var/lib/fa -o json", lists=True)


def _doctor(context: Context) -> int:
    root = state_dir(context)
    found = []
    for finding in findings(root):
        found.append(finding)
        if not context.machine:
            context.print(
                f"{context.paint(f'{finding.level:8}', _COLOURS[finding.level])}{finding.check}: {finding.text}"
            )
            if finding.advice:
                context.print(f"{'':8}-> {finding.advice}")
            context.flush()
    if context.machine:
        fields = ("check", "level", "text", "advice")
        context.show_list(FINDING, [{name: getattr(each, name) for name in fields} for each in found])
    return FAILURE if any(finding.level == "error" for finding in found) else OK


_COLOURS = {"ok": "ok", "warning": "warning", "error": "error"}


def findings(root: Path) -> Iterator[Finding]:
    """All checks, in the order in which a person would want to repair them."""
    from fa.node.settings import StateDir, load

    program = prober = ""
    mounted: dict[str, str] | None = None
    try:
        settings = load(StateDir(root))
        program, prober, mounted = settings.transcode.ffmpeg, settings.transcode.ffprobe, dict(settings.volumes)
        yield Finding("settings", "ok", f"{root}: node {settings.node.name} of array {settings.array.name}")
    except NotFound:
        yield Finding(
            "settings", "warning", f"no node in {root} yet", "`fa init` starts an array, `fa join` joins one."
        )
    except FaError as error:
        yield Finding("settings", "error", error.detail, error.hint)
    yield checks.sqlite()
    yield checks.disk(root)
    yield checks.clock()
    if mounted is not None:
        yield from checks.volumes(mounted)
    yield checks.litestream()
    yield from checks.ffmpeg(program, prober)
