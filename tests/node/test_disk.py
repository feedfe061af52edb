"""The watch over the disk of the store: full, with room again, hanging, failed."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fa.core import array_events as av
from fa.node import disk
from fa.node.disk import RESERVE_BYTES, DiskWatch


class Disk:
    """Free bytes and the behaviour of fdatasync, as a test says."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.free = 1 << 40
        self.error = 0
        self.sound = threading.Event()
        self.sound.set()
        patch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=self.free, f_frsize=1))
        patch.setattr(os, "fdatasync", self._sync)
        patch.setattr(disk, "LOOK_EVERY", 0.01)
        patch.setattr(disk, "STALLED_AFTER", 0.05)

    def _sync(self, fd: int) -> None:
        self.sound.wait()
        if self.error:
            raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[tuple[DiskWatch, asyncio.Queue[Any]]]:
    posted: asyncio.Queue[Any] = asyncio.Queue()
    watch = DiskWatch(folder, posted.put_nowait)
    running = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(60):
            yield watch, posted
    finally:
        running.cancel()
        watch.close()


async def until(posted: asyncio.Queue[Any], event: Any) -> None:
    while await posted.get() != event:
        pass


def test_a_full_disk_gets_the_reserve_and_ends_when_there_is_room_for_it(tmp_path: Path, fake: Disk) -> None:
    async def story() -> None:
        async with watching(tmp_path) as (watch, posted):
            while not (tmp_path / "reserve").exists():
                await asyncio.sleep(0.01)
            fake.free = 0
            await until(posted, av.StoreFull(True))
            assert watch.full
            assert not (tmp_path / "reserve").exists(), "votes need its room"
            fake.free = RESERVE_BYTES  # what the reserve gave free is not room for more work
            await until(posted, av.StoreFull(True))
            fake.free = 1 << 40
            await until(posted, av.StoreFull(False))
            assert not watch.full

    asyncio.run(story())


def test_who_meets_a_full_disk_says_so_from_any_thread(tmp_path: Path, fake: Disk) -> None:
    async def story() -> None:
        async with watching(tmp_path) as (watch, posted):
            await asyncio.to_thread(watch.met_full)
            await until(posted, av.StoreFull(True))

    asyncio.run(story())


def test_a_disk_that_hangs_and_answers_again(tmp_path: Path, fake: Disk) -> None:
    async def story() -> None:
        async with watching(tmp_path) as (_, posted):
            fake.sound.clear()
            await until(posted, av.StoreStalled(True))
            fake.sound.set()
            await until(posted, av.StoreStalled(False))

    asyncio.run(story())


def test_a_disk_that_fails_is_not_asked_twice(tmp_path: Path, fake: Disk) -> None:
    async def story() -> None:
        async with watching(tmp_path) as (_, posted):
            fake.error = errno.EIO
            event = await posted.get()
            assert isinstance(event, av.StoreFailed)

    asyncio.run(story())
