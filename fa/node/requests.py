"""What this node asks its own array core, and waits for: a vote for a new node, a switch-over, a read barrier."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import count
from typing import Any

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.errors import Conflict, Unavailable

log = logging.getLogger(__name__)


class ArrayRequests:
    def __init__(self, post: Callable[[Any], None]) -> None:
        self._post = post
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._wishes: dict[int, Callable[[], None]] = {}

    async def ask(self, make: Callable[[int], av.Request | av.ReadBarrier], timeout: float) -> None:
        """Post the request that `make(id)` gives and wait until it is done. Raises `Conflict` with the core's own
        sentence when it is refused, `Unavailable` when it takes longer than `timeout` seconds."""
        number = next(self._numbers)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._post(make(number))
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            raise Unavailable("The array has not done it yet; it may still.", hint="Look at `fa status`.") from None
        finally:
            del self._waiting[number]

    def wish(self, make: Callable[[int], av.Request], done: Callable[[], None] = lambda: None) -> None:
        """Post a request whose end nobody waits for: a new voter counts once it is up and the others agreed. `done` is
        called then, and never when it was refused."""
        number = next(self._numbers)
        self._wishes[number] = done
        self._post(make(number))

    def answered(self, effect: ae.Answered) -> None:
        self._settle(effect.id, Conflict(_sentence(effect.error)) if effect.error else None)

    def passed(self, effect: ae.BarrierPassed) -> None:
        self._settle(effect.id, None)

    def failed(self, effect: ae.BarrierFailed) -> None:
        self._settle(effect.id, Unavailable())

    def _settle(self, number: int, error: Exception | None) -> None:
        future, wish = self._waiting.get(number), self._wishes.pop(number, None)
        if wish and not error:
            wish()
        elif wish:
            log.warning("a wish to the array was refused: %s", error)
        if future is None or future.done():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(None)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
