"""What happens to a node's watcher and to the coordinator's monitor desk, and what they ask of the shell; a part of
`fa.core.work`."""

from __future__ import annotations

from dataclasses import dataclass

from fa.core.arrivals import Sighting
from fa.core.watch_messages import AfterOrder, KnownPage, WatchOrder, WatchStatus

# --- what happens ---


@dataclass(frozen=True, slots=True)
class Scanned:
    """A watch looked at its folder. `files` have settled and were not given out before."""

    status: WatchStatus
    files: tuple[Sighting, ...] = ()


@dataclass(frozen=True, slots=True)
class AfterEnded:
    """`path`: where the file is now, on its volume; "" when it was gone or replaced. `error`: not done, to be tried
    again."""

    order: AfterOrder
    path: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class KnownLoaded:
    node: str
    page: KnownPage


@dataclass(frozen=True, slots=True)
class DueLoaded:
    """What is to be done about files whose jobs are over. `more`: the arrival after which there may be others; None
    when the page was not full, or one arrival only was asked for."""

    orders: tuple[AfterOrder, ...]
    more: int | None = None


WatchEvent = Scanned | AfterEnded | KnownLoaded | DueLoaded


# --- what is asked of the shell ---


@dataclass(frozen=True, slots=True)
class StartWatch:
    """Begin to watch, or begin anew where that monitor is watched already; `Scanned` follows, again and again. Nothing
    is scanned before all of what is known was told (`Learn`)."""

    order: WatchOrder


@dataclass(frozen=True, slots=True)
class StopWatch:
    monitor: int


@dataclass(frozen=True, slots=True)
class Learn:
    """These are submitted; `whole`: now you know all."""

    monitor: int
    keys: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class FilesHeard:
    """What the coordinator said of files that were given out: "" = it has them, else why it refused."""

    monitor: int
    files: tuple[Sighting, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DoAfter:
    """Move, answer; `AfterEnded` follows."""

    order: AfterOrder


@dataclass(frozen=True, slots=True)
class LoadKnown:
    """One page for that node; `KnownLoaded` follows."""

    node: str
    monitor: int
    after: int


@dataclass(frozen=True, slots=True)
class LoadDue:
    """`DueLoaded` follows, with at most `limit` orders for arrivals past `after`."""

    after: int
    limit: int


WatchEffect = StartWatch | StopWatch | Learn | FilesHeard | DoAfter | LoadKnown | LoadDue
