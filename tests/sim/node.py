"""One simulated server: performs the effects of the real core on a simulated disk, and feeds back what follows.

It keeps the shell's promises (``array_events``) and no others: a crash may come between any two effects, takes with
it what was not fsynced, or, by a toss, leaves it.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any

from fa.core import array_effects as ef
from fa.core import array_events as ev
from fa.core.array import Array
from fa.core.array_messages import Append
from fa.core.array_state import Config
from fa.core.position import EMPTY, Position
from tests.sim.store import Disk, Entry, Op, follow

if TYPE_CHECKING:
    from tests.sim.world import World

FOREVER = float("inf")


class Crash(Exception):
    """The fuse of a node burnt down between two effects."""


class Node:
    """``disk`` survives; everything else is born again with ``boot``."""

    def __init__(self, world: World, name: str, index: int, disk: Disk, **settings: Any) -> None:
        self.world = world
        self.name = name
        self.index = index
        self.settings = settings
        self.disk = disk
        self.alive = False
        self.life = 0
        self.wipes = 0
        self.fuse = -1
        self.paused_until = 0.0
        self.rate, self.offset = 1.0, 0.0
        self.fsync_seconds = 0.002
        self.perform = {
            kind: getattr(self, f"_{kind.__name__}")
            for kind in ef.Effect.__args__  # type: ignore[attr-defined]
        }

    # ---- life

    def boot(self) -> None:
        world, disk = self.world, self.disk
        self.alive = True
        self.life += 1
        self.fuse = -1
        self.wake_at = FOREVER
        self.links: dict[str, int] = {}
        self.storing: deque[tuple[Append, tuple[Op, ...], bool]] = deque()
        self.arriving: tuple[tuple[Op, ...], bool] = ((), True)
        self.work = 0
        self.writer = False
        self.writer_epoch = 0
        self.epoch_due = 0
        self.closing = False
        self.frozen = False
        self.serving = 0
        self.queue: list[Op] = []
        self.inflight: Entry | None = None
        self.applied = EMPTY
        self.waiting: list[tuple[int, str]] = []
        self.ids = {op[0]: position.txid for position, _, ops in disk.log for op in ops if op[0]}
        disk.boots += 1
        config = Config(world.array_id, self.name, self.index, f"{self.name}.{self.life}", **self.settings)
        self.array = Array(config, Random(world.rng.getrandbits(48)))
        votes = disk.ballot, disk.links(), disk.marks, disk.unproven, disk.replaced
        self.handle(ev.Started(disk.incarnation, disk.boots, disk.mark, *votes))

    def crash(self) -> None:
        """Lose the memory; what was on its way to the disk is there or not, in order."""
        if not self.alive:
            return
        self.alive = False
        chance = self.world.rng.random
        while self.storing and chance() < 0.5:
            append, ops, good = self.storing.popleft()
            if not good or append.before != self.disk.end:
                break
            self.disk.log.append((append.after, append.made, ops))
        if self.inflight and self.inflight[0].txid == self.disk.end.txid + 1 and chance() < 0.5:
            self.disk.log.append(self.inflight)
        self.world.crashed(self)

    def wipe(self) -> None:
        """A new, empty disk: another member under the same name."""
        self.wipes += 1
        self.disk = Disk(f"{self.name}.{self.wipes + 1}")

    # ---- the runtime: one event, its effects in order

    def clock(self) -> float:
        return self.world.now * self.rate + self.offset

    def handle(self, event: ev.Event) -> None:
        world = self.world
        try:
            effects = self.array.step(event, self.clock())
            if world.trace is not None:
                world.trace_step(self, event, effects)
            for effect in effects:
                if self.fuse >= 0:
                    self.fuse -= 1
                    if self.fuse < 0:
                        raise Crash
                self.perform[type(effect)](effect)
        except Crash:
            self.crash()
            return
        self._schedule_wake()

    def _schedule_wake(self) -> None:
        at = self.array.deadline
        if at is None:
            return
        due = max((at - self.offset) / self.rate, self.world.now) + 1e-6
        if due < self.wake_at:
            self.wake_at = due
            self.world.after(due - self.world.now, self, self.wake)

    def wake(self) -> None:
        if self.world.now + 1e-9 < self.wake_at:
            return
        self.wake_at = FOREVER
        self.handle(ev.Woken())

    def receive(self, sender: str, message: Any, ops: tuple[Op, ...], good: bool) -> None:
        self.arriving = (ops, good)
        self.handle(ev.Received(sender, message))

    # ---- requests of clients

    def submit(self, op: Op) -> bool:
        """Take a request when serving; it is answered when its transaction is acknowledged. False: try another node."""
        if not (self.alive and self.serving):
            return False
        request = op[0]
        known = self.ids.get(request) if self.world.dedupe else None
        if known is not None:
            if known > 0:
                self._wait(known, request)
            return True
        self.ids[request] = -1
        self.queue.append(op)
        self._commit()
        return True

    def _wait(self, txid: int, request: str) -> None:
        if txid <= self.applied.txid:
            self.world.clients.answered(self, request)
        else:
            self.waiting.append((txid, request))

    def _commit(self) -> None:
        """Begin one group commit: everything queued, or the epoch's own row first."""
        if self.inflight or not self.writer or self.closing:
            return
        ops: tuple[Op, ...]
        if self.epoch_due:
            ops, self.epoch_due = (("", ("epoch", self.epoch_due)),), 0
        elif self.queue and not self.frozen and self.serving:
            ops, self.queue = tuple(self.queue), []
        else:
            return
        position = follow(self.disk.end, self.world.unique())
        self.inflight = (position, self.writer_epoch, ops)
        for request, _ in ops:
            if request:
                self.ids[request] = position.txid
                self.waiting.append((position.txid, request))
        self.world.after(self.fsync(), self, self._committed)

    def _committed(self) -> None:
        entry = self.inflight
        assert entry is not None
        self.inflight = None
        self.disk.log.append(entry)
        self.world.checks.wrote(self.world, self)
        self.handle(ev.Committed(entry[0], entry[1]))
        if self.alive:
            self._close_if_due()
            self._commit()
            self._tell_frozen()

    def fsync(self) -> float:
        return self.fsync_seconds * (0.5 + self.world.rng.random())

    def _close_if_due(self) -> None:
        if self.closing and self.inflight is None:
            self.closing = self.writer = False
            self.handle(ev.WriterClosed())

    # ---- effects

    def _SaveBallot(self, effect: ef.SaveBallot) -> None:
        self.disk.ballot = effect.ballot
        self.world.checks.saved(self.world, self)
        proposal = self.array._seat.proposal
        if proposal and proposal.value == effect.ballot.accepted:
            self.world.checks.derived(self.world, proposal._found)

    def _SaveIdentity(self, effect: ef.SaveIdentity) -> None:
        self.disk.incarnation, self.disk.mark, self.disk.replaced = effect.incarnation, effect.mark, effect.replaced

    def _SaveMarks(self, effect: ef.SaveMarks) -> None:
        self.disk.marks = effect.marks

    def _SaveUnproven(self, effect: ef.SaveUnproven) -> None:
        self.disk.unproven = effect.unproven

    def _Send(self, effect: ef.Send) -> None:
        self.world.send(self, effect.peer, effect.message)

    def _Ship(self, effect: ef.Ship) -> None:
        append = effect.append
        kept = append.after.txid > min(self.disk.end.txid - self.world.retained, self.applied.txid)
        if kept and self.disk.holds(append.after):
            self.world.send(self, effect.peer, append, self.disk.log[append.after.txid - 1][2])
        else:
            self.world.after(0.001, self, self.handle, ev.SegmentMissing(effect.peer))

    def _WitnessCall(self, effect: ef.WitnessCall) -> None:
        self.world.volume_call(self, effect)

    def _StoreSegment(self, effect: ef.StoreSegment) -> None:
        ops, good = self.arriving
        self.storing.append((effect.append, ops, good))
        if len(self.storing) == 1:
            self.world.after(self.fsync(), self, self._stored)

    def _stored(self) -> None:
        append, ops, good = self.storing.popleft()
        if good and append.before == self.disk.end:
            self.disk.log.append((append.after, append.made, ops))
            for request, _ in ops:
                if request:
                    self.ids[request] = append.after.txid
            event: ev.Event = ev.SegmentStored(append.after)
        else:
            event = ev.SegmentRefused(append.after, "its checksum does not verify")
        if self.storing:
            self.world.after(self.fsync(), self, self._stored)
        self.handle(event)

    def _Apply(self, effect: ef.Apply) -> None:
        self.applied = effect.position

    def _Acknowledge(self, effect: ef.Acknowledge) -> None:
        position = effect.position
        self.applied = position
        self.world.checks.acknowledged(self.world, self, position)
        still = []
        for txid, request in self.waiting:
            if txid <= position.txid:
                self.world.clients.answered(self, request)
            else:
                still.append((txid, request))
        self.waiting = still
        self.world.jobs.acknowledged(self)

    def _Lead(self, effect: ef.Lead) -> None:
        assert not self.closing and not self.storing, "told to lead while the store is busy"
        self.writer = True
        self.writer_epoch = self.epoch_due = effect.epoch
        self._commit()

    def _Serve(self, effect: ef.Serve) -> None:
        self.frozen = False
        self.serving = effect.epoch
        self._commit()
        self.world.jobs.acknowledged(self)

    def _Follow(self, effect: ef.Follow) -> None:
        pass

    def _StepDown(self, effect: ef.StepDown) -> None:
        self.serving = 0
        self.frozen = False
        self.epoch_due = 0
        for request, _ in self.queue:
            self.ids.pop(request, None)
        self.queue, self.waiting = [], []
        self.closing = True
        self.world.after(self.fsync(), self, self._close_if_due)

    def _Freeze(self, effect: ef.Freeze) -> None:
        self.frozen = True
        if self.inflight is None:
            self.world.after(0.0005, self, self._tell_frozen)

    def _tell_frozen(self) -> None:
        if self.frozen and self.inflight is None:
            self.handle(ev.Frozen())

    def _Thaw(self, effect: ef.Thaw) -> None:
        self.frozen = False
        self._commit()

    def _Rewind(self, effect: ef.Rewind) -> None:
        self.world.after(self.fsync(), self, self._rewound, effect.to)

    def _rewound(self, to: Position) -> None:
        assert self.disk.holds(to), "told to rewind to a place that is not on this disk"
        for _, _, ops in self.disk.log[to.txid :]:
            for request, _ in ops:
                self.ids.pop(request, None)
        del self.disk.log[to.txid :]
        self.handle(ev.Rewound(to))

    def _FetchCopy(self, effect: ef.FetchCopy) -> None:
        self.disk.log = []
        self.ids = {}
        self.applied = EMPTY
        self.world.after(0.05 + self.world.rng.random(), self, self._fetched, effect.source)

    def _fetched(self, source: str) -> None:
        other = self.world.nodes.get(source)
        if other is None or not other.alive or not self.world.connected(source, self.name):
            self.handle(ev.CopyFailed("the source does not answer"))
            return
        self.disk.log = other.disk.log[: other.applied.txid]
        self.ids = {op[0]: position.txid for position, _, ops in self.disk.log for op in ops if op[0]}
        self.applied = self.disk.end
        epoch = self.disk.log[-1][1] if self.disk.log else 0
        self.handle(ev.CopyInstalled(self.disk.end, epoch))

    def _Stale(self, effect: ef.Stale) -> None:
        self.world.counts["stale"] += effect.stale

    def _TakeVip(self, effect: ef.TakeVip) -> None:
        pass

    def _DropVip(self, effect: ef.DropVip) -> None:
        pass

    def _Alarm(self, effect: ef.Alarm) -> None:
        self.world.counts[effect.kind] += 1

    def _RefuseLink(self, effect: ef.RefuseLink) -> None:
        self.world.counts["refused-link"] += 1

    def _BarrierPassed(self, effect: ef.BarrierPassed) -> None:
        self.world.clients.read_passed(self, effect.id)

    def _BarrierFailed(self, effect: ef.BarrierFailed) -> None:
        self.world.clients.read_failed(effect.id)

    def _Answered(self, effect: ef.Answered) -> None:
        self.world.operator.answered(effect.id, effect.error)

    def _Exit(self, effect: ef.Exit) -> None:
        raise Crash
