"""Brings troubles to the coordinator: of this node always, of the array while this node leads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from fa.core.alarms import TellTroubles, Trouble
from fa.errors import FaError
from fa.node.clock import Clock
from fa.node.troubles import TroubleBook
from fa.node.upstairs import Upstairs

log = logging.getLogger(__name__)

PATH = "/v1/peer/troubles"
AGAIN_AFTER = 60.0  # seconds: what is told is told again, and clocks are compared
RETRY_AFTER = 2.0
SKEW_MAX = 5.0  # seconds by which the clocks of two nodes may differ


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node has to say of itself. It is believed for its own scope only, whatever it writes here."""

    troubles: list[Trouble]


class Heard(msgspec.Struct, frozen=True):
    """`at`: the coordinator's clock, ms since 1970, so that the node can compare its own."""

    at: int


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Whom to tell. `mine`: it is this node, and it serves."""

    node: str
    address: str
    epoch: int
    mine: bool


class Teller:
    """`ask` carries a command out on this node, for when it leads; `coordinator` says whom to tell now."""

    def __init__(
        self,
        book: TroubleBook,
        array: TroubleBook,
        clock: Clock,
        upstairs: Upstairs,
        coordinator: Callable[[], Coordinator | None],
        ask: Callable[[TellTroubles], Awaitable[Any]],
    ) -> None:
        self._book = book
        self._array = array
        self._clock = clock
        self._upstairs = upstairs
        self._coordinator = coordinator
        self._ask = ask

    async def run(self) -> None:
        """Until cancelled."""
        told: tuple[Any, ...] = ()
        told_at = float("-inf")
        while True:
            self._book.changed.clear()
            whom = self._coordinator()
            now = (whom, self._book.all(), self._array.all() if whom and whom.mine else ())
            if whom and (now != told or self._clock.mono() - told_at >= AGAIN_AFTER):
                told = now if await self._tell(whom) else ()
                told_at = self._clock.mono()
            await self._wait(RETRY_AFTER)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._book.changed.wait()
        except TimeoutError:
            return

    async def _tell(self, whom: Coordinator) -> bool:
        try:
            for book in (self._book, self._array) if whom.mine else (self._book,):
                await self._bring(whom, book)
        except FaError as error:
            log.debug("what is wrong here could not be told: %s", error)
            return False
        return True

    async def _bring(self, whom: Coordinator, book: TroubleBook) -> None:
        troubles = book.all()
        if whom.mine:
            book.stands("clock", ())  # there is nobody to compare it with
            await self._ask(TellTroubles(book.scope, troubles, self._clock.wall()))
        else:
            began, wall = self._clock.mono(), self._clock.wall()
            heard = await self._upstairs.post(whom.node, whom.address, PATH, Told(list(troubles)), Heard)
            self._compare_clocks(whom.node, heard.at, wall, (self._clock.mono() - began) / 2)
        book.told(trouble for trouble in troubles if trouble.number)

    def _compare_clocks(self, node: str, theirs: int, mine: int, travel: float) -> None:
        """The answer left about half-way between question and answer; a slow answer proves nothing."""
        ahead = (mine - theirs) / 1000 + travel
        if travel > SKEW_MAX / 2:
            return
        self._book.stands("clock", skew_troubles(self._book.scope, node, ahead))


def skew_troubles(scope: str, node: str, ahead: float) -> list[Trouble]:
    """`ahead`: seconds by which the clock here is ahead of that of `node`. Nothing that fa promises depends on clocks,
    but people read times, and jobs are deferred by them."""
    if abs(ahead) <= SKEW_MAX:
        return []
    way = "ahead of" if ahead > 0 else "behind"
    return [Trouble("clock.skew", scope, f"the clock of this node is {abs(ahead):.0f} s {way} that of {node}")]
