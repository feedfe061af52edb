"""Many segments at once, with one sync, and what a failing disk leaves of them."""

from __future__ import annotations

import os

import pytest

from fa.core.position import EMPTY
from fa.replication import chain as chain_module
from fa.replication import journal as journal_module
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import unpack
from fa.replication.errors import WrongPost
from tests.replication.conftest import Bench, Follower
from tests.replication.test_secondary import fill, one_page_more


def test_many_segments_are_taken_with_one_sync(
    bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench, 20)
    follower.take(bench.shipped[:1])
    syncs: list[int] = []
    really = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (syncs.append(fd), really(fd)))
    assert follower.copy.receive_all(bench.shipped[1:]) == bench.writer.position
    assert len(syncs) == 1
    assert follower.copy.receive_all([]) == bench.writer.position
    assert follower.open() == bench.writer.position


def test_a_batch_whose_records_find_no_room_can_be_sent_again(
    bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(fd: int, data: bytes) -> None:
        os.write(fd, data[:40])
        raise OSError(28, "No space left on device")

    fill(bench, 5)
    with monkeypatch.context() as patch:
        patch.setattr(chain_module, "write_all", half)
        with pytest.raises(OSError, match="No space"):
            follower.copy.receive_all(bench.shipped)
    assert follower.copy.position == EMPTY
    follower.take(bench.shipped)
    follower.directory.close()
    assert ReplicaDirectory(follower.directory.root, read_only=True).chain.last == bench.writer.position
    assert follower.open() == bench.writer.position


def test_a_full_journal_begins_anew(bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "CAPACITY", 65536)
    monkeypatch.setattr(journal_module, "FIRST_SIZE", 8192)
    fill(bench, 40)
    follower.take(bench.shipped)
    journal = follower.directory.journal
    assert journal is not None
    kept = [unpack(message)[0] for message in journal.messages()]
    assert 0 < len(kept) < 20
    assert kept == [envelope for envelope, _ in bench.shipped[-len(kept) :]]
    assert follower.open() == bench.writer.position


@pytest.mark.parametrize("at", [1, 3])
def test_a_batch_ends_before_a_bad_segment(bench: Bench, follower: Follower, at: int) -> None:
    fill(bench, 5)
    batch = [*bench.shipped[:at], one_page_more(*bench.shipped[at]), *bench.shipped[at + 1 :]]
    assert follower.copy.receive_all(batch) == bench.shipped[at - 1][0].after
    with pytest.raises(WrongPost):
        follower.copy.receive_all(batch[at:])
    assert follower.copy.receive_all(bench.shipped[at:]) == bench.writer.position


def test_a_batch_that_finds_the_disk_broken_changes_nothing(
    bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    fill(bench, 5)
    follower.take(bench.shipped[:2])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="Input/output"):
            follower.copy.receive_all(bench.shipped[2:])
    assert follower.copy.position == bench.shipped[1][0].after
    assert follower.copy._sums.checksum == follower.copy.position.checksum
    follower.take(bench.shipped[2:])
