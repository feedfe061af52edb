"""A node's side of monitors: what it is told to watch, what it found, and what the coordinator has of that.

It scans on while there is no coordinator; what has settled meanwhile is reported to the next one. Everything that is
not answered is said again (`watch_messages`)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from fa.core import watch_messages as m
from fa.core import work as w
from fa.core.arrivals import Sighting
from fa.core.work import Moment

BEAT = 1.0  # seconds between two accounts of what is watched
REPEAT_AFTER = 2.0  # seconds until what was not answered is said again
BATCH = 16  # files a message: what the coordinator commits in a few milliseconds

Effects = list[w.WorkEffect]


@dataclass(slots=True)
class _Watch:
    order: m.WatchOrder
    status: m.WatchStatus
    known_up_to: int | None = 0  # arrival up to which the known ones were told; None: all were
    asked_at: float | None = None
    found: deque[Sighting] = field(default_factory=deque)
    batch: m.Sightings | None = None
    sent_at: float = 0.0


class Watcher:
    def __init__(self, name: str) -> None:
        self._name = name
        self._coordinator: str | None = None
        self._epoch = 0
        self._watches: dict[int, _Watch] = {}
        self._numbers = 0
        self._doing: set[int] = set()
        self._beat_at: float | None = None  # None: nothing is watched

    @property
    def deadline(self) -> float | None:
        return self._beat_at

    def step(self, event: w.WorkEvent, now: Moment) -> Effects:
        match event:
            case w.Told(_, m.Watches() as watches):
                return self._told(watches, now)
            case w.Told(_, m.KnownPage() as page):
                return self._known(page, now)
            case w.Told(_, m.SightingsHeard() as heard):
                return self._heard(heard, now)
            case w.Told(_, m.AfterOrder() as order):
                return self._after(order)
            case w.Scanned():
                return self._scanned(event, now)
            case w.AfterEnded(order, path, error):
                self._doing.discard(order.arrival)
                return self._tell(m.AfterDone(self._name, order.arrival, path, error))
            case w.CoordinatorIs(node, epoch):
                return self._coordinator_is(node, epoch, now)
            case w.Tick() if self._beat_at is not None and now.mono >= self._beat_at:
                return self._tick(now)
            case _:
                return []

    # --- what is to be watched ---

    def _told(self, told: m.Watches, now: Moment) -> Effects:
        if told.epoch < self._epoch:
            return []
        wanted = {order.monitor: order for order in told.watches}
        effects: Effects = []
        for monitor in [monitor for monitor in self._watches if monitor not in wanted]:
            del self._watches[monitor]
            effects.append(w.StopWatch(monitor))
        for monitor, order in wanted.items():
            known = self._watches.get(monitor)
            if known is None or known.order.version < order.version:
                self._watches[monitor] = watch = _Watch(order, m.WatchStatus(monitor, order.version))
                effects += [w.StartWatch(order), *self._ask_known(watch, now)]
        return effects + self._beat(now)

    def _ask_known(self, watch: _Watch, now: Moment) -> Effects:
        if watch.known_up_to is None:
            return []
        watch.asked_at = now.mono
        return self._tell(m.WantKnown(self._name, watch.order.monitor, watch.known_up_to))

    def _known(self, page: m.KnownPage, now: Moment) -> Effects:
        watch = self._watches.get(page.monitor)
        if watch is None or page.after != watch.known_up_to:
            return []
        watch.known_up_to = page.next
        return [w.Learn(page.monitor, page.keys, page.next is None), *self._ask_known(watch, now)]

    # --- what was found ---

    def _scanned(self, event: w.Scanned, now: Moment) -> Effects:
        watch = self._watches.get(event.status.monitor)
        if watch is None or watch.order.version != event.status.version:
            return []
        changed = (watch.status.state, watch.status.why) != (event.status.state, event.status.why)
        watch.status = event.status
        watch.found.extend(event.files)
        return [*self._report(watch, now), *(self._beat(now) if changed else [])]

    def _report(self, watch: _Watch, now: Moment) -> Effects:
        """One batch at a time."""
        if watch.batch is None and watch.found:
            self._numbers += 1
            files = tuple(watch.found.popleft() for _ in range(min(BATCH, len(watch.found))))
            watch.batch = m.Sightings(self._name, watch.order.monitor, self._numbers, files)
            return self._send(watch, now)
        return []

    def _send(self, watch: _Watch, now: Moment) -> Effects:
        watch.sent_at = now.mono
        return self._tell(watch.batch) if watch.batch else []

    def _heard(self, heard: m.SightingsHeard, now: Moment) -> Effects:
        watch = self._watches.get(heard.monitor)
        if watch is None or watch.batch is None or watch.batch.number != heard.number:
            return []
        files, watch.batch = watch.batch.files, None
        return [w.FilesHeard(heard.monitor, files, heard.refused), *self._report(watch, now)]

    def _after(self, order: m.AfterOrder) -> Effects:
        if order.arrival in self._doing:
            return []
        self._doing.add(order.arrival)
        return [w.DoAfter(order)]

    # --- time and leadership ---

    def _coordinator_is(self, node: str | None, epoch: int, now: Moment) -> Effects:
        changed = (node, epoch) != (self._coordinator, self._epoch)
        self._coordinator, self._epoch = node, max(epoch, self._epoch)
        if node is None or not changed or not self._watches:
            return []
        for watch in self._watches.values():
            watch.asked_at, watch.sent_at = None, float("-inf")
        return self._tick(now)

    def _tick(self, now: Moment) -> Effects:
        effects = self._beat(now)
        for watch in self._watches.values():
            if watch.asked_at is None or now.mono >= watch.asked_at + REPEAT_AFTER:
                effects += self._ask_known(watch, now)
            if watch.batch and now.mono >= watch.sent_at + REPEAT_AFTER:
                effects += self._send(watch, now)
        return effects

    def _beat(self, now: Moment) -> Effects:
        """Also once when nothing is watched any more."""
        self._beat_at = now.mono + BEAT if self._watches else None
        return self._tell(m.WatchBeat(self._name, self._epoch, tuple(w.status for w in self._watches.values())))

    def _tell(self, message: m.WatchMessage) -> Effects:
        return [w.Tell(self._coordinator, message)] if self._coordinator else []
