"""The virtual IP as the coordinator sees it: taken while it leads and reaches a majority, given up otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from fa.node.clock import monotonic
from fa.node.helper import helper_command

log = logging.getLogger(__name__)

SIGN_OF_LIFE_EVERY = 0.5  # seconds
RESTART_AFTER = 1.0
LET_GO_WITHIN = 1.0
STEADY_AFTER = 10.0  # seconds that a guardian must live to be believed again


class VirtualIp:
    """Does nothing where none is configured. `address` as ``10.0.0.9/24@eth0``."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._wanted = False
        self._guardian: asyncio.subprocess.Process | None = None
        self._started_at = 0.0
        self._ended = False
        self._other = ""  # the card of whoever else claims the address
        self._ears: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str:
        """Why the address cannot be held here, or not alone, as far as that is seen; "" = all is well."""
        if self._ended and monotonic() - self._started_at < STEADY_AFTER:
            return f"the process that holds the virtual address {self._address} ends again and again"
        if self._other:
            who = "another array was given the same one, or a machine that hangs keeps it"
            return f"a network card {self._other} answers for the virtual address {self._address} as well: {who}"
        return ""

    def take(self) -> None:
        self._wanted = True
        self._say(b"take\n")

    def drop(self) -> None:
        self._wanted = False
        self._say(b"drop\n")

    async def run(self) -> None:
        """Keep a guardian alive and tell it that the node is; until cancelled."""
        if not self._address:
            return
        try:
            while True:
                if self._guardian is None or self._guardian.returncode is not None:
                    await self._start()
                # while it is wanted each sign of life asks for it: an address lost to a pause comes back by itself
                self._say(b"take\n" if self._wanted else b"hold\n")
                await asyncio.sleep(SIGN_OF_LIFE_EVERY)
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        """The guardian drops the address and ends when its pipe closes; a stop need not wait long for that."""
        if self._guardian and self._guardian.stdin:
            self._guardian.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LET_GO_WITHIN):
                    await self._guardian.wait()
        if self._ears:
            self._ears.cancel()

    async def _start(self) -> None:
        if self._guardian is not None:
            log.error("the guardian of the virtual address ended (%s); it is started again", self._guardian.returncode)
            self._ended = True
            await asyncio.sleep(RESTART_AFTER)
        self._started_at = monotonic()
        command = helper_command("vip-guardian", self._address)
        pipe = asyncio.subprocess.PIPE
        self._guardian = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        assert self._guardian.stdout is not None, "it was asked for"
        self._ears = asyncio.create_task(self._listen(self._guardian.stdout))

    async def _listen(self, guardian: asyncio.StreamReader) -> None:
        async for line in guardian:
            self._other = line.decode().partition(" ")[2].strip()  # "other MAC", or "alone"
        self._other = ""  # it has ended

    def _say(self, word: bytes) -> None:
        if self._guardian and self._guardian.stdin and self._guardian.returncode is None:
            with contextlib.suppress(ConnectionError):
                self._guardian.stdin.write(word)
