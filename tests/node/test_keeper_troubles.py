"""What goes wrong with the store of a node: what is tried again, what ends the process, and after what nothing on the
disk is believed any more."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core.array_messages import Append
from fa.core.position import Position
from fa.node import keeper as keeper_module
from fa.node.clock import Clock
from fa.node.disk import DiskWatch
from fa.node.keeper import Keeper, StorePlace
from fa.replication import resync
from fa.replication import writer as writer_module
from fa.replication.checksum import PageSums
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope
from fa.replication.errors import CopyDamaged, NeedsResync, StoreRotten, WALError
from fa.replication.snapshot import write_diff
from fa.replication.state import PAGE_SIZE, Marker
from fa.replication.transfer import Announcement, Kind, announce
from tests.replication.conftest import ARRAY, Bench, Follower
from tests.replication.test_secondary import fill

MANY = 60.0


class Store:
    """A keeper, and what it posted."""

    def __init__(self, root: Path, fetch: Any = None) -> None:
        self.posted: list[Any] = []
        place = StorePlace(root / "store.db", root / "replica", ARRAY, "a", 1)
        watch = DiskWatch(root, self.posted.append)
        self.keeper = Keeper(place, Clock(), self.posted.append, self._nothing, self._nothing, fetch, watch)

    async def _nothing(self, *arguments: Any) -> None: ...

    async def until(self, holds: Callable[[], Any]) -> Any:
        async with asyncio.timeout(MANY):
            while not (found := holds()):
                await asyncio.sleep(0.01)
        return found

    async def posts(self, *kinds: type, number: int = 1) -> Any:
        """The event of one of these kinds that came as the `number`-th of them."""
        return (await self.until(lambda: [event for event in self.posted if isinstance(event, kinds)][number - 1 :]))[0]

    async def leads(self, epoch: int = 2049) -> av.Committed:
        await self.keeper.open()
        self.keeper.lead(ae.Lead(epoch))
        first: av.Committed = await self.posts(av.Committed)
        self.keeper.acknowledge(ae.Acknowledge(first.position))
        return first

    async def steps_down(self) -> None:
        self.keeper.step_down(ae.StepDown())
        await self.posts(av.WriterClosed)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fa.node.turns.ROOM_AGAIN", "fa.node.keeper.ASK_AGAIN"):
        monkeypatch.setattr(name, 0.01, raising=False)


# --- what is no failure of the disk ---


async def test_a_migration_that_fails_ends_the_process_and_no_copy_is_doubted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    await store.leads()
    await store.steps_down()
    monkeypatch.setattr(keeper_module, "migrate", lambda connection: connection.execute("SELECT * FROM nowhere"))
    store.keeper.lead(ae.Lead(4097))
    assert (await store.posts(av.StoreFailed)).rotten
    await store.keeper.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ETIMEDOUT])
async def test_only_what_may_be_the_disk_puts_the_copy_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = Store(tmp_path)
    await store.leads()
    await store.steps_down()

    def broken(*arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fa.replication.writer.RotWatch", broken)
    store.keeper.lead(ae.Lead(4097))
    assert (await store.posts(av.StoreFailed)).rotten == (number == errno.EMFILE)
    await store.keeper.close()


def sqlite_says(code: int) -> sqlite3.Error:
    trouble = sqlite3.OperationalError("it does not work")
    trouble.sqlite_errorcode = code
    return trouble


@pytest.mark.parametrize(
    ("trouble", "doubted"),
    [
        (OSError(errno.EIO, "EIO"), True),
        (OSError(errno.ENOMEM, "nobody knows"), True),
        (OSError(errno.ENFILE, "handles"), False),
        (OSError(errno.ENOSPC, "full"), False),
        (TimeoutError(), False),
        (sqlite_says(sqlite3.SQLITE_IOERR_FSYNC), True),
        (sqlite_says(sqlite3.SQLITE_IOERR_WRITE), True),
        (sqlite_says(sqlite3.SQLITE_READONLY), True),
        (sqlite_says(sqlite3.SQLITE_IOERR_SHMSIZE), False),
        (sqlite_says(sqlite3.SQLITE_CANTOPEN), False),
        (sqlite3.OperationalError("no such table"), False),
        (WALError("another program"), True),
        (NeedsResync("another way"), True),
        (StoreRotten("2 pages"), False),
        (CopyDamaged("a segment is missing"), False),
        (AssertionError("a mistake of ours"), False),
    ],
)
def test_after_what_the_disk_is_not_believed(trouble: BaseException, doubted: bool) -> None:
    from fa.node.disk import is_in_doubt

    assert is_in_doubt(trouble) == doubted


# --- a full disk ---


class FullDisk:
    """Where it is met, until `room()` is made."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception) -> None:
        self.met, self._full = 0, True
        real = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if self._full:
                self.met += 1
                raise error
            return real(*arguments, **options)

        patch.setattr(owner, name, call)

    def room(self) -> None:
        self._full = False


