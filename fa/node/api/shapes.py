"""What the API answers with. `/openapi.json` is made from these types, and the docs of a type are in there too.

Only additions are made within `/v1`. Times are RFC 3339 in UTC with milliseconds; spans are seconds unless the name
says otherwise; sizes are bytes."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

Item = TypeVar("Item")

BulkAction = Literal["cancel", "retry", "hold", "release", "priority"]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Shown(msgspec.Struct, frozen=True):
    """Something that the API answers with."""


# --- jobs ---


class OutputShape(Shown, frozen=True):
    path: str
    bytes: int
    sha256: str


class TaskShape(Shown, frozen=True):
    """One product of a job. `phase`, `progress` (0..1), `fps`, `speed` and `eta` (seconds) while it runs."""

    id: int
    product: str
    state: str
    attempt: int
    node: str | None
    phase: str | None
    progress: float | None
    error: str | None
    output: OutputShape | None
    destination: str
    fps: float | None = None
    speed: float | None = None
    eta: float | None = None
    deferred_until: Time | None = None


class JobShape(Shown, frozen=True):
    id: int
    state: str
    factory: str
    factory_version: int
    source: str
    subject: str
    description: str
    priority: int
    submitted_at: Time
    submitted_by: str
    monitor: str | None
    finished_at: Time | None
    tasks: list[TaskShape]


class SubmittedJob(JobShape, frozen=True, kw_only=True):
    """The job, and how safe it is: `mirrored` = on every copy, `solo` = there is one copy now."""

    durability: str


class SubmittedBatch(Shown, frozen=True):
    items: list[JobShape]
    durability: str


class AttemptShape(Shown, frozen=True):
    product: str
    number: int
    node: str
    state: str
    started_at: Time
    finished_at: Time | None
    error: str | None


class JobDetail(JobShape, frozen=True, kw_only=True):
    """The job with the history of its attempts."""

    attempts: list[AttemptShape]


class Page(Shown, Generic[Item], frozen=True):
    """`next` and `prev` are cursors for `after` and `before`; null at an end. `seq` is where to watch from."""

    items: list[Item]
    next: str | None = None
    prev: str | None = None
    seq: str | None = None


class Result(Shown, frozen=True):
    """What became of one of several jobs: its state now, or why nothing was done."""

    id: int
    ok: bool
    state: str | None = None
    code: str | None = None
    detail: str | None = None


class Results(Shown, frozen=True):
    """`next` is not null when a selection goes on: ask again with it as `after`."""

    action: BulkAction
    items: list[Result]
    next: int | None = None


class SelectionShape(Shown, frozen=True):
    """A fixed set of jobs, kept for ten minutes after it was last used: `selection` is its name in the actions on
    several jobs. `states` says how many of the `count` are in which; `sample` are the first, the newest first."""

    selection: str
    count: int
    states: Counts
    sample: list[JobShape]
    seq: str
    expires_at: Time


class WhyNode(Shown, frozen=True):
    """Why a task is not running on this node. `passes`: waiting can help. `why` is null where it could start."""

    node: str
    why: str | None
    text: str
    passes: bool


class WhyTask(Shown, frozen=True):
    product: str
    state: str
    text: str
    never: bool
    nodes: list[WhyNode]


class WhyShape(Shown, frozen=True):
    """`text` says it in one sentence; `never`: no node of the array could run it as it is set up."""

    job: int
    state: str
    text: str
    never: bool
    tasks: list[WhyTask]


# --- the array ---


class SlotsShape(Shown, frozen=True):
    used: int
    total: int


class NodeBrief(Shown, frozen=True):
    name: str
    state: str
    slots: dict[str, SlotsShape]
    version: str


class MirrorBrief(Shown, frozen=True):
    state: str
    txid: int
    lag_ms: float


class Counts(Shown, frozen=True):
    queued: int = 0
    running: int = 0
    held: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


class StatusShape(Shown, frozen=True):
    """`health`: ok; degraded (it works, but somebody should look: `why`); down (nothing is taken now). `via` is the
    node that was asked. `alerts` are open and not acknowledged. `jobs` is null where this node holds no copy and there
    is no coordinator to ask."""

    array: str
    health: Literal["ok", "degraded", "down"]
    why: str
    epoch: int
    coordinator: str | None
    secondaries: list[str]
    mirror: MirrorBrief
    nodes: list[NodeBrief]
    jobs: Counts | None
    alerts: int
    via: str
    at: Time
    seq: str


class RunningTask(Shown, frozen=True):
    task: int
    attempt: int


class NodeShape(NodeBrief, frozen=True, kw_only=True):
    """`kind`: `data` (may hold a copy of the store, runs work) or `witness` (only votes)."""

    kind: str
    address: str
    mode: str
    seen_ms_ago: int
    offers: list[str]
    unhealthy: dict[str, str]
    only_factories: list[str]
    only_tags: list[str]
    quarantined: list[str]
    tasks: list[RunningTask]


class VolumeShape(Shown, frozen=True):
    name: str
    node: str
    path: str
    state: str
    why: str
    free: int | None
    total: int | None


class FileShape(Shown, frozen=True):
    """What lies in a folder. `kind`: folder, file, or other (a link, a device: never read). `place` is how a job names
    it; not `exact` = the name is no UTF-8 and is shown with escapes, so that this place is not it."""

    name: str
    kind: str
    place: str
    bytes: int | None
    modified_at: Time
    exact: bool


class FolderShape(Shown, frozen=True):
    """A page of a folder, in the order of names, as `node` sees it; `next` is the cursor for `after`."""

    volume: str
    path: str
    node: str
    items: list[FileShape]
    next: str | None = None


class FactoryBrief(Shown, frozen=True):
    name: str
    version: int
    created_at: Time
    created_by: str


class FactoryShape(FactoryBrief, frozen=True, kw_only=True):
    """`text` is the TOML as it was applied, `recipe` what it says. `nodes` could run it, or some of its products;
    `warning` names products that none could."""

    text: str
    recipe: dict[str, Any]
    nodes: list[str]
    warning: str | None = None


class Validated(Shown, frozen=True):
    """The recipe can be used. `nodes` could run it, or some of its products; `warning` names products that none
    could."""

    name: str
    recipe: dict[str, Any]
    nodes: list[str]
    warning: str | None = None


class Tested(Shown, frozen=True):
    items: list[dict[str, Any]]


class EventShape(Shown, frozen=True):
    id: int
    at: Time
    kind: str
    severity: str
    subject: str
    text: str


class AlertShape(Shown, frozen=True):
    id: int
    at: Time
    kind: str
    subject: str
    text: str
    acked_at: Time | None
    acked_by: str | None
    cleared_at: Time | None


class TokenShape(Shown, frozen=True):
    id: str
    role: str
    label: str
    created_at: Time
    expires_at: Time | None
    uses_left: int | None


class NewToken(TokenShape, frozen=True, kw_only=True):
    """`token` is shown this once; the array keeps only its hash."""

    token: str


class Me(Shown, frozen=True):
    """Who is asking, and what of the routes that allows."""

    name: str
    role: str
    node: str
    actions: list[str]


class Ready(Shown, frozen=True):
    ok: bool
    why: str = ""
