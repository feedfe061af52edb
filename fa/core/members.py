"""What the coordinator remembers of its nodes. Lost with the coordinator, and rebuilt by the next one from the store
(what was given to whom) and from the nodes' beats (what is really there)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fa.core.model import NodeMode, NodeView
from fa.core.runs import Run
from fa.core.scheduling import holders
from fa.core.work import Offer, Running, WorkBeat

RESEND_AFTER = 2.0  # seconds until an order or grant that left no trace is sent again
SLOTS_MAX = 1024  # of one class
TOLD_MAX = 15  # times that a node which is there is told to begin an attempt; what it still kills takes it a while


@dataclass(slots=True)
class Member:
    """A node of the array. `lost`: silent for `lost_after`. `known`: in this reign it has said what runs there; before
    that nobody can know its open slots. `ill`: what it cannot use now, by volume, None until it says so; `ill_since`:
    the same by word as in requirements, with the time at which it said so first."""

    name: str
    mode: NodeMode
    address: str
    seen_at: float
    kind: str = "data"
    index: int = 0
    incarnation: str = ""
    boot: int = 0
    beat: int = 0  # number of the last one
    offer: Offer | None = None
    lost: bool = False
    known: bool = False
    drained: bool = False
    came_at: float = 0.0  # when it was first heard of, or again
    stuck: bool | None = False  # whether people are told that its publishes do not end; None: by an earlier coordinator
    ill: dict[str, str] | None = None
    ill_since: dict[str, float] = field(default_factory=dict)
    progress: tuple[Running, ...] = ()

    def ill_for(self, run: Run) -> str | None:
        """What the run needs and this node has longest been without."""
        words = [word for word in run.group.requires if word in self.ill_since] if run.group else []
        return min(words, key=lambda word: self.ill_since[word], default=None)

    @property
    def state(self) -> str:
        if self.lost:
            return "lost"
        return self.mode.value


@dataclass(frozen=True, slots=True)
class Trace:
    """What a beat says of the attempts that the coordinator believes on that node, and of others there."""

    resend: tuple[Run, ...]  # not there, never seen: the order or grant was lost on the way
    unbegun: tuple[Run, ...]  # told often enough, and the node does not begin it
    vanished: tuple[Run, ...]  # was there, or given to an earlier boot: it no longer runs and nobody will report it
    strays: tuple[Running, ...]  # run there and do not count
    released: bool  # an encoder has ended: there is room for the next


def trace(beat: WorkBeat, runs: Iterable[Run], ending: Iterable[Run], now: float) -> Trace:
    """Compare a beat with what should be there; marks runs as seen."""
    there = {running.key for running in beat.running} | set(beat.reporting)
    delivering = {running.key for running in beat.running if running.delivering}
    resend: list[Run] = []
    unbegun: list[Run] = []
    vanished: list[Run] = []
    counted = {run.key for run in ending}
    released = False
    for run in runs:
        counted.add(run.key)
        if run.key in there:
            run.seen = True
            released = released or (run.key in delivering and not run.delivering)
            run.encoded = run.encoded or run.key in delivering
        elif not run.granted and (run.seen or run.boot != beat.boot or run.order is None):
            vanished.append(run)
        elif now - run.told_at >= RESEND_AFTER:
            (resend if run.granted or run.told < TOLD_MAX else unbegun).append(run)
    strays = tuple(running for running in beat.running if running.key not in counted)
    return Trace(tuple(resend), tuple(unbegun), tuple(vanished), strays, released)


def stray_run(node: str, boot: int, running: Running) -> Run:
    """Something that runs and does not count: all that matters of it is the room that it takes."""
    run = Run(running.task, running.attempt, node, boot, running.cost, running.slot_class, 0)
    run.encoded = running.delivering
    return run


def view_of(member: Member, runs: Iterable[Run], quarantined: Iterable[str]) -> NodeView | None:
    """The node as dispatch sees it; None while it has not said what it can do and what it runs, and for a witness."""
    if member.offer is None or not member.known or member.kind == "witness":
        return None
    can = member.offer.view
    used = tuple((run.slot_class, slots, run.priority) for run, slots in holders(runs, can.slots))
    return NodeView(
        can.name, can.slots, used, member.boot, member.mode, not member.lost, can.offers, can.unhealthy,
        can.only_factories, can.only_tags, can.reserve, tuple(quarantined), can.failed,
    )  # fmt: skip


def proves_nothing(beat: WorkBeat, member: Member, since: int) -> bool:
    """A beat that was meant for an earlier coordinator, is of an earlier life of the node, or was overtaken.

    A node that was lost may come back with a lower boot: its disk was replaced."""
    if beat.epoch < since:
        return True
    if beat.boot == member.boot:
        return beat.number < member.beat
    return beat.boot < member.boot and not member.lost


def is_older(offer: Offer, member: Member) -> bool:
    """An offer that came late: of an earlier life of the node, or overtaken by a newer one."""
    if offer.view.boot != member.boot:
        return True
    return member.offer is not None and offer.number < member.offer.number


def bounded(offer: Offer) -> Offer:
    """With no more slots than settings allow: what a node says is not believed without limit."""
    slots = tuple((name, max(0, min(total, SLOTS_MAX))) for name, total in offer.view.slots)
    return offer if slots == offer.view.slots else replace(offer, view=replace(offer.view, slots=slots))


def volumes_of(words: Iterable[str]) -> list[str]:
    """The volumes among words like ``volume:san`` and ``source:san``, sorted."""
    pairs = (word.partition(":") for word in words)
    return sorted({name for kind, _, name in pairs if kind in ("volume", "source")})
