"""What finds no room, or no file handle, is done later and loses nothing; a sync that failed is never tried again."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import fa.replication.directory as directory_module
from fa.replication.chain import RECORD
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope
from tests.replication.conftest import Bench, Follower, insert
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
    with monkeypatch.context() as patch:
        patch.setattr(directory_module, "sync_files", refuse)
        with pytest.raises(OSError, match="sync failed") as found:
            follower.directory.flush()
    assert found.value.errno == errno.EIO
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", refuse)
        with pytest.raises(OSError, match="sync failed") as found:
            follower.copy.settle()
    assert found.value.errno == errno.EIO


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
