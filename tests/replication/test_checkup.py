"""A node looks at all that it has of the store: whatever is wrong with it is found, and told as a sentence."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from fa.core.position import Position
from fa.errors import Unavailable
from fa.replication import checkup
from fa.replication.checkup import Checkup, examine
from fa.replication.errors import StockToolFailed
from fa.replication.state import PAGE_SIZE
from tests.replication.conftest import Bench, Follower, insert, wait_for


class Pair:
    """A coordinator and its secondary, in lock-step."""

    def __init__(self, bench: Bench, follower: Follower) -> None:
        self.bench, self.follower = bench, follower
        for number in range(30):
            bench.do(insert(f"{number:03}" * 300))
        follower.take(bench.shipped)
        self.at = bench.writer.position

    def leader(self, at: Position | None = None) -> Checkup:
        return examine(self.bench.directory, at or self.at, 0, self.bench.writer.scrub)

    def secondary(self, at: Position | None = None) -> Checkup:
        return examine(self.follower.directory, at or self.at, 0, self.follower.copy.scrub)


@pytest.fixture
def pair(bench: Bench, follower: Follower) -> Iterator[Pair]:
    yield Pair(bench, follower)


def flip(path: Path, at: int) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def test_both_are_well(pair: Pair) -> None:
    for found in (pair.leader(), pair.secondary()):
        assert not found.problems
        assert found.restored
        assert found.litestream == "identical"
        assert found.rows["t"] == 30
        assert found.files == 31
        assert found.checksum == f"{pair.at.checksum:016x}"


def test_a_page_of_the_secondary_rotted(pair: Pair) -> None:
    flip(pair.follower.db, 3 * PAGE_SIZE + 99)
    found = pair.secondary()
    assert found.rotten == [4]
    assert [problem for problem in found.problems if "(4): the disk rots. Restart this node" in problem]
    assert not pair.leader().problems


def test_a_page_of_the_coordinator_rotted(fast_home: Path, follower: Follower) -> None:
    """It is told, and the coordinator goes on: that it stops is for the scrub."""
    bench = Bench(fast_home / "a")
    bench.writer.open_epoch(1)
    for number in range(30):
        bench.do(insert(f"{number:03}" * 300))
    bench.close()
    again = Bench(fast_home / "a")
    again.writer.open_epoch(2)
    wait_for(lambda: again.shipped)
    flip(again.db, 3 * PAGE_SIZE + 99)
    found = examine(again.directory, again.writer.position, 0, again.writer.scrub)
    assert found.rotten == [4]
    assert not again.dead
    again.close()


@pytest.mark.parametrize("txid", [3, 20, 31])
def test_a_damaged_segment_is_found_also_where_no_restore_of_now_reads_it(pair: Pair, txid: int) -> None:
    directory = pair.follower.directory
    name = directory.path(txid, txid).relative_to(directory.root)
    flip(directory.path(txid, txid), 150)
    found = pair.secondary()
    assert found.damaged == [str(name)]
    assert any(str(name) in problem and f"transactions {txid} to {txid}" in problem for problem in found.problems)


def test_a_copy_that_went_another_way(pair: Pair) -> None:
    found = pair.secondary(replace(pair.at, checksum=pair.at.checksum ^ 1))
    assert "the copies differ" in found.problems[0]
    assert found.checksum == f"{pair.at.checksum:016x}", "its own"


def test_a_copy_that_lags(pair: Pair) -> None:
    pair.bench.do(insert("more"))
    assert "does not hold transaction 32" in pair.secondary(pair.bench.writer.position).problems[0]


def test_a_missing_segment(pair: Pair) -> None:
    pair.follower.directory.path(9, 9).unlink()
    assert pair.secondary().problems


@pytest.mark.parametrize("trouble", [Unavailable("just being replaced"), OSError(5, "Input/output error")])
def test_what_cannot_be_read_is_told_and_the_rest_is_looked_at(pair: Pair, trouble: Exception) -> None:
    def broken() -> list[int]:
        raise trouble

    found = examine(pair.follower.directory, pair.at, 0, broken)
    assert found.problems == [str(trouble)]
    assert found.restored


def test_a_look_fills_no_disk(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two copies of the store are made for it: a coordinator without room takes no jobs."""
    pages = 1000
    needed = 2 * pages * PAGE_SIZE + (16 << 20)
    for free in (needed - 1, needed):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        found = examine(pair.follower.directory, pair.at, pages, pair.follower.copy.scrub)
        assert found.restored == (free == needed)
        assert len(found.problems) == (free < needed)
        assert all(told.startswith("It was not restored: that takes 23 MiB of room in ") for told in found.problems)


def test_without_the_stock_tool_our_own_restore_counts(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise StockToolFailed("The program `litestream` was not found.")

    monkeypatch.setattr(checkup, "find_program", nowhere)
    found = pair.secondary()
    assert (found.problems, found.restored, found.litestream) == ([], True, "not installed")
    pair.follower.directory.path(9, 9).unlink()
    assert pair.secondary().problems


def test_commits_go_on_while_the_file_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two slices one fits in."""
    for number in range(300):
        bench.do(insert(f"{number:03}" * 300))
    look: Callable[..., tuple[list[int], int]] = bench.writer._rot.look
    before: list[int] = []

    def slow(*arguments: int) -> tuple[list[int], int]:
        before.append(bench.writer.position.txid)
        bench.begin(insert(f"between {len(before)}"))
        return look(*arguments)

    monkeypatch.setattr(bench.writer._rot, "look", slow)
    assert bench.writer.scrub() == []
    assert len(before) > 1
    assert before[-1] > before[0]
