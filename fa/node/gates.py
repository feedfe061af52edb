"""Reads that wait: nothing that the store holds is shown before every copy of the in-sync set has it (SAFETY.md R1)."""

from __future__ import annotations

import asyncio

from fa.core.position import EMPTY, Position
from fa.errors import Unavailable

PATIENCE = 5.0  # seconds that a read waits for the acknowledgement of what it saw


class Gates:
    """`acknowledged`: what every in-sync copy has."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._waiting: dict[asyncio.Future[None], int] = {}  # by who waits: the txid that was seen
        self.acknowledged = EMPTY

    @property
    def waiting(self) -> int:
        """How many reads wait."""
        return len(self._waiting)

    async def wait(self, txid: int) -> None:
        """Return once everything up to `txid` is acknowledged. Raises `Unavailable` when that takes too long (a stalled
        array must not keep who asks), or when this node no longer leads."""
        if txid <= self.acknowledged.txid:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = txid
        try:
            async with asyncio.timeout(self._patience):
                await future
        except TimeoutError:
            hint = "Ask again in a moment; `fa mirror status` says why it does not acknowledge."
            raise Unavailable("What the store holds is not on every copy yet.", hint=hint) from None
        finally:
            self._waiting.pop(future, None)

    def acknowledge(self, position: Position) -> None:
        self.acknowledged = position
        for future, txid in list(self._waiting.items()):
            if txid <= position.txid and not future.done():
                future.set_result(None)

    def deposed(self) -> None:
        """Nothing that waits will be shown by this node."""
        for future in self._waiting:
            if not future.done():
                future.set_exception(Unavailable())
