"""Compaction and retention never leave a hole, and never more files than the stock tool can open (items 4 and 5)."""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
import resource
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fa.core.position import Position
from fa.replication import directory
from fa.replication.checksum import PageSums
from fa.replication.directory import SNAPSHOTS, ReplicaDirectory
from fa.replication.errors import CopyDamaged, LineageBroken, SegmentCorrupt
from fa.replication.litestream import find_program
from fa.replication.merge import Merged
from fa.replication.plan import newest_txid, restore_plan
from fa.replication.restore import restore
from fa.replication.retention import DAY, HOUR, MINUTE, Keeper, Policy
from fa.replication.segment import Header, decode, encode
from fa.replication.snapshot import make_snapshot

SECOND = 1000
START = 1_700_000_000_000
PAGE = 512


class History:
    """A directory that grows by made-up transactions over a small database of 512-byte pages."""

    def __init__(self, root: Path, seed: int) -> None:
        self.directory = ReplicaDirectory(root)
        self.random = random.Random(seed)
        self.pages: dict[int, bytes] = {}
        self.sums = PageSums(PAGE)
        self.states: dict[int, bytes] = {0: b""}
        self.times: dict[int, int] = {}
        self.txid, self.now = 0, START

    def commit(self) -> None:
        self.txid += 1
        commit = max(1, len(self.pages) + self.random.randint(-2, 3))
        grown = range(len(self.pages) + 1, commit + 1)
        chosen = {*grown, *self.random.sample(range(1, commit + 1), min(commit, 2))}
        changed = [(number, self.random.randbytes(8) * (PAGE // 8)) for number in sorted(chosen)]
        self.pages = {n: page for n, page in (self.pages | dict(changed)).items() if n <= commit}
        self.sums.replace(changed, commit)
        header = Header(PAGE, commit, self.txid, self.txid, self.directory.next_timestamp(self.now), 1)
        self.directory.write(header, encode(header, changed), sync=False)
        self.directory.chain.append(Position(self.txid, self.sums.checksum), 1)
        self.states[self.txid] = b"".join(self.pages[n] for n in sorted(self.pages))
        self.times[self.txid] = header.timestamp

    def run(self, seconds: int, commits: int) -> None:
        for _ in range(commits):
            self.now += self.random.randint(0, 2 * seconds * SECOND // commits)
            self.commit()


@pytest.fixture
def history(fast_home: Path) -> History:
    return History(fast_home / "replica", seed=7)


def test_levels_fill_and_every_kept_boundary_restores(history: History, fast_home: Path) -> None:
    keeper = Keeper(history.directory)
    oldest_singles = []
    for round_number in range(20):
        history.run(seconds=480, commits=12)
        up_to = history.txid - history.random.randint(0, 3)
        keeper.keep(up_to, history.now)
        singles = history.directory.files(0)
        oldest_singles.append(singles[0].mtime_ms)
        assert singles[-1].max_txid == history.txid
        assert all(later.min_txid == one.max_txid + 1 for one, later in itertools.pairwise(singles))
        assert len(restore_plan(history.directory.all_files(), history.txid)) < 60
        if round_number % 5 == 0:
            assert restore(history.directory, fast_home / f"r{round_number}", history.txid).proved
            assert (fast_home / f"r{round_number}").read_bytes() == history.states[history.txid]
    levels = {level: history.directory.files(level) for level in range(10)}
    assert levels[1] and levels[2] and levels[3]
    assert history.now - HOUR - 10 * MINUTE < oldest_singles[-1] < history.now - HOUR + 10 * MINUTE
    for file in history.directory.all_files():
        out = fast_home / f"x{file.level}-{file.max_txid}"
        if not out.exists():
            restore(history.directory, out, file.max_txid)
            assert out.read_bytes() == history.states[file.max_txid]


def test_the_newest_and_the_markers_segment_stay_for_ever(history: History) -> None:
    keeper = Keeper(history.directory)
    history.run(seconds=60, commits=20)
    keeper.keep(history.txid, history.now + 30 * DAY)
    keeper.keep(history.txid, history.now + 60 * DAY)
    assert [file.max_txid for file in history.directory.files(0)] == [history.txid]


def test_a_hole_that_a_resynchronisation_left_is_not_compacted_over(history: History, fast_home: Path) -> None:
    history.run(seconds=60, commits=12)
    make_snapshot(history.directory, 9)
    for txid in range(5, 10):
        history.directory.path(txid, txid).unlink()
    Keeper(history.directory).keep(12, history.now + 2 * HOUR)
    compacted = [file for level in (1, 2, 3) for file in history.directory.files(level)]
    assert {(file.min_txid, file.max_txid) for file in compacted} == {(1, 4), (10, 12)}
    for txid in (4, 9, 12):
        assert restore(history.directory, fast_home / f"r{txid}", txid).proved


def test_what_was_quarantined_goes_with_the_history(history: History) -> None:
    keeper = Keeper(history.directory)
    history.run(seconds=60, commits=5)
    shelf = history.directory.root / "quarantine"
    assert len(history.directory.quarantine(3)) == 2
    assert len(history.directory.quarantine(3)) == 0
    keeper.keep(3, history.now + 6 * DAY)
    assert len(list(shelf.iterdir())) == 2
    keeper.keep(3, history.now + 8 * DAY)
    assert not list(shelf.iterdir())


def test_what_was_quarantined_does_not_come_back_after_a_power_cut(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resynchronisation moves everything: a file of the old history must not lie in any level again."""
    history.run(seconds=600, commits=30)
    Keeper(history.directory).keep(history.txid, history.now + HOUR)
    make_snapshot(history.directory, history.txid)
    synced: list[Path] = []
    monkeypatch.setattr(directory, "sync_folder", synced.append)
    history.directory.quarantine(0)
    assert {int(path.name) for path in synced if path.parent.name == "ltx"} == {0, 1, 2, 3, SNAPSHOTS}


def test_what_is_not_acknowledged_is_not_compacted(history: History) -> None:
    history.run(seconds=60, commits=20)
    Keeper(history.directory).keep(5, history.now + DAY)
    assert newest_txid(history.directory.files(1)) == 5
    assert [file.max_txid for file in history.directory.files(0)] == list(range(5, 21))


def test_what_is_acknowledged_is_compacted_before_a_checkpoint_but_not_pruned(history: History) -> None:
    """The marker of a coordinator moves once a minute; a restore of its directory opens few files all the same."""
    keeper = Keeper(history.directory)
    history.run(seconds=20, commits=1500)
    for _ in range(3):
        history.now += 2 * HOUR
        keeper.keep(100, history.now, gather_to=1490)
    assert len(restore_plan(history.directory.all_files(), history.txid)) < 60
    assert [file.min_txid for file in history.directory.files(0)] == list(range(100, 1501))
    assert max(file.max_txid for file in history.directory.files(1)) == 1490


def test_a_busy_store_keeps_a_bounded_number_of_files(history: History) -> None:
    history.run(seconds=10, commits=700)
    Keeper(history.directory, dataclasses.replace(Policy(), singles=100)).keep(history.txid, history.now)
    assert len(history.directory.files(1)) == 2, "two times 256 are full; the rest is young"
    singles = history.directory.files(0)
    assert singles[0].max_txid == 513, "188 are too many, but only what is compacted may go"
    restore(history.directory, history.directory.root / "x")


def test_only_what_is_new_in_a_directory_is_looked_at(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.run(seconds=60, commits=20)
    first = history.directory.files(0)
    looked: list[str] = []
    look = directory._look_at

    def counted(entry: os.DirEntry[str], level: int) -> directory.SegmentFile | None:
        looked.append(entry.name)
        return look(entry, level)

    monkeypatch.setattr(directory, "_look_at", counted)
    history.commit()
    first[3].path.unlink()
    changed = first[5].path.with_name("aside")
    changed.write_bytes(first[5].path.read_bytes() + b"more")
    changed.replace(first[5].path)
    found = history.directory.files(0)
    assert sorted(looked) == [first[5].path.name, f"{21:016x}-{21:016x}.ltx"]
    assert [file.min_txid for file in found] == [*range(1, 4), *range(5, 22)]
    assert found[4].size == first[5].size + 4, "another file of that name"


def test_a_snapshot_comes_when_the_log_outgrows_the_database(history: History, fast_home: Path) -> None:
    keeper = Keeper(history.directory, dataclasses.replace(Policy(), snapshot_log_bytes=20_000))
    history.run(seconds=10, commits=100)
    keeper.keep(history.txid, history.now)
    (snapshot,) = history.directory.files(SNAPSHOTS)
    assert snapshot.max_txid == 100
    assert restore_plan(history.directory.all_files(), 100) == [snapshot]
    keeper.keep(history.txid, history.now + 1)
    assert len(history.directory.files(SNAPSHOTS)) == 1
    assert len(history.directory.files(0)) == 100, "young segments stay: peers catch up from them"


def test_old_history_is_forgotten_by_days(history: History) -> None:
    keeper = Keeper(history.directory)
    for _ in range(12):
        history.run(seconds=DAY // SECOND, commits=6)
        keeper.keep(history.txid, history.now)
        make_snapshot(history.directory, history.txid)
    keeper.keep(history.txid, history.now)
    snapshots = history.directory.files(SNAPSHOTS)
    assert 6 <= len(snapshots) <= 9
    floor = snapshots[0].max_txid
    assert floor > 10
    assert all(
        file.max_txid > floor or file.level == SNAPSHOTS for file in history.directory.all_files() if file.level == 3
    )
    for file in snapshots:
        restore(history.directory, history.directory.root / f"x{file.max_txid}", file.max_txid)


def test_a_history_shorter_than_that_of_a_level_leaves_nothing_behind(history: History) -> None:
    """Level 2 was kept for seven days, until a cover was as old; with a history of one day none ever was."""
    keeper = Keeper(history.directory, Policy(history=DAY, snapshot_files=8))
    for _ in range(100):
        history.run(seconds=3 * 3600, commits=3)
        keeper.keep(history.txid, history.now)
    assert history.directory.files(SNAPSHOTS)
    files = history.directory.all_files()
    assert min(file.mtime_ms for file in files if file.level < 3) > history.now - 2 * DAY
    for file in files:
        assert restore_plan(files, file.max_txid), "what is kept can be reached"


def test_a_clock_that_was_ahead_and_was_set_right(history: History, fast_home: Path) -> None:
    """Stamps only grow, so all that follow are of a year to come: nothing ever grew old, and no time led to them."""
    real = time.time_ns() // 1_000_000
    history.run(seconds=60, commits=9)
    history.now = real + 365 * DAY
    history.run(seconds=60, commits=20)
    history.now = real
    history.run(seconds=60, commits=20)
    assert history.times[49] > real + 364 * DAY
    restored = restore(history.directory, fast_home / "now", datetime.fromtimestamp(real / 1000 + 60, UTC))
    assert restored.position.txid == 49
    assert restored.time < datetime.now(UTC)
    for days in range(1, 10):
        history.commit()
        Keeper(history.directory, Policy(snapshot_files=2)).keep(history.txid, real + days * DAY)
    assert len(history.directory.files(0)) <= 2
    assert history.directory.files(SNAPSHOTS)
    history.directory.quarantine(history.txid - 1)
    history.directory.drop_quarantined(real + 10 * DAY)
    assert not list((history.directory.root / "quarantine").iterdir())


def test_the_stock_tool_restores_a_compacted_directory_under_ulimit_1024(history: History, fast_home: Path) -> None:
    """1,100 transactions as L9 + L1 + L0, older L0 gone."""
    keeper = Keeper(history.directory, dataclasses.replace(Policy(), singles=100))
    history.run(seconds=10, commits=300)
    keeper.keep(history.txid, history.now)
    make_snapshot(history.directory, 256)
    history.run(seconds=10, commits=800)
    keeper.keep(history.txid, history.now)
    plan = restore_plan(history.directory.all_files(), history.txid)
    assert {file.level for file in plan} == {0, 1, SNAPSHOTS}
    assert len(plan) < 500
    command = [str(find_program()), "restore", "-o", str(fast_home / "s"), history.directory.root.as_uri()]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))

    ran = subprocess.run(command, capture_output=True, preexec_fn=limit, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert (fast_home / "s").read_bytes() == history.states[history.txid]


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_our_compaction_is_read_by_the_stock_tool_at_every_page_size(fast_home: Path, page_size: int) -> None:
    directory = ReplicaDirectory(fast_home / "replica")
    pages = {number: bytes([number]) * page_size for number in (1, 2, 3)}
    for txid, (changed, commit) in enumerate([(pages, 3), ({1: b"x" * page_size}, 2), ({3: b"y" * page_size}, 3)], 1):
        header = Header(page_size, commit, txid, txid, START + txid, 1)
        directory.write(header, encode(header, sorted(changed.items())))
    with Merged(directory.files(0)) as merged:
        directory.write_pieces(merged.header, merged.encoded(), level=1)
    for file in directory.files(0):
        file.path.unlink()
    command = [str(find_program()), "restore", "-o", str(fast_home / "s"), directory.root.as_uri()]
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == 0
    assert (fast_home / "s").read_bytes() == b"x" * page_size + pages[2] + b"y" * page_size


def test_what_was_cut_off_and_grew_again_is_not_resurrected(fast_home: Path) -> None:
    directory = ReplicaDirectory(fast_home / "replica")
    a, b, c = (bytes([letter]) * 512 for letter in b"abc")
    for txid, (changed, commit) in enumerate([([(1, a), (2, b)], 2), ([(1, c)], 1), ([(1, a)], 2)], 1):
        header = Header(512, commit, txid, txid, START + txid, 1)
        directory.write(header, encode(header, changed))
    with Merged(directory.files(0)[:2]) as merged:
        assert decode(b"".join(merged.encoded())).pages == [(1, c)]
    with Merged(directory.files(0)) as merged:
        assert [number for number, _, _ in merged.pages()] == [1], "page 2 grew again and is in no segment"


def test_a_damaged_segment_is_not_compacted_into_a_good_looking_one(history: History) -> None:
    history.run(seconds=60, commits=9)
    victim = history.directory.path(5, 5)
    raw = bytearray(victim.read_bytes())
    raw[112] ^= 1  # inside the first page's LZ4 block: it still unpacks, to another page
    victim.write_bytes(raw)
    with pytest.raises(SegmentCorrupt, match=victim.name):
        Keeper(history.directory).keep(9, history.now + DAY)
    assert not history.directory.files(1)
    assert len(history.directory.files(0)) == 9


def test_a_hole_stops_a_plan_with_a_sentence(history: History) -> None:
    history.run(seconds=10, commits=9)
    history.directory.path(5, 5).unlink()
    with pytest.raises(LineageBroken, match="from segment 4 to segment 9"):
        restore_plan(history.directory.all_files(), 9)
    assert len(restore_plan(history.directory.all_files(), 4)) == 4
    with Merged(history.directory.files(0)[:3]) as merged:
        history.directory.write_pieces(merged.header, merged.encoded(), level=1)
    assert [file.level for file in restore_plan(history.directory.all_files(), 4)] == [1, 0]
    with pytest.raises(LineageBroken, match="from segment 4 to segment 9"):
        restore_plan(history.directory.all_files(), 9)
    with pytest.raises(LineageBroken):
        make_snapshot(history.directory, 9)


def test_a_snapshot_that_is_not_the_recorded_state_is_refused(history: History) -> None:
    history.run(seconds=10, commits=9)
    header = Header(PAGE, len(history.pages), 9, 9, START, 1)
    history.directory.write(header, encode(header, [(n, bytes(PAGE)) for n in sorted(history.pages)]))
    with pytest.raises(LineageBroken, match="recorded"):
        make_snapshot(history.directory, 9)
    assert not history.directory.files(SNAPSHOTS)


def test_the_chain_forgets_only_what_no_file_ends_at(fast_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fa.replication.chain.WINDOW", 10)
    history = History(fast_home / "replica", 3)
    history.run(seconds=10, commits=100)
    chain = history.directory.chain
    expected = {txid: chain.at(txid) for txid in (20, *range(91, 101))}
    chain.trim({20})
    assert len(chain) == 11
    again = ReplicaDirectory(fast_home / "replica", read_only=True).chain
    for txid, position in expected.items():
        assert again.at(txid) == chain.at(txid) == position
    assert chain.at(50) is None
    chain.append(Position(101, 5), 2)
    assert ReplicaDirectory(fast_home / "replica", read_only=True).chain.epoch(101) == 2


def test_a_damaged_record_of_the_chain_hides_only_what_follows(history: History) -> None:
    history.run(seconds=1, commits=5)
    path = history.directory.root / "chain.log"
    raw = bytearray(path.read_bytes())
    raw[3 * 32 + 9] ^= 1
    path.write_bytes(raw)
    look = ReplicaDirectory(history.directory.root, read_only=True)
    assert look.chain.last.txid == 3
    assert path.read_bytes() == bytes(raw), "looking changes nothing"
    assert ReplicaDirectory(history.directory.root).chain.last.txid == 3
    assert path.stat().st_size == 96


def test_a_record_out_of_order_ends_the_chain(history: History) -> None:
    history.run(seconds=1, commits=5)
    path = history.directory.root / "chain.log"
    raw = path.read_bytes()
    path.write_bytes(raw + raw[32:64])
    assert ReplicaDirectory(history.directory.root).chain.last.txid == 5
    assert path.read_bytes() == raw


def test_no_peer_is_seeded_from_an_unproved_state(history: History) -> None:
    from fa.replication.snapshot import snapshot_for_peer

    history.run(seconds=1, commits=5)
    history.directory.chain.cut(4)
    with pytest.raises(CopyDamaged, match="not recorded"):
        snapshot_for_peer(history.directory, 5)
