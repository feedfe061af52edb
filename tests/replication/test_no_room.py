"""What finds no room, or no file handle, is done later and loses nothing; a sync that failed is never tried again."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import fa.replication.directory as directory_module
from fa.replication import state as state_module
from fa.replication.chain import RECORD
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope
from fa.replication.segment import decode
from fa.replication.writer import Limits, Writer
from tests.replication.conftest import ARRAY, Bench, Follower, insert, migrate, rows, wait_for
from tests.replication.test_secondary import fill

FULL = OSError(errno.ENOSPC, "No space left on device")


def refuse(*arguments: Any, **options: Any) -> Any:
    raise FULL


# --- syncing what was written without a sync ---


def test_what_could_not_be_synced_for_want_of_a_file_handle_is_synced_the_next_time(
    bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench, 5)
    follower.take(bench.shipped)
    synced: set[str] = set()

    def sync(paths: Iterable[Path], folder: Path) -> None:
        if not synced:
            synced.add("none")
            raise OSError(errno.EMFILE, "Too many open files")
        synced.update(path.name for path in paths)

    monkeypatch.setattr(directory_module, "sync_files", sync)
    with pytest.raises(OSError, match="Too many"):
        follower.copy.settle()
    follower.copy.settle()
    assert {follower.directory.path(e.max_txid, e.max_txid).name for e, _ in bench.shipped} <= synced


def test_a_sync_without_room_does_not_pass_for_a_full_disk(
    bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may have dropped what it could not write, and reports success the next time."""
    fill(bench, 5)
    follower.take(bench.shipped)
    monkeypatch.setattr(directory_module, "sync_files", refuse)
    with pytest.raises(OSError, match="sync failed") as found:
        follower.directory.flush()
    assert found.value.errno == errno.EIO


def test_what_a_sync_without_room_dropped_is_written_anew(
    bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench, 5)
    follower.take(bench.shipped)
    follower.copy.settle()
    on_disk = follower.db.read_bytes()
    fill(bench, 5, "more")
    follower.take(bench.shipped[6:])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", refuse)
        with pytest.raises(OSError, match="No space"):
            follower.copy.settle()
    follower.db.write_bytes(on_disk)  # that is all that is left
    assert follower.copy.settle() == bench.writer.position
    follower.close()
    assert follower.open() == bench.writer.position


def test_what_was_on_its_way_to_a_peer_is_removed_at_the_next_start(tmp_path: Path) -> None:
    ReplicaDirectory(tmp_path).close()
    for name in ("outgoing-00112233445566aa.copy", "outgoing-00112233445566aa.copy.tmp", "incoming.copy"):
        (tmp_path / name).write_bytes(b"half")
    ReplicaDirectory(tmp_path, read_only=True).close()
    assert len(list(tmp_path.glob("*.copy*"))) == 3, "the node may be running"
    ReplicaDirectory(tmp_path).close()
    assert not list(tmp_path.glob("*.copy*"))


# --- receiving ---


@contextmanager
def no_room(follower: Follower, where: str, after: int = 0) -> Iterator[None]:
    """The disk is full from the `after`-th call on."""
    owner: Any = follower.directory if where == "write" else follower.directory.chain
    real, calls = getattr(owner, where), iter(range(1 << 20))

    def call(*arguments: Any, **options: Any) -> Any:
        if next(calls) >= after:
            raise FULL
        return real(*arguments, **options)

    setattr(owner, where, call)
    yield
    delattr(owner, where)


@pytest.mark.parametrize(("where", "after"), [("write", 0), ("write", 1), ("extend", 0)])
@pytest.mark.parametrize("lost", ["files", "files and records", "nothing"])
@pytest.mark.parametrize("taken", [1, 3])
def test_what_was_refused_for_want_of_room_never_comes_back_in_place_of_what_was_answered(
    tmp_path: Path, where: str, after: int, lost: str, taken: int
) -> None:
    a = Bench(tmp_path / "a", own_ack=True)
    a.writer.open_epoch(1024)
    fill(a, 3)
    b, c = Follower(tmp_path / "b"), Follower(tmp_path / "c")
    b.take(a.shipped)
    c.take(a.shipped)
    b.copy.settle()
    common, count = b.copy.position, len(a.shipped)
    a.begin(insert("nobody else has it")).result()
    a.begin(insert("nor that")).result()
    with no_room(b, where, after), pytest.raises(OSError, match="No space"):
        b.copy.receive_all(a.shipped[count:])
    assert b.copy.position == common
    a.close()
    led = c.lead(2048)
    fill(led, 3, "of another coordinator")
    answers = led.shipped[:taken]
    b.take(answers, apply=False)
    answered = b.copy.position
    _cut_power(b, answers, lost)
    assert b.open() == answered
    b.copy.apply(answered)
    b.take(led.shipped[taken:])
    assert b.copy.position == led.writer.position
    led.close()
    b.close()


