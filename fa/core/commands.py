"""What the store can be asked to do.

Each command is one all-or-nothing change, carried out by `fa.core.ledger` inside a group commit; its outcome is shown
and acted on only once it is acknowledged in lock-step. ``at`` is wall time in ms (for people and deferrals), ``by``
who asked ("operator:3f2a", "monitor:news-in", "node:b")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fa.core.alarms import AckAlert as AckAlert
from fa.core.alarms import AlertChanged as AlertChanged
from fa.core.alarms import ClearAlert as ClearAlert
from fa.core.alarms import EndNotices as EndNotices
from fa.core.alarms import NoticeWritten as NoticeWritten
from fa.core.alarms import RaiseAlert as RaiseAlert
from fa.core.alarms import Remark as Remark
from fa.core.alarms import TellTroubles as TellTroubles
from fa.core.model import Cause, Group, NewJob, NodeMode, NodeRow, NodeView, Output, Spare, Token
from fa.core.monitor_commands import MonitorCommand, MonitorFact


class JobAction(StrEnum):
    CANCEL = "cancel"
    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class SubmitJobs:
    jobs: tuple[NewJob, ...]
    at: int
    by: str = ""
    key: str = ""  # Idempotency-Key; "" = none
    digest: str = ""  # of the request's body
    monitor: str = ""


@dataclass(frozen=True, slots=True)
class ActOnJobs:
    """Each id is answered for itself: a value of the result is the job after it, or the error."""

    action: JobAction
    jobs: tuple[int, ...]
    at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class SetPriority:
    jobs: tuple[int, ...]
    priority: int
    at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class SaveFactory:
    """Add a version. `expected` = the version that the caller saw (If-Match), None = whatever is there; applying the
    text of the newest version again changes nothing."""

    text: str
    at: int
    by: str = ""
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class RemoveFactory:
    name: str
    at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class BeginEpoch:
    """The first commit of a coordinator: re-commits what it inherited under its own epoch (SAFETY.md R7). `why` and
    `outage_ms`: for people, how it came to lead and for how long nobody did."""

    epoch: int
    coordinator: str
    at: int
    why: str = ""
    outage_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Give the heads of the queue to nodes with open slots."""

    epoch: int
    nodes: tuple[NodeView, ...]
    at: int
    limit: int = 64  # assignments at most


@dataclass(frozen=True, slots=True)
class AskPublish:
    """A node finished encoding and asks for the grant. `output.path` is the final place."""

    node: str
    task: int
    attempt: int
    part: str
    output: Output
    at: int


@dataclass(frozen=True, slots=True)
class FinishAttempt:
    """The output is visible at its destination."""

    task: int
    attempt: int
    at: int


@dataclass(frozen=True, slots=True)
class FailAttempt:
    """`permanent`: trying again cannot help. `blame`: the failure counts against the node (quarantine)."""

    task: int
    attempt: int
    error: str
    permanent: bool
    at: int
    blame: bool = True
    cause: Cause = Cause.OTHER


@dataclass(frozen=True, slots=True)
class GiveAway:
    """These attempts are lost with their node: back to the queue at their old place, not counted as failures.

    Granted ones (`publishing`) must be settled first and are passed over here."""

    attempts: tuple[tuple[int, int], ...]  # (task, attempt)
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Unsettle:
    """A granted publish turned out not to have happened and can no longer happen (its part is gone or buried)."""

    task: int
    attempt: int
    reason: str
    permanent: bool
    at: int
    cause: Cause = Cause.OTHER


@dataclass(frozen=True, slots=True)
class PutNode:
    """`awaited`: a server was let in under this name, and no node has come yet."""

    node: NodeRow
    at: int
    by: str = ""
    awaited: bool = False


@dataclass(frozen=True, slots=True)
class NodeCame:
    """It spoke, for the first time in this reign or after it was lost."""

    node: str
    at: int


@dataclass(frozen=True, slots=True)
class SetNodeMode:
    node: str
    mode: NodeMode
    at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class RemoveNode:
    node: str
    at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class PutToken:
    token: Token
    at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class UseToken:
    """Burn one use of a token; `Unauthorized` when it is unknown, expired or used up."""

    token: str
    sha256: str
    at: int


@dataclass(frozen=True, slots=True)
class RemoveToken:
    token: str
    at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class SetQuarantine:
    node: str
    factory: str
    on: bool
    reason: str
    at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class NoteDrained:
    """A draining node has finished what it ran: noted once per drain."""

    node: str
    at: int


@dataclass(frozen=True, slots=True)
class KeepHouse:
    """One small step of housekeeping; its value says whether there is more to do. Times in ms: what is older goes."""

    requests_before: int  # idempotency keys
    jobs_before: int  # finished jobs with their tasks and attempts
    alerts_before: int  # alerts that are over, and notices that were sent
    events_kept: int
    limit: int = 200  # rows of each kind


Command = (
    SubmitJobs
    | ActOnJobs
    | SetPriority
    | SaveFactory
    | RemoveFactory
    | BeginEpoch
    | Dispatch
    | AskPublish
    | FinishAttempt
    | FailAttempt
    | GiveAway
    | Unsettle
    | PutNode
    | NodeCame
    | SetNodeMode
    | RemoveNode
    | PutToken
    | UseToken
    | RemoveToken
    | RaiseAlert
    | ClearAlert
    | AckAlert
    | TellTroubles
    | EndNotices
    | Remark
    | SetQuarantine
    | NoteDrained
    | KeepHouse
    | MonitorCommand
)


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt given to one node: all that the node needs to know, so that it needs no copy of the store."""

    epoch: int
    task: int
    attempt: int
    node: str
    job: int
    product: str
    source: str  # volume:path
    destination: str  # volume:path
    factory: str
    factory_version: int
    recipe: str  # TOML of that version
    priority: int
    cost: int
    slot_class: str
    boot: int
    spare: Spare | None = None  # whose source lies at the destination


# --- facts: what a carried out command changed, for whoever keeps something in memory or shows it ---


@dataclass(frozen=True, slots=True)
class TasksReady:
    """The queue has something that it did not have before."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """`replace`: its publish may overwrite what is at the destination. `group` says what it needs of a node."""

    order: Order
    replace: bool
    group: Group


@dataclass(frozen=True, slots=True)
class Granted:
    node: str
    task: int
    attempt: int
    part: str
    output: Output
    spare: Spare | None = None


@dataclass(frozen=True, slots=True)
class AttemptOver:
    """The attempt is no longer the one that counts. `stop`: its node must be told to kill it. `blame`: it failed, and
    that may be its node's fault; `doubt`: its node sees what others may not see. `final`: it failed, and the task is
    not tried again."""

    node: str
    task: int
    attempt: int
    state: str
    stop: bool = False
    blame: bool = False
    doubt: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True)
class Reprioritised:
    """A task that runs has another priority now; reserved slots look at it."""

    task: int
    priority: int


@dataclass(frozen=True, slots=True)
class JobsSubmitted:
    """New jobs, all of one request."""

    jobs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JobChanged:
    job: int
    state: str
    was: str


@dataclass(frozen=True, slots=True)
class Noted:
    """An event was written into the history."""

    id: int
    at: int
    kind: str
    severity: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """`on` False: the node gets work of this factory again."""

    node: str
    factory: str
    on: bool


Fact = (
    TasksReady
    | Assigned
    | Granted
    | AttemptOver
    | Reprioritised
    | JobsSubmitted
    | JobChanged
    | Noted
    | AlertChanged
    | NoticeWritten
    | Quarantined
    | MonitorFact
)
