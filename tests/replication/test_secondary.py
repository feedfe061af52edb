"""A copy: what it refuses, what it answers for, and how it comes back from crashes and from leading."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fa.core.position import Position
from fa.replication.checksum import HIGH_BIT, page_sum
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope
from fa.replication.errors import (
    CopyDamaged,
    NeedsResync,
    OtherArray,
    SegmentCorrupt,
    SegmentError,
    SegmentGap,
    SegmentReplay,
    SegmentTruncated,
    StaleEpoch,
    WrongPost,
    WrongPre,
)
from fa.replication.secondary import Copy
from fa.replication.segment import Header, decode, encode
from fa.replication.writer import Limits
from tests.replication.conftest import ARRAY, OTHER_ARRAY, Bench, Follower, insert, rows

Shipped = list[tuple[Envelope, bytes]]


def fill(bench: Bench, count: int, text: str = "x") -> None:
    for number in range(count):
        bench.do(insert(f"{text}{number}" * 40))


def same_bytes(a: Path, b: Path) -> bool:
    return a.read_bytes() == b.read_bytes()


def test_a_copy_that_took_every_segment_is_byte_identical(bench: Bench, follower: Follower) -> None:
    fill(bench, 40)
    follower.take(bench.shipped)
    assert follower.copy.position == follower.copy.applied == bench.writer.position
    bench.close()
    assert same_bytes(bench.db, follower.db)


def test_only_acknowledged_segments_reach_the_database_file(bench: Bench, follower: Follower) -> None:
    fill(bench, 3)
    follower.take(bench.shipped, apply=False)
    assert follower.db.stat().st_size == 0
    follower.copy.apply(bench.shipped[1][0].after)
    assert follower.copy.applied.txid == 2
    assert follower.copy.position.txid == 4


Change = Callable[[Envelope, bytes], tuple[Envelope, bytes]]


def _with(**changes: object) -> Change:
    return lambda envelope, ltx: (dataclasses.replace(envelope, **changes), ltx)  # type: ignore[arg-type]


def _flip(envelope: Envelope, ltx: bytes) -> tuple[Envelope, bytes]:
    return envelope, ltx[:200] + bytes([ltx[200] ^ 1]) + ltx[201:]


def _other_pages(envelope: Envelope, ltx: bytes) -> tuple[Envelope, bytes]:
    segment = decode(ltx)
    number, page = segment.pages[-1]
    return envelope, encode(segment.header, [*segment.pages[:-1], (number, bytes(page)[::-1])])


def one_page_more(envelope: Envelope, ltx: bytes) -> tuple[Envelope, bytes]:
    segment = decode(ltx)
    spare = min(set(range(1, segment.header.commit + 1)) - {number for number, _ in segment.pages})
    return envelope, encode(segment.header, sorted([*segment.pages, (spare, bytes(4096))]))


def _far_growth(envelope: Envelope, ltx: bytes) -> tuple[Envelope, bytes]:
    segment = decode(ltx)
    return envelope, encode(dataclasses.replace(segment.header, commit=2**32 - 1), segment.pages)


BAD: list[tuple[Change, type[SegmentError]]] = [
    (_with(array_id=OTHER_ARRAY), OtherArray),
    (_with(epoch=0), StaleEpoch),
    (_with(min_txid=5, max_txid=5), SegmentGap),
    (_with(min_txid=1, max_txid=1), SegmentReplay),
    (_with(pre=7), WrongPre),
    (_with(post=7), WrongPost),
    (_with(timestamp=1), SegmentCorrupt),
    (_with(epoch=9), SegmentCorrupt),
    (_flip, SegmentCorrupt),
    (lambda envelope, ltx: (envelope, ltx[:-9]), SegmentTruncated),
    (lambda envelope, ltx: (envelope, b""), SegmentTruncated),
    (_other_pages, WrongPost),
    (one_page_more, WrongPost),
    (_far_growth, SegmentCorrupt),
]


@pytest.mark.parametrize(("change", "error"), BAD)
def test_a_bad_segment_is_refused_with_a_sentence_and_changes_nothing(
    bench: Bench, follower: Follower, change: Change, error: type[SegmentError]
) -> None:
    fill(bench, 2)
    follower.take(bench.shipped[:2])
    before, files = follower.copy.position, follower.directory.all_files()
    with pytest.raises(error) as caught:
        follower.copy.receive(*change(*bench.shipped[2]))
    assert type(caught.value) is error
    assert str(caught.value).endswith((".", "first."))
    assert follower.copy.position == before
    assert follower.directory.all_files() == files
    follower.take(bench.shipped[2:])
    assert follower.copy.position == bench.writer.position


def test_a_fenced_copy_refuses_the_deposed_coordinator(bench: Bench, follower: Follower) -> None:
    fill(bench, 1)
    follower.copy.fence(5)
    with pytest.raises(StaleEpoch, match="epoch 1"):
        follower.copy.receive(*bench.shipped[0])


@pytest.mark.parametrize("applied", [0, 3, 6])
@pytest.mark.parametrize("settled", [False, True])
def test_it_comes_back_from_a_crash_at_the_position_it_answered_for(
    bench: Bench, follower: Follower, applied: int, settled: bool
) -> None:
    fill(bench, 5)
    follower.take(bench.shipped, apply=False)
    if applied:
        follower.copy.apply(bench.shipped[applied - 1][0].after)
    if settled:
        follower.copy.settle()
    assert follower.open() == bench.writer.position  # the old object is dropped, as kill -9 does
    assert follower.copy.marker.txid == (applied if settled else 0)
    follower.copy.apply(bench.writer.position)
    bench.close()
    assert same_bytes(bench.db, follower.db)


def test_torn_pages_below_a_segment_are_healed(bench: Bench, follower: Follower) -> None:
    fill(bench, 30)
    follower.take(bench.shipped[:20])
    follower.copy.settle()
    follower.take(bench.shipped[20:])
    touched = {number for _, ltx in bench.shipped[20:] for number, _ in decode(ltx).pages}
    with follower.db.open("r+b") as file:
        for number in touched:
            file.seek((number - 1) * 4096 + 512)
            file.write(b"lost sector" * 40)
    assert follower.open() == bench.writer.position
    follower.copy.apply(bench.writer.position)
    bench.close()
    assert same_bytes(bench.db, follower.db)


def test_a_rotten_page_is_noticed_when_it_opens(bench: Bench, follower: Follower) -> None:
    fill(bench, 5)
    follower.take(bench.shipped)
    follower.copy.settle()
    with follower.db.open("r+b") as file:
        file.seek(4096 + 100)
        file.write(b"rot")
    with pytest.raises(CopyDamaged, match="pages give"):
        follower.open()


def test_a_torn_last_segment_without_a_record_is_dropped(bench: Bench, follower: Follower) -> None:
    fill(bench, 3)
    follower.take(bench.shipped[:3])
    torn = follower.directory.path(4, 4)
    torn.write_bytes(bench.shipped[3][1][:-30])
    assert follower.open() == bench.shipped[2][0].after
    assert not torn.exists()
    follower.take(bench.shipped[3:])


@pytest.mark.parametrize("victim", [2, 4])
def test_a_segment_that_was_answered_for_must_be_there(bench: Bench, follower: Follower, victim: int) -> None:
    fill(bench, 3)
    follower.take(bench.shipped)
    follower.directory.path(victim, victim).unlink()
    assert follower.directory.journal is not None
    follower.directory.journal.clear()
    with pytest.raises(CopyDamaged, match=f"Segment {victim} is missing"):
        follower.open()


@pytest.mark.parametrize("lost", [{5}, {3, 5}, {2, 3, 4, 5, 6}])
def test_segments_whose_files_were_not_synced_come_back_from_the_journal(
    bench: Bench, follower: Follower, lost: set[int]
) -> None:
    fill(bench, 5)
    follower.take(bench.shipped)
    for txid in lost:
        os.truncate(follower.directory.path(txid, txid), 0)
    os.truncate(follower.home / "replica" / "chain.log", 32 * (min(lost) - 1) + 9)
    assert follower.open() == bench.writer.position
    assert [follower.directory.chain.at(e.max_txid) for e, _ in bench.shipped] == [e.after for e, _ in bench.shipped]
    follower.copy.apply(bench.writer.position)
    bench.close()
    assert same_bytes(bench.db, follower.db)


def test_what_was_cut_off_does_not_come_back_from_the_journal(bench: Bench, follower: Follower) -> None:
    fill(bench, 5)
    follower.take(bench.shipped, apply=False)
    follower.copy.rewind(bench.shipped[2][0].after)
    assert follower.open() == bench.shipped[2][0].after


def test_a_lost_tail_of_the_chain_is_computed_again(bench: Bench, follower: Follower) -> None:
    fill(bench, 3)
    follower.take(bench.shipped)
    chain = follower.home / "replica" / "chain.log"
    os.truncate(chain, 32 + 17)
    assert follower.open() == bench.writer.position
    assert follower.directory.chain.last == bench.writer.position


def test_the_record_of_the_applied_position_is_made_again(bench: Bench, follower: Follower) -> None:
    """The database file is synced before the chain is: after a power cut it may be the only one to have survived."""
    fill(bench, 3)
    epoch = bench.shipped[-1][0].epoch
    follower.take(bench.shipped)
    follower.copy.apply(bench.writer.position)
    follower.copy.settle()
    os.truncate(follower.home / "replica" / "chain.log", 0)
    follower.open()
    assert follower.directory.chain.last == follower.copy.position == bench.writer.position
    assert follower.directory.chain.epoch(bench.writer.position.txid) == epoch


def test_take_over_carries_every_received_segment_and_the_old_coordinator_follows(fast_home: Path) -> None:
    old = Bench(fast_home / "a")
    old.writer.open_epoch(1)
    follower = Follower(fast_home / "b")
    fill(old, 10)
    follower.take(old.shipped[:-1])
    follower.take(old.shipped[-1:], apply=False)
    old.close()
    new = follower.lead(epoch=2)
    new.do(insert("from the new one"))
    assert new.writer.position.txid == old.writer.position.txid + 2, "one of its own, then the row"
    assert len(new.rows()) == 11
    back = Follower(fast_home / "a")
    assert back.copy.position == old.writer.position
    back.take(new.shipped)
    new.close()
    back.close()
    assert same_bytes(new.db, back.db)


@pytest.mark.parametrize("generation", ["same", "restarted"])
def test_a_deposed_coordinator_drops_its_tail(fast_home: Path, generation: str) -> None:
    """Both cases of REPLICATION.md section 6: the WAL holds the common past too, or was begun anew with the tail."""
    limits = Limits(wal_bytes=1) if generation == "restarted" else Limits()
    old = Bench(fast_home / "a", limits=limits)
    old.writer.open_epoch(1)
    follower = Follower(fast_home / "b")
    fill(old, 10)
    common = old.writer.position
    follower.take(old.shipped)
    old.own_ack = False
    tail = [old.begin(insert(f"lost {number}")) for number in range(3)]
    old.wait_shipped(len(follower.directory.all_files()) + 1)
    old.close()
    assert tail
    assert old.writer.position.txid > common.txid
    new = follower.lead(epoch=2)
    fill(new, 5, "new")
    back = Follower(fast_home / "a")
    assert back.copy.position == old.writer.position
    with pytest.raises(SegmentError):
        back.copy.receive(*new.shipped[0])
    back.copy.rewind(common)
    assert back.copy.position == common
    assert list((fast_home / "a" / "replica" / "quarantine").iterdir())
    back.take(new.shipped)
    new.close()
    back.close()
    assert same_bytes(new.db, back.db)


def test_a_copy_rewinds_what_it_received_but_not_what_it_applied(bench: Bench, follower: Follower) -> None:
    fill(bench, 5)
    follower.take(bench.shipped[:4])
    follower.take(bench.shipped[4:], apply=False)
    follower.copy.settle()
    with pytest.raises(NeedsResync, match="common past"):
        follower.copy.rewind(Position(5, 77))
    with pytest.raises(NeedsResync, match="cannot be reached"):
        follower.copy.rewind(bench.shipped[2][0].after)
    assert follower.copy.position == bench.writer.position
    follower.copy.rewind(bench.shipped[4][0].after)
    assert follower.copy.position.txid == 5
    follower.take(bench.shipped[5:])
    assert follower.open() == bench.writer.position


def test_it_tells_the_version_of_what_it_received(bench: Bench, tmp_path: Path) -> None:
    """Before it is applied, after a restart, and when it is cut off again."""
    told: list[int] = []
    directory = ReplicaDirectory(tmp_path / "replica")

    def opened() -> Copy:
        copy = Copy(tmp_path / "store.db", directory, array_id=ARRAY, on_version=told.append)
        copy.open()
        return copy

    fill(bench, 2)
    copy = opened()
    copy.receive_all(bench.shipped)
    common = copy.position
    copy.apply(common)
    bench.do(lambda connection: connection.execute("PRAGMA user_version = 7"))
    copy.receive(*bench.shipped[-1])
    assert told == [0, 7]
    copy.close()
    copy = opened()
    assert told == [0, 7, 0, 7]
    copy.rewind(common)
    assert told == [0, 7, 0, 7, 0]
    copy.close()
    directory.close()


def test_segments_for_a_peer_come_with_their_envelopes(bench: Bench, follower: Follower) -> None:
    fill(bench, 6)
    follower.take(bench.shipped[:3])
    since = follower.copy.position
    array, node = bench.shipped[0][0].array_id, bench.shipped[0][0].node_id
    again = list(bench.directory.segments(since, bench.writer.position.txid, array, node))
    assert again == bench.shipped[3:]
    follower.take(again)
    bench.directory.path(2, 2).unlink()
    assert len(list(bench.directory.segments(Position(0, 0), 7, array, node))) == 1, "it ends where a file is gone"


def test_apply_notices_that_the_array_went_another_way(bench: Bench, follower: Follower) -> None:
    fill(bench, 1)
    follower.take(bench.shipped, apply=False)
    with pytest.raises(NeedsResync):
        follower.copy.apply(Position(2, 5))


def test_a_segment_that_shrinks_the_database_shrinks_the_file(bench: Bench, follower: Follower) -> None:
    """The writer never makes one (no VACUUM), a store that stock tools have touched may."""
    fill(bench, 30)
    follower.take(bench.shipped)
    before, first = follower.copy.position, follower.db.read_bytes()[:4096]
    header = Header(4096, 2, before.txid + 1, before.txid + 1, 2**41, 1)
    second = b"x" * 4096
    post = page_sum(1, first) ^ page_sum(2, second) | HIGH_BIT
    envelope = Envelope(ARRAY, 1, 1, header.min_txid, header.max_txid, before.checksum, post, header.timestamp)
    follower.take([(envelope, encode(header, [(2, second)]))])
    assert follower.db.read_bytes() == first + second
    assert follower.open() == envelope.after


def test_the_promoted_database_is_served_by_sqlite(bench: Bench, follower: Follower) -> None:
    fill(bench, 4)
    follower.take(bench.shipped)
    follower.db.with_name("store.db-wal").write_bytes(b"stale")
    state = follower.copy.promote()
    assert state.position == bench.writer.position
    assert not follower.db.with_name("store.db-wal").exists()
    assert rows(follower.db) == bench.rows()
