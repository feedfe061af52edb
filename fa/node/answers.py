"""People's requests while they wait for their commit."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from itertools import count
from typing import Any

from fa.core.commands import Command
from fa.core.ledger import Outcome
from fa.core.position import Position
from fa.core.work import Answer, Asked, GaveUp
from fa.errors import FaError, StoreFull, Unavailable

log = logging.getLogger(__name__)

Result = tuple[Any, Position]


class Answers:
    def __init__(self, post: Callable[[Any], None]) -> None:
        self._post = post
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Result]] = {}

    async def ask(self, command: Command, patience_seconds: float) -> Result:
        """The value of the command and the position that holds it; raises what the ledger raised, or `Unavailable` when
        the coordinator changed meanwhile, or it takes longer than ``patience_seconds``: then nobody here knows whether
        it happened, and the same request with the same idempotency key may be sent again."""
        number = next(self._numbers)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        late = loop.call_later(patience_seconds, _give_up, future, patience_seconds)
        self._waiting[number] = future
        self._post(Asked(number, command))
        try:
            return await future
        finally:
            late.cancel()
            if self._waiting.pop(number, None):  # nobody answered
                self._post(GaveUp(number))

    def answer(self, effect: Answer) -> None:
        future = self._waiting.pop(effect.request, None)
        if future is None or future.done():
            return  # who asked has hung up
        if isinstance(effect.result, Outcome):
            future.set_result((effect.result.value, effect.position))
        else:
            future.set_exception(effect.result)

    def deposed(self) -> None:
        """Nothing that waits will be answered here."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(outcome_unknown())


def _give_up(future: asyncio.Future[Result], seconds: float) -> None:
    if not future.done():
        future.set_exception(not_acknowledged(seconds))


def outcome_unknown() -> FaError:
    return Unavailable(
        "The coordinator changed before this was acknowledged.",
        hint="Send it again with the same Idempotency-Key: it is carried out once.",
    )


def not_acknowledged(seconds: float) -> FaError:
    return Unavailable(
        f"The store did not acknowledge this within {seconds:g} s; it may still.",
        hint="Send it again with the same Idempotency-Key: it is carried out once. `fa mirror status` says why.",
    )


def as_result(result: Any) -> Outcome | FaError:
    if isinstance(result, Outcome | FaError):
        return result
    if isinstance(result, sqlite3.Error) and "full" in str(result):
        return StoreFull()
    log.error("a command failed", exc_info=result)
    return FaError(f"The command failed inside fa: {result}.", hint="Nothing was changed. The node's log says more.")
