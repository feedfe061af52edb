"""What the coordinator and the nodes say to each other about monitors. Everything may come late, twice or never: what
is not answered is said again, and an identity is submitted once however often it is reported."""

from __future__ import annotations

from dataclasses import dataclass

from fa.core.arrivals import Sighting

# --- coordinator → node ---


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """Watch this: the monitor by its id, and its TOML in that version."""

    monitor: int
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Watches:
    """All that a node is to watch, and nothing else."""

    epoch: int
    watches: tuple[WatchOrder, ...]


@dataclass(frozen=True, slots=True)
class KnownPage:
    """`keys` (`arrivals.pack_keys`) of what is submitted, in the order of the store, past the arrival `after`.
    `next`: where the next page begins, None after the last one."""

    monitor: int
    after: int
    keys: bytes
    next: int | None


@dataclass(frozen=True, slots=True)
class SightingsHeard:
    """What became of each file of the batch, in its order: "" = it is in the store, else why it was refused."""

    monitor: int
    number: int
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AfterOrder:
    """The jobs of a file are over: move it below the watched folder to `move` ("" = leave it), write `answer` beside it
    ("" = none). Nothing is touched unless it still is the file of that size and mtime."""

    arrival: int
    monitor: int
    path: str
    size: int
    mtime_ns: int
    move: str
    answer: str


# --- node → coordinator ---


@dataclass(frozen=True, slots=True)
class Growing:
    """A file that somebody writes to. `rate` in bytes a second since the look before."""

    path: str
    size: int
    rate: float


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """How a watch goes on its owner. `state`: watching, disconnected, error; `why` in a sentence. `scan_ms`: of the
    last scan."""

    monitor: int
    version: int
    state: str = "watching"
    why: str = ""
    seen: int = 0
    settling: int = 0
    refused: int = 0
    scan_ms: int = 0
    growing: tuple[Growing, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchBeat:
    """All that a node watches; said every second by nodes that watch something or just stopped to."""

    node: str
    epoch: int
    watches: tuple[WatchStatus, ...]


@dataclass(frozen=True, slots=True)
class WantKnown:
    """Tell me what is submitted of this monitor, past the arrival `after`."""

    node: str
    monitor: int
    after: int


@dataclass(frozen=True, slots=True)
class Sightings:
    """Files that have settled. One batch of a monitor at a time, repeated until it is heard."""

    node: str
    monitor: int
    number: int
    files: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class AfterDone:
    """`path`: where the file is now. `error` is for a person; the coordinator asks again."""

    node: str
    arrival: int
    path: str
    error: str = ""


TO_NODES = (Watches, KnownPage, SightingsHeard, AfterOrder)
TO_COORDINATOR = (WatchBeat, WantKnown, Sightings, AfterDone)

WatchMessage = Watches | KnownPage | SightingsHeard | AfterOrder | WatchBeat | WantKnown | Sightings | AfterDone
