"""The copy of the store as a running node looks after it: settled, compacted and pruned, read over for rot."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from fa.core import array_events as av
from fa.core.position import Position
from fa.node import upkeep
from fa.node.clock import Clock
from fa.node.upkeep import SEGMENTS_A_TEND, Upkeep
from fa.replication.directory import ReplicaDirectory
from fa.replication.errors import SegmentCorrupt
from fa.replication.secondary import Copy
from fa.replication.state import PAGE_SIZE
from tests.replication.conftest import Bench, Follower, insert

HISTORY = 3600.0
DAY_MS = 86_400_000


class Tomorrow(Clock):
    """As old as a test wants the segments to be."""

    def __init__(self) -> None:
        self.later = 0

    def wall(self) -> int:
        return super().wall() + self.later


class Subject:
    """A follower with its upkeep, and what was posted."""

    def __init__(self, bench: Bench, follower: Follower) -> None:
        self.bench, self.follower = bench, follower
        self.leads, self.looks = False, 0
        self.clock = Tomorrow()
        self.posted: list[Any] = []
        self.upkeep = Upkeep(self, self.clock, self.posted.append, HISTORY)

    @property
    def copy(self) -> Copy | None:
        self.looks += 1
        return None if self.leads else self.follower.copy

    @property
    def directory(self) -> ReplicaDirectory:
        return self.follower.directory

    @property
    def kept_up_to(self) -> int:
        return self.follower.copy.marker.txid

    @property
    def acknowledged(self) -> Position:
        return self.follower.copy.applied

    @property
    def held(self) -> Copy:
        return self.follower.copy

    def write(self, count: int) -> None:
        done = len(self.bench.shipped)
        for number in range(count):
            self.bench.do(insert(f"{done + number}" * 200))
        self.follower.take(self.bench.shipped[self.follower.copy.position.txid :])

    def files(self) -> dict[int, int]:
        """How many files each level has."""
        levels = {level: len(self.directory.files(level)) for level in range(10)}
        return {level: count for level, count in levels.items() if count}


@pytest.fixture
async def subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Subject]:
    monkeypatch.setattr(upkeep, "SETTLE_EVERY", 0.01)
    monkeypatch.setattr(upkeep, "SCRUB_EVERY", 0.01)
    bench, follower = Bench(tmp_path / "a"), Follower(tmp_path / "b")
    bench.writer.open_epoch(1)
    made = Subject(bench, follower)
    made.write(3)
    yield made
    made.upkeep.close()
    bench.close()
    follower.close()


async def until(loop: Any, condition: Callable[[], object]) -> None:
    """Run a loop of the upkeep until the condition holds."""
    task = asyncio.create_task(loop)
    try:
        async with asyncio.timeout(60):
            while not condition():
                assert not task.done(), task
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_was_applied_is_made_durable(subject: Subject) -> None:
    await until(subject.upkeep.tend(), lambda: subject.follower.copy.marker == subject.bench.writer.position)


async def test_old_segments_are_gathered_and_then_pruned(subject: Subject) -> None:
    subject.write(20)
    single = len(subject.directory.files(0))
    await until(subject.upkeep.tend(), lambda: subject.kept_up_to == subject.bench.writer.position.txid)
    assert subject.files() == {0: single}, "they are young"
    subject.clock.later = DAY_MS * 2
    await until(subject.upkeep.tend(), lambda: subject.files().get(0) == 1)
    assert subject.directory.files(9) or subject.directory.files(3), "what was pruned is in a higher level"
    subject.follower.close()
    assert subject.follower.open() == subject.bench.writer.position


async def test_a_busy_store_is_looked_at_sooner(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock Litestream opens all files of a restore at once: they are gathered by number, long before their time."""
    monkeypatch.setattr(upkeep, "SETTLES_A_TEND", 1 << 30)
    task = asyncio.create_task(subject.upkeep.tend())
    await asyncio.to_thread(subject.write, SEGMENTS_A_TEND + 10)
    async with asyncio.timeout(60):
        while not subject.directory.files(1):
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_rot_in_the_copy_is_told(subject: Subject) -> None:
    with open(subject.follower.db, "r+b") as file:
        file.seek(PAGE_SIZE + 100)
        file.write(b"#ROT#")
    await until(subject.upkeep.scrub(), lambda: subject.posted)
    (event,) = subject.posted[:1]
    assert isinstance(event, av.StoreFailed)
    assert event.rotten
    assert "(2)" in event.reason


async def test_a_sound_copy_is_read_again_and_again(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[list[int]] = []
    scrub = Copy.scrub

    def counted(self: Copy) -> list[int]:
        reads.append(scrub(self))
        return reads[-1]

    monkeypatch.setattr(Copy, "scrub", counted)
    await until(subject.upkeep.scrub(), lambda: len(reads) > 3)
    assert not any(reads)
    assert not subject.posted
    subject.leads, subject.looks = True, 0
    reads.clear()
    await until(subject.upkeep.scrub(), lambda: subject.looks > 3)
    assert not reads, "who leads has no copy"


async def test_a_damaged_segment_is_mended(subject: Subject) -> None:
    """It stopped compaction for good, and no other node could be given a copy from here."""
    subject.write(20)
    await until(subject.upkeep.tend(), lambda: subject.kept_up_to == subject.bench.writer.position.txid)
    victim = subject.directory.path(5, 5)
    victim.write_bytes(victim.read_bytes()[:-1])
    subject.clock.later = DAY_MS * 2
    await until(subject.upkeep.tend(), lambda: subject.files().get(0) == 1)
    assert subject.directory.files(9)
    assert not subject.posted


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
async def test_a_copy_that_cannot_be_read_is_read_again(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A bad sector: the scrub ended for ever, and nobody was told."""
    tried = 0

    def broken(self: Copy) -> list[int]:
        nonlocal tried
        tried += 1
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Copy, "scrub", broken)
    await until(subject.upkeep.scrub(), lambda: tried > 2)
    assert {event.rotten for event in subject.posted} == ({False} if number == errno.EIO else set())


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
async def test_only_a_failed_disk_ends_the_node(subject: Subject, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A full one is tried again."""
    tried = 0

    def broken(fd: int) -> None:
        nonlocal tried
        tried += 1
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fdatasync", broken)
    await until(subject.upkeep.tend(), lambda: tried > 2)
    failed = [event for event in subject.posted if isinstance(event, av.StoreFailed)]
    assert bool(failed) == (number == errno.EIO)
    assert not any(event.rotten for event in failed)


async def test_a_damaged_segment_keeps_nothing_else_from_being_done(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0

    def damaged(*arguments: Any) -> None:
        nonlocal tried
        tried += 1
        raise SegmentCorrupt

    monkeypatch.setattr(upkeep.DirectoryKeeper, "keep", damaged)
    await until(subject.upkeep.tend(), lambda: tried > 1)
    assert subject.follower.copy.marker == subject.bench.writer.position
    assert not subject.posted