NO_ROOM = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (Marker, "move", NO_ROOM),
        (writer_module, "open_writer", sqlite_says(sqlite3.SQLITE_IOERR_SHMSIZE)),
        (writer_module, "open_writer", sqlite_says(sqlite3.SQLITE_FULL)),
    ],
)
async def test_who_is_to_lead_waits_for_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception
) -> None:
    store = Store(tmp_path)
    first = await store.leads()
    await store.steps_down()
    disk = FullDisk(monkeypatch, owner, name, error)
    store.keeper.lead(ae.Lead(4097))
    await store.until(lambda: disk.met > 2)
    assert av.StoreFull(True) in store.posted, "the core hears of it, and may hand over"
    disk.room()
    second = await store.posts(av.Committed, av.StoreFailed, number=2)
    assert second.epoch == 4097
    assert second.position.txid == first.position.txid + 1
    await store.keeper.close()


@pytest.mark.usefixtures("soon")
async def test_who_waits_for_room_may_be_deposed_and_lead_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    first = await store.leads()
    await store.steps_down()
    disk = FullDisk(monkeypatch, writer_module, "open_writer", NO_ROOM)
    store.keeper.lead(ae.Lead(4097))
    await store.until(lambda: disk.met)
    store.keeper.step_down(ae.StepDown())
    await store.posts(av.WriterClosed, av.StoreFailed, number=2)
    assert store.keeper.copy
    assert store.keeper.copy.position == first.position
    store.keeper.step_down(ae.StepDown())
    store.keeper.lead(ae.Lead(8193))
    disk.room()
    assert (await store.posts(av.Committed, number=2)).epoch == 8193
    assert not [event for event in store.posted if isinstance(event, av.StoreFailed)]
    await store.keeper.close()


@pytest.mark.usefixtures("soon")
async def test_who_steps_down_waits_for_room_for_what_is_in_the_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit whose segment found no room: nothing may be lost of it, and nobody can follow before it has one."""
    store = Store(tmp_path)
    first = await store.leads()
    disk = FullDisk(monkeypatch, ReplicaDirectory, "write", NO_ROOM)
    writer = store.keeper._writer
    assert writer
    writer.submit(lambda connection: connection.execute("CREATE TABLE more (x)"), lambda result, position: None)
    second = await store.posts(av.Committed, number=2)
    store.keeper.step_down(ae.StepDown())
    met = disk.met
    await store.until(lambda: disk.met > met + 2 or [e for e in store.posted if isinstance(e, av.StoreFailed)])
    assert not [event for event in store.posted if isinstance(event, av.WriterClosed)]
    disk.room()
    await store.posts(av.WriterClosed, av.StoreFailed)
    assert store.keeper.copy
    assert store.keeper.copy.position == second.position != first.position
    await store.keeper.close()


# --- fetching a copy ---


async def test_a_disk_that_fails_while_a_copy_is_installed_is_no_failure_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried again it would look sound: the pages that never reached the disk are still in memory."""
    a = Bench(tmp_path / "a")
    a.writer.open_epoch(1024)
    fill(a, 10)
    b = Follower(tmp_path / "b")
    b.take(a.shipped)
    b.copy.settle()
    b.close()
    fill(a, 10, "later")
    fetched: list[str] = []

    async def fetch(source: str, target: Path, sums: bytes) -> Announcement:
        fetched.append(source)
        position = a.writer.position
        write_diff(a.directory, position, PageSums.from_bytes(PAGE_SIZE, sums), target)
        return announce(Kind.DIFF, target, ARRAY, position, a.directory.chain.epoch(position.txid) or 0)

    real = os.fsync

    def fails(fd: int) -> None:
        if os.readlink(f"/proc/self/fd/{fd}").endswith("store.db") and fetched:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(fd)

    monkeypatch.setattr(os, "fsync", fails)
    store = Store(tmp_path / "b", fetch)
    await store.keeper.open()
    store.keeper.fetch_copy(ae.FetchCopy("a"))
    failed = await store.posts(av.CopyFailed, av.StoreFailed)
    assert isinstance(failed, av.StoreFailed)
    assert not failed.rotten
    await store.keeper.close()
    a.close()


