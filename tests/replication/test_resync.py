"""Seeding a new copy, repairing one by page diff, and all that can go wrong on the way."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fa.core.position import EMPTY, Position
from fa.replication.errors import CopyDamaged, CopyError, OtherArray, SegmentCorrupt, SegmentTruncated, WrongPost
from fa.replication.litestream import verify
from fa.replication.resync import file_sums, install
from fa.replication.segment import decode
from fa.replication.snapshot import snapshot_for_peer, write_diff
from fa.replication.state import Mark, MarkFile
from fa.replication.transfer import CHUNK_BYTES, Announcement, Kind, Receiver, announce, chunks
from tests.replication.conftest import ARRAY, OTHER_ARRAY, Bench, Follower, insert


def fill(bench: Bench, count: int, text: str = "x") -> None:
    for number in range(count):
        bench.do(insert(f"{text}{number}" * 400))


def send(source: Path, announcement: Announcement, target: Path) -> Path:
    receiver = Receiver(Announcement.from_bytes(announcement.to_bytes()), target)
    assert [receiver.take(chunk) for chunk in chunks(source)][-1]
    return receiver.finish()


def snapshot(bench: Bench, target: Path) -> tuple[Announcement, Path]:
    file, position, epoch = snapshot_for_peer(bench.directory, bench.writer.position.txid)
    announcement = announce(Kind.SNAPSHOT, file.path, ARRAY, position, epoch)
    return announcement, send(file.path, announcement, target)


def diff(bench: Bench, follower: Follower, target: Path) -> tuple[Announcement, Path, int]:
    """What the coordinator makes of a closed copy's page sums."""
    position = bench.writer.position
    made = bench.home / "diff.ltx"
    count = write_diff(bench.directory, position, file_sums(follower.db), made)
    epoch = bench.directory.chain.epoch(position.txid)
    assert epoch
    announcement = announce(Kind.DIFF, made, ARRAY, position, epoch)
    return announcement, send(made, announcement, target), count


def test_a_new_copy_is_seeded_while_the_writer_goes_on(bench: Bench, follower: Follower) -> None:
    fill(bench, 30)
    announcement, received = snapshot(bench, follower.home / "incoming")
    fill(bench, 5, "meanwhile")
    follower.copy.close()
    install(follower.db, follower.directory, ARRAY, announcement, received, EMPTY)
    assert not received.exists()
    assert MarkFile(follower.db).read() is Mark.OK
    assert follower.open() == announcement.position
    follower.take(bench.directory.segments(announcement.position, bench.writer.position.txid, ARRAY, 1))
    assert follower.copy.position == bench.writer.position
    bench.close()
    assert follower.db.read_bytes() == bench.db.read_bytes()
    report = verify(follower.directory)
    assert report.identical
    assert report.rows["t"] == 35


def test_a_snapshot_is_used_again_while_segments_lead_on_from_it(bench: Bench) -> None:
    fill(bench, 10)
    first = snapshot_for_peer(bench.directory, 11)[0]
    fill(bench, 3, "later")
    assert snapshot_for_peer(bench.directory, 14)[0] == first
    bench.directory.path(12, 12).unlink()
    shutil.copy(bench.directory.path(13, 13), bench.home / "kept")
    with pytest.raises(Exception, match="Nothing in the replica directory leads"):
        snapshot_for_peer(bench.directory, 14)


def test_a_diverged_copy_is_repaired_by_the_pages_that_differ(fast_home: Path) -> None:
    old = Bench(fast_home / "a")
    old.writer.open_epoch(1)
    fill(old, 40)
    follower = Follower(fast_home / "b")
    follower.take(old.shipped)
    common = old.writer.position
    fill(old, 3, "never acknowledged elsewhere")
    old.close()
    new = follower.lead(epoch=2)
    fill(new, 3, "new")
    back = Follower(fast_home / "a")
    back.copy.close()
    announcement, received, count = diff(new, back, back.home / "incoming")
    assert 0 < count < 20
    install(back.db, back.directory, ARRAY, announcement, received, common)
    assert back.open() == new.writer.position
    assert back.directory.chain.at(common.txid) == common, "the common history is kept for restores"
    fill(new, 2, "later")
    back.take(new.directory.segments(back.copy.position, new.writer.position.txid, ARRAY, 1))
    new.close()
    assert back.db.read_bytes() == new.db.read_bytes()
    assert verify(back.directory).identical
    assert verify(back.directory, txid=common.txid).rows["t"] == 40
    back.close()


