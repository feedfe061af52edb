"""The rows of the job store as values. Times are integers: milliseconds since 1970 UTC (``*_at``), for people to read;
no rule about safety looks at them. Sizes are bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from fa.core.lifecycle import JobState, TaskState

PRIORITIES = {"low": 25, "normal": 50, "high": 75, "urgent": 100}


class NodeMode(StrEnum):
    """What an operator asked of a node. Whether it is ``lost`` is seen, not asked."""

    UP = "up"
    PAUSED = "paused"
    DRAINING = "draining"


class AttemptState(StrEnum):
    RUNNING = "running"
    PUBLISHING = "publishing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Of what an attempt failed, where that decides what follows."""

    OTHER = "other"
    VIEW = "view"  # what its node sees of a volume: for ever only if another node sees the same
    VERDICT = "verdict"  # what its program says of the work, and another node can be asked; no node tells it
    ROOM = "room"  # its destination is full: nobody's fault, so it waits as long as it takes


class Role(StrEnum):
    """Roles of a token, each including those before it, but ``node``, which may only join."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Job:
    id: int
    factory: str
    factory_version: int
    source: str  # volume:path
    state: JobState
    priority: int
    submitted_at: int
    subject: str = ""
    description: str = ""
    submitted_by: str = ""
    monitor: str = ""
    finished_at: int | None = None


@dataclass(frozen=True, slots=True)
class Output:
    path: str  # volume:path
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Spare:
    """At a destination lies the source of `job`. It is never replaced, unless it is, to the byte, what fa itself
    `delivered` there last."""

    job: int
    delivered: Output | None = None


@dataclass(frozen=True, slots=True)
class Task:
    id: int
    job: int
    ordinal: int
    product: str
    state: TaskState
    priority: int
    group: int  # the requirement class, see Group
    cost: int
    destination: str  # volume:path, rendered when submitted
    attempt: int = 0  # number of the last attempt, 0 before the first
    failures: int = 0  # of them, those that count against the factory's `attempts`
    node: str = ""
    blocked: tuple[str, ...] = ()  # nodes on which it failed; avoided while there is another
    deferred_until: int | None = None
    error: str = ""
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    task: int
    number: int
    node: str
    epoch: int
    state: AttemptState
    started_at: int
    finished_at: int | None = None
    error: str = ""
    boot: int = 0  # of the node: after its next start it no longer runs this
    part: str = ""  # volume:path inside .fa/part
    output: Output | None = None  # what the grant is for


@dataclass(frozen=True, slots=True)
class Group:
    """A requirement class: tasks that any node can run, or not, for the same reasons.

    Dispatch looks at the heads of groups only, so its cost does not grow with the queue."""

    id: int
    factory: str
    slot_class: str
    cost: int
    requires: tuple[str, ...]  # sorted: "encoder:libx264", "filter:bwdif", "volume:san", "tag:gpu", "exec:tool"


@dataclass(frozen=True, slots=True)
class FactoryVersion:
    name: str
    version: int
    text: str  # TOML, as applied
    created_at: int
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A member, also after it was removed: its `index` (part of its epochs, SAFETY.md R4) is never given again.

    `kind`: "data" (may hold a copy of the store and run work) or "witness" (only votes). `incarnation`: as in the
    certificate that it was given when it joined; "" of who founded the array, and of rows before schema 6."""

    name: str
    mode: NodeMode
    address: str
    joined_at: int
    removed_at: int | None = None
    index: int = 0
    kind: str = "data"
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    id: str
    role: Role
    sha256: str
    created_at: int
    expires_at: int | None = None
    uses_left: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the array's history, kept in the store."""

    at: int
    kind: str
    severity: str  # info, warning, error
    subject: str  # "job/17", "node/b", "factory/proxy"
    text: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should look at; one row while the same trouble lasts."""

    id: int
    at: int
    kind: str
    subject: str
    text: str
    acked_at: int | None = None
    acked_by: str = ""
    cleared_at: int | None = None


@dataclass(frozen=True, slots=True)
class Reign:
    """An epoch in which somebody led: the history of take-overs."""

    epoch: int
    coordinator: str
    before: str  # who led before, "" for the first
    at: int
    why: str = ""
    outage_ms: int | None = None  # from the last sign of life of who led before to the first commit; None: not known


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a person or a monitor submits."""

    source: str
    factory: str
    priority: int | None = None
    subject: str = ""
    description: str = ""
    defer_until: int | None = None


@dataclass(frozen=True, slots=True)
class Reserve:
    """``slots`` of a node kept for tasks of at least ``min_priority``."""

    min_priority: int
    slots: int
    slot_class: str = "cpu"


@dataclass(frozen=True, slots=True)
class NodeView:
    """What the coordinator knows of a node when it dispatches: what it can do, and what is free now."""

    name: str
    slots: tuple[tuple[str, int], ...]  # (class, total), sorted by class
    used: tuple[tuple[str, int, int], ...] = ()  # (class, cost, priority) of each running task
    boot: int = 0  # counts the starts of the node
    mode: NodeMode = NodeMode.UP
    up: bool = True
    offers: frozenset[str] = frozenset()  # same words as Group.requires
    unhealthy: tuple[tuple[str, str], ...] = ()  # (what it would offer, why not now)
    only_factories: tuple[str, ...] = ()
    only_tags: tuple[str, ...] = ()
    reserve: tuple[Reserve, ...] = ()
    quarantined: tuple[str, ...] = field(default=())  # factories
    failed: frozenset[str] | None = None  # encoders and filters that were tried and do not work; None: all others
