"""A damaged file in the replica directory: compaction goes on, and another node can be given a copy."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fa.core.position import EMPTY
from fa.replication import rebase
from fa.replication.directory import SNAPSHOTS, ReplicaDirectory
from fa.replication.errors import HistoryChanged, LineageBroken, SegmentCorrupt
from fa.replication.merge import Merged
from fa.replication.restore import restore, restore_nothing
from fa.replication.resync import install
from fa.replication.retention import DAY, HOUR, Keeper
from fa.replication.secondary import Copy
from fa.replication.segment import Header, encode
from fa.replication.snapshot import snapshot_for_peer
from fa.replication.state import PAGE_SIZE
from fa.replication.transfer import Kind, announce
from fa.replication.writer import Limits, Writer
from tests.e2e import disks
from tests.replication.conftest import ARRAY, Bench, Follower, insert, wait_for


def now() -> int:
    return time.time_ns() // 1_000_000


def damage(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


@pytest.fixture
def bench(fast_home: Path) -> Bench:
    """A coordinator whose marker follows at once."""
    made = Bench(fast_home / "a", limits=Limits(wal_seconds=0, retry_seconds=0.01))
    made.writer.open_epoch(1)
    write(made, 20)
    return made


def write(bench: Bench, count: int) -> None:
    for _ in range(count):
        bench.do(insert(f"{len(bench.shipped)}" * 3000))
    wait_for(lambda: bench.writer.checkpointed == bench.writer.position.txid)


def keeper_of(directory: ReplicaDirectory, held: Writer | Copy) -> Keeper:
    return Keeper(directory, read=held.read_pages)


def test_a_coordinator_goes_on_with_a_damaged_segment(bench: Bench, follower: Follower, fast_home: Path) -> None:
    keeper, directory = keeper_of(bench.directory, bench.writer), bench.directory
    damage(directory.path(5, 5))
    with pytest.raises(SegmentCorrupt):
        keeper.keep(bench.writer.checkpointed, now() + DAY)
    with pytest.raises(SegmentCorrupt):
        snapshot_for_peer(directory, bench.writer.acknowledged.txid)
    assert keeper.mend(bench.writer.checkpointed, lambda: bench.writer.acknowledged.txid)
    at = bench.writer.acknowledged
    assert [file.max_txid for file in directory.files(SNAPSHOTS)] == [at.txid]
    assert restore(directory, fast_home / "now").position == at
    assert (fast_home / "now").read_bytes() == bench.db.read_bytes()
    assert restore_nothing(directory, 4).proved
    with pytest.raises(LineageBroken, match="from segment 4 to segment 9"):
        restore_nothing(directory, 9)
    assert not keeper.mend(bench.writer.checkpointed, lambda: at.txid), "all is well now"
    for _ in range(3):
        write(bench, 10)
        keeper.keep(bench.writer.checkpointed, now() + 2 * HOUR)
    assert len(directory.files(0)) < 10

    file, position, epoch = snapshot_for_peer(directory, bench.writer.acknowledged.txid)
    told = announce(Kind.SNAPSHOT, file.path, ARRAY, position, epoch)
    received = follower.directory.root / "incoming"
    received.write_bytes(file.path.read_bytes())
    follower.copy.close()
    install(follower.db, follower.directory, ARRAY, told, received, EMPTY)
    assert follower.copy.open() == position
    bench.close()


def test_commits_and_checkpoints_go_on_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebase, "BATCH", 3)
    reads = 0

    def read(first: int, count: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads < 6:
            bench.sql("UPDATE t SET a = a || ?", f"{reads}")
            write(bench, 2)
        return bench.writer.read_pages(first, count)

    marked = bench.writer.checkpointed
    file = rebase.new_base(bench.directory, read, marked, lambda: bench.writer.acknowledged.txid)
    assert reads > 6
    assert file.max_txid == bench.writer.acknowledged.txid > marked
    assert restore_nothing(bench.directory).position == bench.writer.acknowledged
    bench.close()


@pytest.mark.parametrize("level", [1, SNAPSHOTS])
def test_a_secondary_goes_on_without_a_compacted_file(bench: Bench, follower: Follower, level: int) -> None:
    follower.take(bench.shipped)
    copy, directory = follower.copy, follower.directory
    keeper = keeper_of(directory, copy)
    copy.settle()
    keeper.keep(copy.marker.txid, now() + 2 * HOUR)
    if level == SNAPSHOTS:
        rebase.new_base(directory, copy.read_pages, copy.marker.txid, lambda: copy.applied.txid)
    write(bench, 3)
    follower.take(bench.shipped[copy.position.txid :])
    damage(directory.files(level)[0].path)
    for lower in range(1, 4):
        for file in directory.files(lower):
            damage(file.path)
    copy.settle()
    assert keeper.mend(copy.marker.txid, lambda: copy.applied.txid)
    assert restore_nothing(directory).position == copy.position
    assert not list(directory.root.glob("*.copy"))
    bench.close()


def test_what_a_start_needs_is_left(bench: Bench, follower: Follower) -> None:
    follower.take(bench.shipped)
    copy, directory = follower.copy, follower.directory
    marker = copy.settle().txid
    damage(directory.path(marker, marker))
    assert not keeper_of(directory, copy).mend(marker, lambda: marker)
    assert directory.path(marker, marker).exists()
    bench.close()


def test_a_rotten_file_is_no_base(bench: Bench, follower: Follower) -> None:
    follower.take(bench.shipped)
    copy, directory = follower.copy, follower.directory
    copy.settle()
    damage(directory.path(5, 5))
    with follower.db.open("r+b") as file:
        file.seek(2 * PAGE_SIZE)
        file.write(b"#ROT#")
    with pytest.raises(LineageBroken, match="does not give what was recorded"):
        keeper_of(directory, copy).mend(copy.marker.txid, lambda: copy.applied.txid)
    assert not directory.files(SNAPSHOTS)
    assert not list(directory.root.glob("*.copy"))
    bench.close()


@pytest.mark.parametrize("when", ["while it is compacted", "while it is pruned"])
def test_a_resynchronisation_gets_nothing_of_the_old_history(
    bench: Bench, follower: Follower, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """It moves all segments away, in another thread than that which compacts them."""
    follower.take(bench.shipped)
    marker, directory = follower.copy.settle().txid, follower.directory
    keeper = Keeper(directory)

    def cut(*arguments: object) -> None:
        if directory.files(0):
            directory.quarantine(0)
            header = Header(PAGE_SIZE, 1, 1, 1, 1)
            directory.write(header, encode(header, [(1, bytes(PAGE_SIZE))]))  # of the new history

    if when == "while it is compacted":
        encoded = Merged.encoded

        def late(self: Merged) -> Iterator[bytes]:
            yield from encoded(self)
            cut()

        monkeypatch.setattr(Merged, "encoded", late)
    else:
        monkeypatch.setattr(Keeper, "_prune_snapshots", cut)
    with pytest.raises(HistoryChanged):
        keeper.keep(marker, now() + 2 * HOUR)
    assert [(file.level, file.max_txid) for file in directory.all_files()] == [(0, 1)]
    bench.close()


READ = """
import sys
from pathlib import Path
from fa.replication.merge import MappedSegment
try:
    with MappedSegment(Path(sys.argv[1])) as segment:
        print(len(list(segment.pages())))
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.skipif(bool(disks.missing()), reason=disks.missing())
def test_a_disk_that_cannot_read_a_segment_does_not_kill_the_process(tmp_path: Path) -> None:
    """A bad sector beneath a mapped file is a SIGBUS: the node died each time it compacted."""
    disk = disks.Disk(tmp_path / "disk", tmp_path / "mount")
    try:
        segment = disk.mountpoint / "x"
        segment.write_bytes(encode(Header(512, 2, 2, 2, 1), [(1, bytes(512)), (2, bytes(512))]))
        with segment.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        disk.set(errors={"read": errno.EIO})
        ran = subprocess.run([sys.executable, "-c", READ, str(segment)], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout) == (0, "Input/output error\n")
    finally:
        disk.close()


def test_an_empty_directory_is_no_base(follower: Follower) -> None:
    with pytest.raises(LineageBroken, match="nothing yet"):
        rebase.new_base(follower.directory, follower.copy.read_pages, 0, lambda: 0)