def test_a_rotten_page_is_found_by_the_scrub_and_repaired_by_a_diff(bench: Bench, follower: Follower) -> None:
    fill(bench, 20)
    follower.take(bench.shipped[:-1])
    follower.take(bench.shipped[-1:], apply=False)
    assert follower.copy.scrub() == []
    with follower.db.open("r+b") as file:
        file.seek(4 * 4096 + 7)
        file.write(b"rot")
    assert follower.copy.scrub() == [5]
    follower.copy.close()
    announcement, received, count = diff(bench, follower, follower.home / "incoming")
    waiting = {number for number, _ in decode(bench.shipped[-1][1]).pages}
    assert count == len(waiting | {5})
    install(follower.db, follower.directory, ARRAY, announcement, received, EMPTY)
    assert follower.open() == bench.writer.position
    assert follower.copy.scrub() == []


def test_an_empty_copy_can_be_seeded_by_a_diff_too(bench: Bench, follower: Follower) -> None:
    follower.copy.close()
    announcement, received, count = diff(bench_at_first(bench), follower, follower.home / "incoming")
    assert count == announcement.position.txid * count
    install(follower.db, follower.directory, ARRAY, announcement, received, EMPTY)
    assert follower.open() == announcement.position


def bench_at_first(bench: Bench) -> Bench:
    bench.wait_shipped(1)
    assert bench.writer.position.txid == 1
    return bench


def test_an_interrupted_resync_leaves_the_mark(bench: Bench, follower: Follower) -> None:
    fill(bench, 5)
    follower.take(bench.shipped[:3])
    follower.copy.close()
    announcement, received = snapshot(bench, follower.home / "incoming")
    raw = bytearray(received.read_bytes())
    raw[len(raw) // 2] ^= 255
    received.write_bytes(raw)
    with pytest.raises((SegmentCorrupt, WrongPost)):
        install(follower.db, follower.directory, ARRAY, announcement, received, EMPTY)
    assert MarkFile(follower.db).read() is Mark.RESYNCING
    with pytest.raises(CopyDamaged, match="marked resyncing"):
        follower.open()
    with pytest.raises(CopyError, match="not open"):
        follower.copy.receive(*bench.shipped[0])
    assert follower.copy.settle() == EMPTY
    announcement, received = snapshot(bench, follower.home / "incoming")
    install(follower.db, follower.directory, ARRAY, announcement, received, EMPTY)
    assert follower.open() == bench.writer.position


def test_a_diff_against_something_else_is_noticed(bench: Bench, follower: Follower) -> None:
    fill(bench, 5)
    follower.take(bench.shipped)
    follower.copy.close()
    announcement, received, _ = diff(bench, follower, follower.home / "incoming")
    with follower.db.open("r+b") as file:
        file.write(b"changed since")
    with pytest.raises(WrongPost, match="whole snapshot"):
        install(follower.db, follower.directory, ARRAY, announcement, received, EMPTY)
    assert MarkFile(follower.db).read() is Mark.RESYNCING


def test_another_arrays_snapshot_is_refused(bench: Bench, follower: Follower) -> None:
    follower.copy.close()
    announcement, received = snapshot(bench_at_first(bench), follower.home / "incoming")
    with pytest.raises(OtherArray):
        install(follower.db, follower.directory, OTHER_ARRAY, announcement, received, EMPTY)
    assert MarkFile(follower.db).read() is Mark.OK


def test_pieces_are_checked_and_can_be_resumed(fast_home: Path) -> None:
    source = fast_home / "s"
    source.write_bytes(bytes(range(256)) * 4000)
    announcement = announce(Kind.SNAPSHOT, source, ARRAY, Position(9, 1 << 63), 3)
    pieces = list(chunks(source))
    assert len(pieces) == -(-1_024_000 // CHUNK_BYTES)
    receiver = Receiver(announcement, fast_home / "r")
    assert not receiver.take(pieces[0])
    for bad in (pieces[0], pieces[2], pieces[1][:-1], pieces[1][:-1] + b"\0", pieces[1][:5], b""):
        with pytest.raises(SegmentCorrupt):
            receiver.take(bad)
    with pytest.raises(SegmentTruncated):
        receiver.finish()
    rest = list(chunks(source, receiver.offset))
    assert [receiver.take(piece) for piece in rest][-1]
    with pytest.raises(SegmentCorrupt, match="longer"):
        receiver.take(next(chunks(source))[:0] + _past_the_end(source))
    assert receiver.finish().read_bytes() == source.read_bytes()


def _past_the_end(source: Path) -> bytes:
    longer = source.with_name("longer")
    longer.write_bytes(source.read_bytes() + b"more")
    return next(chunks(longer, source.stat().st_size))


def test_an_announcement_with_a_flipped_bit_is_refused() -> None:
    raw = Announcement(Kind.DIFF, ARRAY, Position(9, 1 << 63), 3, 77, 5).to_bytes()
    for position in range(len(raw)):
        damaged = bytearray(raw)
        damaged[position] ^= 2
        with pytest.raises(SegmentCorrupt):
            Announcement.from_bytes(bytes(damaged))
    with pytest.raises(SegmentTruncated):
        Announcement.from_bytes(raw[:-1])
