"""What is done for the copy of the store now and then: settled, compacted, pruned, read over for rot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from fa.core import array_events as av
from fa.core.position import Position
from fa.errors import FaError
from fa.node.clock import Clock
from fa.node.disk import is_failed
from fa.replication.directory import ReplicaDirectory
from fa.replication.errors import LineageBroken, SegmentCorrupt
from fa.replication.retention import Keeper as DirectoryKeeper
from fa.replication.retention import Policy
from fa.replication.rot import sentence
from fa.replication.secondary import Copy

log = logging.getLogger(__name__)

T = TypeVar("T")
SETTLE_EVERY = 2.0  # seconds between two times that what was applied is made durable
SETTLES_A_TEND = 5  # and at most this many of those between two looks at the replica directory
SEGMENTS_A_TEND = 256  # and at most about this many segments: stock Litestream opens all files of a restore at once
SCRUB_EVERY = 3600.0  # seconds
MEND_EVERY = 3600.0  # at most: every file is read over for it


class Held(Protocol):
    """Whoever has the database file: the copy, or the writer of the node that leads."""

    def read_pages(self, first: int, count: int) -> bytes: ...


class Kept(Protocol):
    """What is looked after: `fa.node.keeper.Keeper`."""

    @property
    def directory(self) -> ReplicaDirectory: ...

    @property
    def copy(self) -> Copy | None:
        """None while this node leads."""
        ...

    @property
    def kept_up_to(self) -> int:
        """The txid up to which the database file is durable."""
        ...

    @property
    def acknowledged(self) -> Position: ...

    @property
    def held(self) -> Held:
        """Raises `Unavailable` while there is none."""
        ...


class Upkeep:
    """In a thread that neither acknowledgements nor volumes wait for. `history`: how many seconds back the store can be
    restored."""

    def __init__(self, kept: Kept, clock: Clock, post: Callable[[Any], None], history: float) -> None:
        self._kept = kept
        self._clock = clock
        self._post = post
        self._policy = Policy(history=int(history * 1000))
        self._thread = ThreadPoolExecutor(1, "store-tend")
        self._doubted, self._mend_not_before = False, 0.0

    def close(self) -> None:
        self._thread.shutdown()

    def doubt(self) -> None:
        """A file of the replica directory proved damaged, or there is a hole in it: it is mended next."""
        self._doubted = True

    async def tend(self) -> None:
        """Make durable what was applied, compact and prune. Runs until cancelled."""
        kept = self._kept
        keep = DirectoryKeeper(kept.directory, self._policy, lambda first, count: kept.held.read_pages(first, count))
        while True:
            await self._settle()
            if self._doubted and self._clock.mono() >= self._mend_not_before:
                self._doubted, self._mend_not_before = False, self._clock.mono() + MEND_EVERY
                await self._try(keep.mend, kept.kept_up_to, lambda: kept.acknowledged.txid)
            await self._try(keep.keep, kept.kept_up_to, self._clock.wall(), kept.acknowledged.txid)

    async def _settle(self) -> None:
        """Until it is time to look at the replica directory."""
        begin = self._kept.acknowledged.txid
        for _ in range(SETTLES_A_TEND):
            await asyncio.sleep(SETTLE_EVERY)
            if self._kept.copy:
                await self._try(self._kept.copy.settle)
            if self._kept.acknowledged.txid - begin >= SEGMENTS_A_TEND:
                return

    async def scrub(self) -> None:
        """Read the whole copy: disks rot (REPLICATION.md section 6). The file of the node that leads is scrubbed by its
        writer. Runs until cancelled."""
        while True:
            await asyncio.sleep(SCRUB_EVERY)
            if self._kept.copy and (rotten := await self._try(self._kept.copy.scrub)):
                self._post(av.StoreFailed(sentence(rotten), rotten=True))

    async def _try(self, call: Callable[..., T], *arguments: Any) -> T | None:
        """What cannot be done now is done the next time, unless the disk has failed: a sync is never tried again."""
        try:
            return await self._in_thread(call, *arguments)
        except (FaError, OSError) as error:
            log.warning("the copy of the store could not be tended: %s", error)
            if isinstance(error, SegmentCorrupt | LineageBroken):
                self.doubt()
            if isinstance(error, OSError) and is_failed(error):
                self._post(av.StoreFailed(str(error)))
        return None

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
