"""What happens to the two machines of the work, dispatcher and worker, and what they ask of the shell; what they say to
each other is `work_messages`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fa.core.arrivals import MonitorRow
from fa.core.commands import Command, Order
from fa.core.ledger import Outcome
from fa.core.model import Attempt, Cause, Group, NodeRow, NodeView, Output, Spare, Task
from fa.core.position import Position
from fa.core.tables import Quarantine
from fa.core.watch_events import AfterEnded as AfterEnded
from fa.core.watch_events import DoAfter as DoAfter
from fa.core.watch_events import DueLoaded as DueLoaded
from fa.core.watch_events import FilesHeard as FilesHeard
from fa.core.watch_events import KnownLoaded as KnownLoaded
from fa.core.watch_events import Learn as Learn
from fa.core.watch_events import LoadDue as LoadDue
from fa.core.watch_events import LoadKnown as LoadKnown
from fa.core.watch_events import Scanned as Scanned
from fa.core.watch_events import StartWatch as StartWatch
from fa.core.watch_events import StopWatch as StopWatch
from fa.core.watch_events import WatchEffect as WatchEffect
from fa.core.watch_events import WatchEvent as WatchEvent
from fa.core.watch_messages import AfterDone as AfterDone
from fa.core.watch_messages import Sightings as Sightings
from fa.core.watch_messages import WantKnown as WantKnown
from fa.core.watch_messages import WatchBeat as WatchBeat
from fa.core.work_messages import (
    Grant as Grant,
)
from fa.core.work_messages import (
    Heard as Heard,
)
from fa.core.work_messages import (
    Key as Key,
)
from fa.core.work_messages import (
    Offer as Offer,
)
from fa.core.work_messages import (
    Report as Report,
)
from fa.core.work_messages import (
    ReportKind as ReportKind,
)
from fa.core.work_messages import (
    Running as Running,
)
from fa.core.work_messages import (
    Seen as Seen,
)
from fa.core.work_messages import (
    Stop as Stop,
)
from fa.core.work_messages import (
    VolumeHealth as VolumeHealth,
)
from fa.core.work_messages import (
    WorkBeat as WorkBeat,
)
from fa.core.work_messages import (
    WorkMessage as WorkMessage,
)
from fa.errors import FaError


@dataclass(frozen=True, slots=True)
class Moment:
    """`mono`: monotonic seconds, what rules look at. `wall`: ms since 1970, what people read."""

    mono: float
    wall: int


# --- what happens on the coordinator ---


@dataclass(frozen=True, slots=True)
class Served:
    """This node is the coordinator and may change the store, in this epoch."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Deposed:
    """It is no more; nothing that was not acknowledged will be."""


@dataclass(frozen=True, slots=True)
class Paused:
    """The coordinator reaches no majority (True): nothing new is dispatched."""

    paused: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """The API asks for a command; `Answer` with the same number follows, or none if this node is deposed meanwhile."""

    request: int
    command: Command


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Who asked waits no more, and was told that it may still happen."""

    request: int


@dataclass(frozen=True, slots=True)
class Told:
    """A work message arrived over the authenticated link of `sender`."""

    sender: str
    message: WorkMessage


@dataclass(frozen=True, slots=True)
class Carried:
    """A `Commit` is durable everywhere (`Outcome`), or was refused and changed nothing (`FaError`)."""

    tag: int
    result: Outcome | FaError
    position: Position


@dataclass(frozen=True, slots=True)
class Active:
    """A task that runs, its attempt that counts, and what it needs; `replace`: whether its factory may overwrite;
    `spare`: whose source lies at its destination."""

    task: Task
    attempt: Attempt
    group: Group
    replace: bool
    source: str
    spare: Spare | None = None


@dataclass(frozen=True, slots=True)
class ActiveLoaded:
    """What the store says runs, and all known nodes, quarantines and monitors."""

    active: tuple[Active, ...]
    nodes: tuple[NodeRow, ...]
    quarantines: tuple[Quarantine, ...]
    monitors: tuple[MonitorRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline has come."""


# --- what happens on a worker ---


@dataclass(frozen=True, slots=True)
class CoordinatorIs:
    """Who leads, as the array core knows; None while nobody does."""

    node: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class OfferChanged:
    view: NodeView
    address: str
    version: str
    volumes: tuple[VolumeHealth, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaving:
    """The node stops in order: take nothing more, kill what runs, and say so, so that others get it at once."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """At start: reports that were not acknowledged before the node stopped."""

    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class Progressed:
    running: Running


@dataclass(frozen=True, slots=True)
class Encoded:
    """The output is complete, checked, and fsynced in its part."""

    task: int
    attempt: int
    part: str
    output: Output


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    task: int
    attempt: int
    error: str
    permanent: bool
    blame: bool = True
    cause: Cause = Cause.OTHER


@dataclass(frozen=True, slots=True)
class AttemptStopped:
    """Its whole process group is gone and its part removed."""

    task: int
    attempt: int


class PublishResult(StrEnum):
    PUBLISHED = "published"
    GONE = "gone"  # neither the part nor the final file: it can no longer happen
    EXISTS = "exists"  # something else is at the destination; the part was put away
    REFUSED = "refused"  # this node may not write there; the part was put away
    TROUBLE = "trouble"  # not known yet, to be tried again


@dataclass(frozen=True, slots=True)
class PublishEnded:
    task: int
    attempt: int
    result: PublishResult
    error: str = ""


WorkEvent = (
    Served
    | Deposed
    | Paused
    | Asked
    | GaveUp
    | Told
    | Carried
    | ActiveLoaded
    | Tick
    | CoordinatorIs
    | OfferChanged
    | Leaving
    | Recovered
    | Progressed
    | Encoded
    | AttemptFailed
    | AttemptStopped
    | PublishEnded
    | WatchEvent
)


# --- what the two machines ask of the shell ---


@dataclass(frozen=True, slots=True)
class Commit:
    """Carry the command out in the next group commit; `Carried` follows once it is acknowledged."""

    tag: int
    command: Command


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Do not begin this `Commit` if it was not begun; `Carried` follows all the same."""

    tag: int


@dataclass(frozen=True, slots=True)
class Answer:
    request: int
    result: Outcome | FaError
    position: Position


@dataclass(frozen=True, slots=True)
class Tell:
    """To one node, oneself included; dropped when there is no link."""

    node: str
    message: WorkMessage


@dataclass(frozen=True, slots=True)
class LoadActive:
    """Read what runs from the store; `ActiveLoaded` follows."""


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Start it; `Progressed`… and one of `Encoded`, `AttemptFailed`, `AttemptStopped` follow."""

    order: Order


@dataclass(frozen=True, slots=True)
class StopAttempt:
    """Kill the group, remove the part; `AttemptStopped` follows (also when there is nothing to stop)."""

    task: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Rename; `PublishEnded` follows."""

    task: int
    attempt: int
    part: str
    output: Output
    replace: bool
    source: str
    spare: Spare | None = None


@dataclass(frozen=True, slots=True)
class KeepReport:
    """*Durable* before the next effect. A wish to publish need only outlive the process: where a power cut takes it,
    the attempt is missed, and done again."""

    report: Report


@dataclass(frozen=True, slots=True)
class DropReport:
    task: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Discard:
    """Remove a part that nobody will publish."""

    part: str


WorkEffect = (
    Commit
    | Withdraw
    | Answer
    | Tell
    | LoadActive
    | StartAttempt
    | StopAttempt
    | Publish
    | KeepReport
    | DropReport
    | Discard
    | WatchEffect
)
