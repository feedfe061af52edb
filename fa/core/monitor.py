"""A monitor from its TOML: a watch folder, and what becomes of what settles in it (DESIGN.md sections 6 and 7)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from fa.core.places import BadPlace, Place, parse_place
from fa.core.reading import Reader, boolean, meant, name_of, seconds, strings, text_of, whole
from fa.core.recipe import RecipeError, parse_priority
from fa.core.recipe_path import RESERVED_FOLDER

KEYS = (
    "name",
    "description",
    "folder",
    "factories",
    "node",
    "poll",
    "quiet",
    "end",
    "probe",
    "include",
    "exclude",
    "recursive",
    "depth",
    "limit",
    "priority",
    "subject",
    "defer",
    "after",
    "after_failure",
    "tickets",
)
FACTORIES_MAX = 20
_MOVE = re.compile(r"move:(.+)", re.DOTALL)


class End(StrEnum):
    """What says that a file is complete, on top of its standing still."""

    QUIET = "quiet"  # nothing else
    RENAME = "rename"  # it is written under a temporary name and renamed: no quiet time is needed
    DONE = "done"  # clip.mxf.done lies beside it
    SIDECAR = "sidecar"  # clip.xml, clip.json, clip.mxf.xml or clip.mxf.json lies beside it


@dataclass(frozen=True, slots=True)
class Monitor:
    """Spans in seconds. `node`: pinned to it; "" = any node that has the volume. `after` and `after_failure`: a folder
    below `folder` that the source is moved to once its jobs have succeeded, or one has failed; "" = it stays."""

    name: str
    folder: Place
    factories: tuple[str, ...]
    description: str = ""
    node: str = ""
    poll: float = 2.0
    quiet: float = 5.0
    end: End = End.QUIET
    probe: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    recursive: bool = False
    depth: int = 16
    limit: int = 250_000
    priority: int | None = None
    subject: str = ""
    defer: float = 0.0
    after: str = ""
    after_failure: str = ""
    tickets: bool = False

    @property
    def moves(self) -> tuple[str, ...]:
        """The folders below the watched one that belong to what is over."""
        return tuple(folder for folder in (self.after, self.after_failure) if folder)

    @property
    def writes(self) -> bool:
        """Whether its owner must be able to write to the volume."""
        return bool(self.moves) or self.tickets


class MonitorError(RecipeError):
    """The monitor cannot be used as it stands; nothing was changed."""

    code = "bad-monitor"
    what = "monitor"


@lru_cache(maxsize=256)
def parse_monitor(text: str) -> Monitor:
    """Raises `MonitorError` with every (pointer, sentence) at once. A text is read once: every file that arrives asks
    what its monitor says."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise MonitorError([("", f"is not TOML: {error}")]) from None
    reader = Reader(table)
    monitor = _monitor(reader)
    if reader.problems:
        raise MonitorError(reader.problems)
    return monitor


def read_monitor(text: str) -> Monitor | None:
    """The same of a text that was taken once; None where that was by a fa that knows more."""
    try:
        return parse_monitor(text)
    except MonitorError:
        return None


def monitor_to_dict(monitor: Monitor) -> dict[str, Any]:
    """Plain values, all keys, as the API shows them."""
    plain = asdict(monitor)
    written = {"folder": str(monitor.folder), "end": monitor.end.value}
    moves = {key: f"move:{plain[key]}/" if plain[key] else "leave" for key in ("after", "after_failure")}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in (plain | written | moves).items()}


def _monitor(reader: Reader) -> Monitor:
    reader.refuse_unknown(KEYS)
    made = Monitor(
        name=reader.need("name", name_of, ""),
        folder=reader.need("folder", _folder, Place("", "")),
        factories=reader.take("factories", _factories, ()),
        description=reader.take("description", text_of, ""),
        node=reader.take("node", _node, ""),
        poll=reader.take("poll", _POLL, 2.0),
        quiet=reader.take("quiet", _QUIET, 5.0),
        end=reader.take("end", _end, End.QUIET),
        probe=reader.take("probe", boolean, True),
        include=reader.take("include", _patterns, ()),
        exclude=reader.take("exclude", _patterns, ()),
        recursive=reader.take("recursive", boolean, False),
        depth=reader.take("depth", whole(1, 64), 16),
        limit=reader.take("limit", whole(1, 1_000_000), 250_000),
        priority=reader.take("priority", parse_priority, None),
        subject=reader.take("subject", text_of, ""),
        defer=reader.take("defer", _DEFER, 0.0),
        after=reader.take("after", _after, ""),
        after_failure=reader.take("after_failure", _after, ""),
        tickets=reader.take("tickets", boolean, False),
    )
    _check_together(made, reader)
    return made


def _check_together(made: Monitor, reader: Reader) -> None:
    if not made.factories and not made.tickets and "factories" not in reader.table:
        reader.problem("factories", "is missing: name one, or set tickets = true")


_POLL: Callable[[Any], float] = seconds(0.1, 3600, 'must be a time from 100 ms to 1 h, such as "2s"')
_QUIET: Callable[[Any], float] = seconds(0, 86400, 'must be a time from 0 to 24 h, such as "5s"')
_DEFER: Callable[[Any], float] = seconds(0, 30 * 86400, 'must be a time up to 720 h, such as "2h"')


def _folder(value: Any) -> Place:
    try:
        place = parse_place(str(value).rstrip("/") if isinstance(value, str) else "")
    except BadPlace as error:
        raise ValueError(f"must be a folder on a volume, such as san:watch/news: {error.detail}") from None
    if RESERVED_FOLDER in place.path.split("/"):
        raise ValueError(f"must not be in {RESERVED_FOLDER}, which is fa's own")
    return place


def _factories(value: Any) -> tuple[str, ...]:
    names = strings(value)
    if not 0 < len(names) <= FACTORIES_MAX or len(set(names)) != len(names):
        raise ValueError(f"must be a list of 1 to {FACTORIES_MAX} factories, each once")
    return tuple(name_of(name) for name in names)


def _node(value: Any) -> str:
    return name_of(value) if value else ""


def _end(value: Any) -> End:
    if value not in list(End):
        raise ValueError(f"must be one of {', '.join(End)}{meant(str(value), list(End))}")
    return End(value)


def _patterns(value: Any) -> tuple[str, ...]:
    patterns = strings(value)
    if any(not pattern or len(pattern) > 255 or "\0" in pattern for pattern in patterns):
        raise ValueError('must be a list of patterns such as "*.mxf"')
    return patterns


def _after(value: Any) -> str:
    if value == "leave":
        return ""
    found = _MOVE.fullmatch(value) if isinstance(value, str) else None
    folder = found[1].strip("/") if found else ""
    parts = folder.split("/")
    if not folder or any(part in ("", ".", "..", RESERVED_FOLDER) for part in parts) or "\0" in folder:
        raise ValueError('must be "leave", or "move:" and a folder below the watched one, such as "move:done/"')
    return folder
