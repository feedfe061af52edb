"""The page at 1 GiB that SQLite locks bytes of and never stores (REPLICATION.md section 1; section 7, item 3)."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fa.core.position import EMPTY, Position
from fa.replication import checksum
from fa.replication.checksum import PageSums, lock_page, scan
from fa.replication.directory import ReplicaDirectory
from fa.replication.litestream import find_program
from fa.replication.restore import restore
from fa.replication.resync import file_sums, install
from fa.replication.segment import Header, decode, encode
from fa.replication.snapshot import make_snapshot, write_diff
from fa.replication.state import PAGE_SIZE
from fa.replication.transfer import Kind, announce
from tests.replication.conftest import ARRAY, Follower

LOCK = 5


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock page at page 5 of a database with 4096-byte pages, so that no gigabyte is needed."""
    monkeypatch.setattr(checksum, "PENDING_BYTE", (LOCK - 1) * PAGE_SIZE)
    assert lock_page(PAGE_SIZE) == LOCK


def image(pages: int, fill: int) -> dict[int, bytes]:
    return {number: bytes([fill + number]) * PAGE_SIZE for number in range(1, pages + 1) if number != LOCK}


def directory_with(root: Path, states: list[tuple[dict[int, bytes], int]]) -> ReplicaDirectory:
    directory, sums = ReplicaDirectory(root), PageSums(PAGE_SIZE)
    for txid, (pages, commit) in enumerate(states, 1):
        header = Header(PAGE_SIZE, commit, txid, txid, txid, 1)
        directory.write(header, encode(header, sorted(pages.items())))
        sums.replace(sorted(pages.items()), commit)
        directory.chain.append(Position(txid, sums.checksum), 1)
    return directory


@pytest.mark.usefixtures("near")
def test_it_is_left_out_of_snapshots_restores_diffs_and_sums(fast_home: Path) -> None:
    before, after = image(3, 10), image(8, 60)
    directory = directory_with(fast_home / "replica", [(before, 3), (after, 8)])
    expected = b"".join(after.get(number, bytes(PAGE_SIZE)) for number in range(1, 9))
    assert restore(directory, fast_home / "out").proved
    assert (fast_home / "out").read_bytes() == expected
    snapshot = decode(make_snapshot(directory, 2).path.read_bytes())
    assert [number for number, _ in snapshot.pages] == [1, 2, 3, 4, 6, 7, 8]
    sums = scan(lambda size, offset: expected[offset : offset + size], PAGE_SIZE, len(expected))
    position = directory.chain.last
    assert sums.checksum == position.checksum
    follower = Follower(fast_home / "b")
    follower.db.write_bytes(b"\1" * PAGE_SIZE * 8)
    follower.copy.close()
    assert write_diff(directory, position, file_sums(follower.db), fast_home / "diff") == 7
    found = announce(Kind.DIFF, fast_home / "diff", ARRAY, position, 1)
    install(follower.db, follower.directory, ARRAY, found, fast_home / "diff", EMPTY)
    assert follower.open() == position
    assert follower.copy.scrub() == []
    follower.close()


@pytest.fixture
def roomy(tmp_path: Path) -> Iterator[Path]:
    if shutil.disk_usage(tmp_path).free < 4 << 30:
        pytest.skip("needs 4 GB of free disk")
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.slow  # writes two databases of 1 GiB: half a minute on a quiet machine
def test_the_stock_tool_agrees_beyond_one_gibibyte(roomy: Path) -> None:
    size = 65536
    number = lock_page(size)
    assert number == 16385
    directory, blank = ReplicaDirectory(roomy / "replica"), bytes(size)
    header = Header(size, number + 2, 1, 1, 1_700_000_000_000, 1)
    directory.write(header, encode(header, ((n, blank) for n in range(1, number + 3) if n != number)))
    header = Header(size, number + 2, 2, 2, 1_700_000_000_001, 1)
    directory.write(header, encode(header, [(number - 1, b"a" * size), (number + 1, b"b" * size)]))
    command = [str(find_program()), "restore", "-o", str(roomy / "stock"), directory.root.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=280)
    restore(directory, roomy / "ours")
    assert filecmp.cmp(roomy / "stock", roomy / "ours", shallow=False)
