"""What the dashboard reads of the array's answers. Every field has a default: a node of another version that says less,
or more, is no reason to show nothing."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from fa.client.problems import BadAnswer

Value = TypeVar("Value", bound="Shape")


class Shape(msgspec.Struct, frozen=True):
    """An object of an answer; names that are not known here are passed over."""


class Output(Shape, frozen=True):
    path: str = ""
    bytes: int = 0
    sha256: str = ""


class Task(Shape, frozen=True):
    id: int = 0
    product: str = ""
    state: str = ""
    attempt: int = 0
    node: str | None = None
    phase: str | None = None
    progress: float | None = None
    error: str | None = None
    output: Output | None = None
    destination: str = ""
    fps: float | None = None
    speed: float | None = None
    eta: float | None = None
    deferred_until: str | None = None


class Attempt(Shape, frozen=True):
    product: str = ""
    number: int = 0
    node: str = ""
    state: str = ""
    started_at: str = ""
    finished_at: str | None = None
    error: str | None = None


class Job(Shape, frozen=True):
    """A job; `attempts` only when it was asked for alone."""

    id: int = 0
    state: str = ""
    factory: str = ""
    factory_version: int = 0
    source: str = ""
    subject: str = ""
    description: str = ""
    priority: int = 0
    submitted_at: str = ""
    submitted_by: str = ""
    monitor: str | None = None
    finished_at: str | None = None
    tasks: tuple[Task, ...] = ()
    attempts: tuple[Attempt, ...] = ()


class Progress(Shape, frozen=True):
    """Where a running attempt is, by the live stream; `progress` 0..1, `eta` seconds."""

    phase: str = ""
    progress: float = 0.0
    fps: float | None = None
    speed: float | None = None
    eta: float | None = None


class WhyNode(Shape, frozen=True):
    node: str = ""
    why: str | None = None
    text: str = ""
    passes: bool = True


class WhyTask(Shape, frozen=True):
    product: str = ""
    state: str = ""
    text: str = ""
    never: bool = False
    nodes: tuple[WhyNode, ...] = ()


class Why(Shape, frozen=True):
    job: int = 0
    state: str = ""
    text: str = ""
    never: bool = False
    tasks: tuple[WhyTask, ...] = ()


class Slots(Shape, frozen=True):
    used: int = 0
    total: int = 0


class Running(Shape, frozen=True):
    task: int = 0
    attempt: int = 0


class Node(Shape, frozen=True):
    name: str = ""
    state: str = ""
    slots: dict[str, Slots] = {}
    version: str = ""
    address: str = ""
    mode: str = ""
    seen_ms_ago: int = 0
    offers: tuple[str, ...] = ()
    unhealthy: dict[str, str] = {}
    only_factories: tuple[str, ...] = ()
    only_tags: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    tasks: tuple[Running, ...] = ()


class MirrorBrief(Shape, frozen=True):
    state: str = ""
    txid: int = 0
    lag_ms: float = 0.0


class Counts(Shape, frozen=True):
    queued: int = 0
    running: int = 0
    held: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def all(self) -> int:
        return self.queued + self.running + self.held + self.succeeded + self.failed + self.cancelled


class Status(Shape, frozen=True):
    array: str = ""
    health: str = ""
    why: str = ""
    epoch: int = 0
    coordinator: str | None = None
    secondaries: tuple[str, ...] = ()
    mirror: MirrorBrief = MirrorBrief()
    nodes: tuple[Node, ...] = ()
    jobs: Counts | None = None
    alerts: int = 0
    via: str = ""
    at: str = ""


class Volume(Shape, frozen=True):
    name: str = ""
    node: str = ""
    path: str = ""
    state: str = ""
    why: str = ""
    free: int | None = None
    total: int | None = None


class Found(Shape, frozen=True):
    """What lies in a folder of a volume; not ``exact``: the name is shown with escapes, and cannot be asked for."""

    name: str = ""
    kind: str = ""
    place: str = ""
    bytes: int | None = None
    modified_at: str = ""
    exact: bool = True


class Factory(Shape, frozen=True):
    name: str = ""
    version: int = 0
    created_at: str = ""
    created_by: str = ""
    text: str = ""
    recipe: dict[str, Any] = {}
    nodes: tuple[str, ...] = ()
    warning: str | None = None


class Growing(Shape, frozen=True):
    """A file that has not settled; `rate` in bytes a second."""

    path: str = ""
    size: int = 0
    rate: int = 0


class Monitor(Shape, frozen=True):
    """A watch folder; `text` only when it was asked for alone."""

    name: str = ""
    state: str = ""
    owner: str | None = None
    folder: str = ""
    factories: tuple[str, ...] = ()
    seen: int = 0
    settling: int = 0
    submitted: int = 0
    refused: int = 0
    growing: tuple[Growing, ...] = ()
    last_file: str | None = None
    last_error: str | None = None
    text: str = ""


class Event(Shape, frozen=True):
    id: int = 0
    at: str = ""
    kind: str = ""
    severity: str = "info"
    subject: str = ""
    text: str = ""


class Alert(Shape, frozen=True):
    id: int = 0
    at: str = ""
    kind: str = ""
    subject: str = ""
    text: str = ""
    acked_at: str | None = None
    acked_by: str | None = None
    cleared_at: str | None = None


class Me(Shape, frozen=True):
    name: str = ""
    role: str = ""
    node: str = ""
    actions: tuple[str, ...] = ()


class Result(Shape, frozen=True):
    id: int = 0
    ok: bool = False
    state: str | None = None
    code: str | None = None
    detail: str | None = None


class Results(Shape, frozen=True):
    """What became of several jobs; ``next``: a set goes on there."""

    items: tuple[Result, ...] = ()
    next: int | None = None


class Selection(Shape, frozen=True):
    """A set of jobs that the array keeps."""

    selection: str = ""
    count: int = 0
    states: Counts = Counts()
    sample: tuple[Job, ...] = ()


def read(kind: type[Value], told: Any) -> Value:
    """One object of an answer. Raises `BadAnswer` for what cannot be one."""
    try:
        return msgspec.convert(told, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadAnswer(f"The answer is not a {kind.__name__.lower()} as this version knows it: {error}.") from None


def read_list(kind: type[Value], told: Any) -> tuple[Value, ...]:
    """The items of a list: `{"items": [...]}`, or a bare list."""
    items = told.get("items") if isinstance(told, dict) else told
    if not isinstance(items, list):
        raise BadAnswer("The answer is not a list of items.", hint="Is this node of another version?")
    return tuple(read(kind, item) for item in items)
