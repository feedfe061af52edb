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
        while True:
            event = await self._next()
            effects = self._machine.step(event, self._clock.now())
            self._watch(event)
            for effect in effects:
                await self._carry_out(effect)

    async def _carry_out(self, effect: Any) -> None:
        if failpoints.ARMED:
            failpoints.around("before", effect)
        waiting = self._performers[type(effect)](effect)
        if waiting is not None:
            await waiting
        if failpoints.ARMED:
            failpoints.around("after", effect)

    async def _next(self) -> Any:
        await self._rest()
        while not self._inbox:
            wait = self._patience()
            if wait is not None and wait <= 0:
                return self._machine.woken()
            await self._sleep(wait)
        return self._inbox.popleft()

    async def _sleep(self, seconds: float | None) -> None:
        """Until something arrived or the time is over; who wakes looks which."""
        self._arrived.clear()
        timer = None if seconds is None else self._loop.call_later(seconds, self._arrived.set)
        try:
            await self._arrived.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _rest(self) -> None:
        """Neither a full inbox nor a deadline that always lies behind may starve the sockets."""
        self._since_rest += 1
        if self._since_rest >= EVENTS_AT_A_STRETCH:
            self._since_rest = 0
            await asyncio.sleep(0)

    def _patience(self) -> float | None:
        deadline = self._machine.deadline
        return None if deadline is None else deadline - self._clock.mono()