async def test_a_link_that_breaks_while_a_copy_is_fetched_is_no_failure_of_the_disk(tmp_path: Path) -> None:
    async def fetch(source: str, target: Path, sums: bytes) -> Announcement:
        raise aiohttp.ClientOSError(errno.EIO, "the network says so")

    store = Store(tmp_path, fetch)
    await store.keeper.open()
    store.keeper.fetch_copy(ae.FetchCopy("a"))
    await store.posts(av.CopyFailed)
    await store.keeper.close()


def test_what_a_diff_is_made_against_is_read_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed sync left in memory is on no disk."""
    path, calls = tmp_path / "store.db", []
    path.write_bytes(bytes(2 * PAGE_SIZE))
    for name in ("fsync", "posix_fadvise", "pread"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name: (calls.append(name), real(*a))[1])
    assert resync.file_sums(path).pages == 2
    assert calls[:3] == ["fsync", "posix_fadvise", "pread"]


# --- segments that are not taken, questions that are not answered ---


async def test_the_bytes_of_segments_that_are_not_taken_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    await store.keeper.open()
    taken: list[bytes] = []

    def receive_all(_: Any, batch: list[tuple[Envelope, bytes]]) -> Position:
        taken.extend(ltx for _, ltx in batch)
        return batch[-1][0].after

    monkeypatch.setattr(type(store.keeper.copy), "receive_all", receive_all)
    for number in range(1, 100):
        envelope = Envelope(ARRAY, 1024, 1, number, number, number, number + 1, 0)
        for ltx in (b"torn", b"%d" % number, b"doubled"):
            append = Append(1024, envelope.before, envelope.after, 1024, envelope.before)
            store.keeper.arrived(append, envelope, ltx)
            if ltx.isdigit():
                store.keeper.store_segment(ae.StoreSegment("b", append))
    await store.until(lambda: len(taken) == 99)
    assert taken == [b"%d" % number for number in range(1, 100)], "each has its own bytes, not those of its doubles"
    assert len(store.keeper._arrivals) == 1, "the last one; the next that is taken clears it away"
    await store.keeper.close()


@pytest.mark.usefixtures("soon")
async def test_a_question_that_a_full_disk_undid_is_asked_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.leads()
    writer = store.keeper._writer
    assert writer
    answers: list[Any] = []
    asked = iter(range(1 << 20))

    def full(connection: sqlite3.Connection) -> None:
        raise sqlite_says(sqlite3.SQLITE_FULL)

    def question(connection: sqlite3.Connection) -> int:
        return next(asked)

    store.keeper.freeze(ae.Freeze())
    await store.posts(av.Frozen)
    writer.submit(full, lambda result, position: answers.append(result))
    store.keeper.query(question, lambda found: ("answered", found))
    store.keeper.thaw(ae.Thaw())
    assert (await store.posts(tuple))[0] == "answered"
    assert len(answers) == 1
    store.keeper.query(lambda connection: [][0], lambda found: ("never", found))
    await store.steps_down()
    await store.keeper.close()
