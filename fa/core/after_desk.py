"""What is done about files whose jobs are over: their owners are told, again and again until it is done, and a person
is when it does not work. The store says what is due, so that nothing of this is lost with a coordinator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from fa.core import commands as c
from fa.core import monitor_commands as mc
from fa.core import watch_messages as m
from fa.core import work as w
from fa.core.arrivals import Arrival, Fate
from fa.core.crew import Crew, Effects
from fa.core.ledger import Outcome
from fa.core.work import Moment

PAGE = 200  # orders read of the store at once
HELD_MAX = 10_000  # orders in memory; the others wait in the store
AT_ONCE = 32  # orders of one monitor that its owner was told and has not answered
REPEAT_FIRST, REPEAT_LONGEST = 2.0, 300.0  # seconds until an order that was not carried out is told again
ALARM = "monitor.after"


@dataclass(slots=True)
class _Due:
    order: m.AfterOrder
    again_at: float = float("-inf")
    waits: float = REPEAT_FIRST
    failed: bool = False
    ending: bool = False


class AfterDesk:
    """`owner_of`: the node that watches a monitor, "" when none does, None when the monitor was removed."""

    def __init__(self, crew: Crew, owner_of: Callable[[int], str | None]) -> None:
        self._crew = crew
        self._owner_of = owner_of
        self._due: dict[int, _Due] = {}
        self._left_at: int | None = None  # the arrival after which the store has more, when there was no room
        self._alarmed: set[int] = set()  # monitors

    @property
    def waits(self) -> bool:
        return bool(self._due)

    def begin(self) -> Effects:
        """Ask the store for all that an earlier coordinator left."""
        return [w.LoadDue(0, PAGE)]

    def due(self, arrival: Arrival) -> Effects:
        """Another one is due, or not any more: a job of it is retried."""
        if arrival.fate is Fate.OPEN:
            held = self._due.get(arrival.id)
            if held and not held.ending:
                del self._due[arrival.id]
            return []
        if len(self._due) >= HELD_MAX:
            self._left_at = min(arrival.id - 1, self._left_at if self._left_at is not None else arrival.id)
            return []
        return [w.LoadDue(arrival.id - 1, 1)]

    def loaded(self, event: w.DueLoaded, now: Moment) -> Effects:
        for order in event.orders:
            self._due.setdefault(order.arrival, _Due(order))
        if event.more is not None:
            self._left_at = event.more
        return self.tick(now)

    def changed(self, monitor: int, name: str, now: Moment) -> Effects:
        """Its text is another one: what is due is read of the store again, as that text says, and tried at once. That a
        move failed is told again if it still does."""
        for arrival in [due.order.arrival for due in self._due.values() if due.order.monitor == monitor]:
            if not self._due[arrival].ending:
                del self._due[arrival]
        self._alarmed.discard(monitor)
        calm = self._crew.commit(c.ClearAlert(ALARM, f"monitor/{name}", now.wall))
        return [*calm, w.LoadDue(0, PAGE)]

    def tick(self, now: Moment) -> Effects:
        effects: Effects = []
        told = Counter(due.order.monitor for due in self._due.values() if not due.failed and due.again_at > now.mono)
        for due in self._due.values():
            if now.mono >= due.again_at and not due.ending and told[due.order.monitor] < AT_ONCE:
                told[due.order.monitor] += 1
                effects += self._order(due, now)
        if self._left_at is not None and len(self._due) < HELD_MAX:
            effects.append(w.LoadDue(self._left_at, PAGE))
            self._left_at = None
        return effects

    def _order(self, due: _Due, now: Moment) -> Effects:
        order = due.order
        owner = self._owner_of(order.monitor)
        if owner is None or not (order.move or order.answer):
            return self._end(due, "", now)
        if not owner:
            return []
        due.again_at = now.mono + due.waits
        due.waits = min(2 * due.waits, REPEAT_LONGEST)
        return [w.Tell(owner, order)]

    def done(self, message: m.AfterDone, name_of: Callable[[int], str], now: Moment) -> Effects:
        due = self._due.get(message.arrival)
        if due is None or due.ending:
            return []
        monitor = due.order.monitor
        name = name_of(monitor)
        if not name:  # it was removed meanwhile
            return self._end(due, "", now)
        if message.error and message.node != self._owner_of(monitor):
            due.again_at, due.waits = now.mono, REPEAT_FIRST
            return []  # it watches no more
        subject = f"monitor/{name}"
        if message.error:
            due.failed = True
            if monitor in self._alarmed:
                return []
            self._alarmed.add(monitor)
            return self._crew.commit(c.RaiseAlert(ALARM, subject, f"{due.order.path}: {message.error}", now.wall))
        due.failed = False
        ended = self._end(due, message.path, now)
        if any(other.failed for other in self._due.values() if other.order.monitor == monitor):
            return ended
        self._alarmed.discard(monitor)
        return ended + self._crew.commit(c.ClearAlert(ALARM, subject, now.wall))

    def _end(self, due: _Due, path: str, now: Moment) -> Effects:
        due.ending = True

        def ended(carried: w.Carried, at: Moment) -> Effects:
            due.ending = False
            if isinstance(carried.result, Outcome):
                self._due.pop(due.order.arrival, None)
            return []

        return self._crew.commit(mc.EndArrival(due.order.arrival, path, now.wall), ended)
