"""The whole core of a node behind one door: the array (who leads, what is acknowledged), the dispatcher (what the
coordinator decides about work), the worker (what this node runs) and the watcher (what it watches).

What one of them says that concerns another is passed on here and nowhere else: who serves may dispatch, who follows
reports to whom, and who lost the majority starts nothing new."""

from __future__ import annotations

from typing import cast, get_args

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core import work as w
from fa.core.array import Array
from fa.core.commands import Order
from fa.core.dispatcher import Dispatcher
from fa.core.watch_messages import TO_NODES
from fa.core.watcher import Watcher
from fa.core.work import Moment
from fa.core.worker import Worker

Event = av.Event | w.WorkEvent
Effect = ae.Effect | w.WorkEffect

_ARRAY_EVENTS = frozenset(get_args(av.Event))
_FOR_WORKERS = (Order, w.Stop, w.Grant, w.Heard, w.Seen)
_OF_WATCHERS = (w.Scanned, w.AfterEnded)
_OF_WORKERS = (
    w.OfferChanged,
    w.Leaving,
    w.Recovered,
    w.Progressed,
    w.Encoded,
    w.AttemptFailed,
    w.AttemptStopped,
    w.PublishEnded,
)


class Machine:
    def __init__(self, name: str, array: Array, dispatcher: Dispatcher, worker: Worker) -> None:
        self._name = name
        self.array = array
        self.dispatcher = dispatcher
        self.worker = worker
        self.watcher = Watcher(name)

    @property
    def deadline(self) -> float | None:
        """When to be woken (monotonic seconds)."""
        times = (self.array.deadline, self.dispatcher.deadline, self.worker.deadline, self.watcher.deadline)
        return min((time for time in times if time is not None), default=None)

    def woken(self) -> w.Tick:
        """The event for a deadline that has come."""
        return w.Tick()

    def step(self, event: Event, now: Moment) -> list[Effect]:
        if type(event) in _ARRAY_EVENTS:
            return self._array(cast(av.Event, event), now)
        return self._work(cast(w.WorkEvent, event), now)

    def _work(self, event: w.WorkEvent, now: Moment) -> list[Effect]:
        if isinstance(event, w.Asked | w.Carried):
            return [*self.dispatcher.step(event, now)]
        if isinstance(event, w.Tick):
            due = self.array.deadline is not None and self.array.deadline <= now.mono
            effects = self._array(av.Woken(), now) if due else []
            return [*effects, *self.dispatcher.step(event, now), *self._worker(event, now)]
        for_worker = isinstance(event, w.Told) and isinstance(event.message, _FOR_WORKERS)
        if for_worker or isinstance(event, _OF_WORKERS):
            return [*self.worker.step(event, now)]
        for_watcher = isinstance(event, w.Told) and isinstance(event.message, TO_NODES)
        if for_watcher or isinstance(event, _OF_WATCHERS):
            return [*self.watcher.step(event, now)]
        return [*self.dispatcher.step(event, now)]

    def _worker(self, event: w.WorkEvent, now: Moment) -> list[Effect]:
        """What this node as a node must know: who leads, and what time it is."""
        return [*self.worker.step(event, now), *self.watcher.step(event, now)]

    def _array(self, event: av.Event, now: Moment) -> list[Effect]:
        effects: list[Effect] = []
        for effect in self.array.step(event, now.mono):
            effects.append(effect)
            effects += self._consequences(effect, now)
        return effects

    def _consequences(self, effect: ae.Effect, now: Moment) -> list[Effect]:
        match effect:
            case ae.Serve(epoch):
                leads = self.dispatcher.step(w.Served(epoch), now)
                return [*leads, *self._worker(w.CoordinatorIs(self._name, epoch), now)]
            case ae.StepDown():
                return [*self.dispatcher.step(w.Deposed(), now), *self._worker(w.CoordinatorIs(None, 0), now)]
            case ae.Follow(coordinator, epoch):
                return [*self._worker(w.CoordinatorIs(coordinator, epoch), now)]
            case ae.Stale(stale):
                return [*self.dispatcher.step(w.Paused(stale), now)]
            case _:
                return []
