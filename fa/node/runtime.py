"""The loop of a node: one inbox, one event at a time, its effects carried out in the order of the list.

A durable effect is awaited before the next one starts: "save the vote, then say it" is list order. Everything slow is
started by its performer and comes back as an event; so the loop is never away for longer than one fsync."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from fa.core.work import Moment
from fa.node import failpoints
from fa.node.clock import Clock

log = logging.getLogger(__name__)

EVENTS_AT_A_STRETCH = 32

Performer = Callable[[Any], Awaitable[None] | None]


class Steps(Protocol):
    """What the runtime drives: `fa.core.machine.Machine`."""

    @property
    def deadline(self) -> float | None: ...

    def step(self, event: Any, now: Moment) -> list[Any]: ...

    def woken(self) -> Any:
        """The event for a deadline that has come."""
        ...


class Runtime:
    """`watch` is told every event after its step, before its effects."""

    def __init__(self, machine: Steps, clock: Clock, watch: Callable[[Any], None]) -> None:
        self._machine = machine
        self._clock = clock
        self._watch = watch
        self._inbox: deque[Any] = deque()
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._performers: dict[type, Performer] = {}
        self._since_rest = 0
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0

    def perform(self, effect: type, performer: Performer) -> None:
        """Say who carries out effects of this type."""
        assert effect not in self._performers, f"{effect.__name__} has a performer already"
        self._performers[effect] = performer

    def post(self, event: Any) -> None:
        """Put an event into the inbox; from any thread."""
        if threading.get_ident() == self._thread:
            self._inbox.append(event)
            self._arrived.set()
        else:
            self._loop.call_soon_threadsafe(self.post, event)

    async def run(self) -> None:
        """Until cancelled, or until a step or a performer raises: a node that cannot keep its word must not go on."""
        inbox = self._inbox
        while True:
            if not inbox or self._since_rest >= EVENTS_AT_A_STRETCH:
                await self._rest()
            event = inbox.popleft() if inbox else self._machine.woken()
            self._since_rest += 1
            effects = self._machine.step(event, self._clock.now())
            self._watch(event)
            for effect in effects:
                waiting = self._begin(effect)
                if waiting is not None:
                    await waiting
                if failpoints.ARMED:
                    failpoints.around("after", effect)

    def _begin(self, effect: Any) -> Awaitable[None] | None:
        if failpoints.ARMED:
            failpoints.around("before", effect)
        return self._performers[type(effect)](effect)

    async def _rest(self) -> None:
        """Until something arrived or a deadline has come. Neither a full inbox nor a deadline that always lies behind
        may starve the sockets."""
        if self._since_rest >= EVENTS_AT_A_STRETCH:
            self._since_rest = 0
            await asyncio.sleep(0)
        while not self._inbox:
            deadline = self._machine.deadline
            if deadline is not None:
                patience = deadline - self._clock.mono()
                if patience <= 0:
                    return
                self._wake_by(deadline, patience)
            self._arrived.clear()
            await self._arrived.wait()

    def _wake_by(self, deadline: float, patience: float) -> None:
        """One timer, that rings too early rather than being set anew each time: who wakes looks what has come."""
        if self._timer is not None:
            if self._rings_at <= deadline:
                return
            self._timer.cancel()
        self._rings_at, self._timer = deadline, self._loop.call_later(patience, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._arrived.set()
