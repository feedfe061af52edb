"""What coordinator and workers say to each other about attempts.

Messages are delivered at least once and may come late or twice; each names its attempt, and what does not count any
more is refused by the ledger. So nothing here needs an order of delivery."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fa.core.commands import Order
from fa.core.model import Cause, NodeView, Output, Spare
from fa.core.watch_messages import WatchMessage

Key = tuple[int, int]  # (task, attempt)


# --- node → coordinator ---


@dataclass(frozen=True, slots=True)
class Running:
    """One attempt on its node. `progress` 0..1, `eta` seconds; `cost` slots of `slot_class` are taken by it until it is
    delivering: by then its encoder has ended (see `scheduling.holders`)."""

    task: int
    attempt: int
    phase: str
    progress: float = 0.0
    fps: float | None = None
    speed: float | None = None
    eta: float | None = None
    cost: int = 1
    slot_class: str = "cpu"

    @property
    def key(self) -> Key:
        return (self.task, self.attempt)

    @property
    def delivering(self) -> bool:
        """Nothing of it encodes any more: its output is checked, made durable and published."""
        return self.phase == "delivering"


@dataclass(frozen=True, slots=True)
class WorkBeat:
    """Sent every heartbeat, and when an encoder has ended. `offer` counts the changes of what the node can do; the
    coordinator asks when it is behind.

    `number` counts the beats of this life of the node, so that one that was overtaken is known; `epoch` is that of the
    coordinator it is meant for. `running` holds all attempts that are here, `reporting` all that are over and not yet
    acknowledged."""

    node: str
    boot: int
    number: int
    epoch: int
    offer: int
    running: tuple[Running, ...] = ()
    reporting: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class VolumeHealth:
    """One volume as a node sees it. `state`: healthy, full, read-only, disconnected, hung, foreign; sizes in bytes."""

    name: str
    path: str
    state: str
    why: str = ""
    free: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a node can do, in this life (`view.boot`). `view.used` is empty: the coordinator knows better."""

    number: int
    view: NodeView
    address: str
    version: str
    volumes: tuple[VolumeHealth, ...] = ()


class ReportKind(StrEnum):
    WANTS_PUBLISH = "wants-publish"
    PUBLISHED = "published"
    FAILED = "failed"
    UNSETTLED = "unsettled"  # a granted publish did not happen and no longer can
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an attempt. The node repeats it until it is acknowledged, across its own restarts."""

    node: str
    task: int
    attempt: int
    kind: ReportKind
    part: str = ""
    output: Output | None = None
    error: str = ""
    permanent: bool = False
    blame: bool = True
    cause: Cause = Cause.OTHER

    @property
    def key(self) -> Key:
        return (self.task, self.attempt)


# --- coordinator → node ---


@dataclass(frozen=True, slots=True)
class Seen:
    """The answer to each beat. `offer`: the last one known here; the node sends its own when that is another."""

    epoch: int
    offer: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Kill this attempt, clean up after it, and confirm."""

    task: int
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Publish: rename `part` to `output.path` now, or finish what another node was granted (then the part is its).
    `source` (volume:path) is what `replace` must spare, by whatever name it stands there; `spare` what it must spare
    at its place."""

    task: int
    attempt: int
    part: str
    output: Output
    replace: bool
    source: str
    spare: Spare | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """Your report was carried out, or came too late to matter: forget it."""

    task: int
    attempt: int
    kind: ReportKind


WorkMessage = WorkBeat | Offer | Report | Seen | Order | Stop | Grant | Heard | WatchMessage
