"""What changes the store takes turns: one after the other, and never in the threads that asyncio shares, all of which a
volume that hangs may hold."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fa.node.disk import DiskWatch, finds_no_room

log = logging.getLogger(__name__)

T = TypeVar("T")
ROOM_AGAIN = 1.0  # seconds


class Turns:
    """`failed` is told what ended a turn. On a full disk it is tried again until there is room, and others have their
    turn in between."""

    def __init__(self, disk: DiskWatch, failed: Callable[[BaseException], None]) -> None:
        self._disk = disk
        self._failed = failed
        self._thread = ThreadPoolExecutor(1, "store-copy")
        self._one = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, turn: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(self._take(turn))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    async def end(self) -> None:
        """No turn is taken any more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        self._thread.shutdown()

    async def _take(self, turn: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            async with self._one:
                try:
                    await turn()
                    return
                except (OSError, sqlite3.Error) as error:
                    if not finds_no_room(error):
                        raise
                    log.debug("there is no room for the store: %s", error)
            self._disk.met_full()
            await asyncio.sleep(ROOM_AGAIN)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (trouble := task.exception()):
            log.critical("the store of this node failed", exc_info=trouble)
            self._failed(trouble)