def _cut_power(follower: Follower, answers: list[tuple[Envelope, bytes]], lost: str) -> None:
    """Nothing of the files of these segments had reached the disk, or neither had their records."""
    follower.close()
    if lost != "nothing":
        for envelope, _ in answers:
            follower.directory.path(envelope.max_txid, envelope.max_txid).unlink()
    if lost == "files and records":
        chain = follower.home / "replica" / "chain.log"
        os.truncate(chain, chain.stat().st_size - RECORD.size * len(answers))


# --- checkpoints ---


class Checkpoints:
    """Where a checkpoint meets a full disk."""

    def __init__(self, bench: Bench, patch: pytest.MonkeyPatch) -> None:
        self.met, self.full = 0, True
        self._bench, self._patch = bench, patch

    def sqlite(self) -> None:
        real = self._bench.writer._connection

        class Connection:
            def __getattr__(_, name: str) -> Any:
                return getattr(real, name)

            def execute(_, statement: str, *values: Any) -> Any:
                if self.full and "checkpoint" in statement:
                    self.met += 1
                    trouble = sqlite3.OperationalError("database or disk is full")
                    trouble.sqlite_errorcode = sqlite3.SQLITE_FULL
                    raise trouble
                return real.execute(statement, *values)

        self._bench.writer._connection = Connection()  # type: ignore[assignment]

    def marker(self) -> None:
        self._wrap(state_module, "write_record")

    def _wrap(self, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if self.full:
                self.met += 1
                raise FULL
            return real(*arguments, **options)

        self._patch.setattr(owner, name, call)


@pytest.fixture(params=["sqlite", "marker"])
def checkpoints(fast_home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    def make(limits: Limits) -> tuple[Bench, Checkpoints]:
        bench = Bench(fast_home / "a", limits=limits)
        faults = Checkpoints(bench, monkeypatch)
        getattr(faults, request.param)()
        bench.writer.open_epoch(1)
        return bench, faults

    return make


Make = Callable[[Limits], tuple[Bench, Checkpoints]]


def test_a_checkpoint_without_room_is_tried_again_and_commits_go_on(checkpoints: Make) -> None:
    bench, faults = checkpoints(Limits(wal_bytes=1, retry_seconds=0.01))
    for number in range(3):
        bench.do(insert(str(number)))
        seen = faults.met
        wait_for(lambda seen=seen: faults.met > seen)
    assert not bench.dead
    faults.full = False
    wait_for(lambda: bench.writer.checkpointed == bench.writer.position.txid)
    bench.do(insert("after"))
    bench.close()
    assert not bench.dead
    assert [text for _, text in bench.rows()] == ["0", "1", "2", "after"]


def test_a_last_checkpoint_without_room_is_left_to_the_next_start(checkpoints: Make) -> None:
    bench, faults = checkpoints(Limits())
    bench.do(insert("one"))
    position = bench.writer.position
    bench.close()
    assert faults.met
    assert not bench.dead, "it closed in order; SQLite's log and the segments hold everything"
    faults.full = False
    again = Follower(bench.home)
    assert again.copy.position == position
    again.copy.promote()
    assert rows(bench.db) == [(1, "one")]
    again.directory.close()


# --- taking over ---


@pytest.mark.parametrize("call", ["pwrite", "ftruncate"])
def test_a_take_over_without_room_can_be_tried_again(
    bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    fill(bench, 5)
    follower.take(bench.shipped, apply=False)
    for number in range(3):
        monkeypatch.setattr(os, call, _full_at(number, getattr(os, call)))
        with pytest.raises(OSError, match="No space"):
            follower.copy.promote()
        monkeypatch.undo()
    state = follower.copy.promote()
    assert state.position == bench.writer.position
    bench.close()
    follower.directory.close()
    assert follower.db.read_bytes() == bench.db.read_bytes()


def _full_at(number: int, real: Callable[..., Any]) -> Callable[..., Any]:
    calls = iter(range(1 << 20))
    return lambda *arguments: refuse() if next(calls) >= number else real(*arguments)


def test_a_writer_that_could_not_be_opened_lets_go_of_everything(
    bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench, 2)
    follower.take(bench.shipped)
    inherited = follower.copy.promote()
    before = len(os.listdir("/proc/self/fd"))

    def writer() -> Writer:
        made, ship = follower.directory, lambda envelope, ltx: shipped.append((envelope, ltx))
        return Writer(
            follower.db, made, array_id=ARRAY, node_id=2, on_segment=ship, on_dead=dead.append, migrate=migrate,
            inherited=inherited,
        )  # fmt: skip

    shipped: list[tuple[Envelope, bytes]] = []
    dead: list[BaseException] = []
    with monkeypatch.context() as patch:
        patch.setattr("fa.replication.writer.RotWatch", refuse)
        with pytest.raises(OSError, match="No space"):
            writer().start()
    assert len(os.listdir("/proc/self/fd")) == before
    second = writer()
    second.start()
    second.open_epoch(9)
    wait_for(lambda: len(shipped) == 1)
    assert decode(shipped[0][1]).header.max_txid == inherited.position.txid + 1
    second.close()
    assert not dead
    follower.directory.close()
