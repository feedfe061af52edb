"""The real litestream works on our directory and we on what it leaves (REPLICATION.md section 7, items 5 and 7)."""

from __future__ import annotations

import itertools
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

from fa.replication.directory import SNAPSHOTS, ReplicaDirectory
from fa.replication.errors import StockToolFailed
from fa.replication.litestream import dump_digest, find_program, row_counts, stock_restore, verify
from fa.replication.merge import Merged
from fa.replication.restore import restore
from fa.replication.segment import decode
from tests.replication.conftest import Bench, Follower, insert, migrate, wait_for


def test_the_program_is_there_and_new_enough() -> None:
    """0.5.15 refuses our files ("no flags allowed, reserved for future use"); 0.5.16 is the documented minimum."""
    ran = subprocess.run([str(find_program()), "version"], capture_output=True, text=True, check=True, timeout=60)
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", ran.stdout)
    assert found
    assert tuple(map(int, found.groups())) >= (0, 5, 16)


def replicate_once(home: Path, bench: Bench) -> None:
    """One run of the stock daemon over our database into our directory."""
    settings = home / "litestream.yml"
    settings.write_text(
        f"dbs:\n  - path: {bench.db}\n    replica:\n      type: file\n      path: {bench.directory.root}\n"
    )
    command = [str(find_program()), "replicate", "-once", "-config", str(settings)]
    subprocess.run(command, capture_output=True, check=True, timeout=120)


def test_the_stock_daemon_takes_over_and_hands_back(fast_home: Path) -> None:
    bench = Bench(fast_home / "a")
    bench.writer.open_epoch(1)
    for number in range(20):
        bench.do(insert(f"{number}" * 300))
    before = bench.writer.position
    bench.close()
    for number in range(3):
        stranger = sqlite3.connect(bench.db, isolation_level=None)
        stranger.execute("PRAGMA wal_autocheckpoint = 0")
        stranger.execute("INSERT INTO t (a) VALUES (?)", (f"stock {number}",))
        replicate_once(fast_home, bench)
        stranger.close()
    for file in ReplicaDirectory(bench.directory.root, read_only=True).all_files():
        assert decode(file.path.read_bytes()).header.max_txid == file.max_txid
    follower = Follower(fast_home / "a")
    assert follower.copy.position.txid > before.txid
    again = follower.lead(epoch=2)
    again.do(insert("ours again"))
    assert len(again.rows()) == 24
    assert not again.dead
    again.close()
    report = verify(again.directory)
    assert report.identical
    assert report.rows["t"] == 24


LEVELS = """
levels:
  - interval: 1s
  - interval: 2s
snapshot:
  interval: 2s
dbs:
  - path: {db}
    monitor-interval: 50ms
    replica:
      type: file
      path: {root}
      sync-interval: 50ms
"""


def test_all_that_the_stock_daemon_writes_is_read(fast_home: Path) -> None:
    """Single segments, compacted ones and snapshots, of a database that we have never seen."""
    db, root, settings = fast_home / "x.db", fast_home / "theirs", fast_home / "litestream.yml"
    settings.write_text(LEVELS.format(db=db, root=root))
    stranger = sqlite3.connect(db, isolation_level=None)
    stranger.execute("PRAGMA journal_mode = WAL")
    migrate(stranger)
    command = [str(find_program()), "replicate", "-config", str(settings)]
    daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    numbers = itertools.count()

    def seen() -> set[int]:
        insert(f"{next(numbers)}" * 300)(stranger)
        return {file.level for file in ReplicaDirectory(root, read_only=True).all_files()}

    try:
        wait_for(lambda: seen() >= {0, 1, 2, SNAPSHOTS})
    finally:
        daemon.terminate()
        daemon.wait(timeout=60)
        stranger.close()
    directory = ReplicaDirectory(root, read_only=True)
    for file in directory.all_files():
        header = decode(file.path.read_bytes()).header
        assert (header.min_txid, header.max_txid, header.timestamp) == (file.min_txid, file.max_txid, file.mtime_ms)
    restore(directory, fast_home / "ours")
    stock_restore(root, fast_home / "stock")
    assert (fast_home / "ours").read_bytes() == (fast_home / "stock").read_bytes()
    assert row_counts(fast_home / "ours")["t"] > 0


def test_the_stock_tool_follows_our_directory(fast_home: Path) -> None:
    bench = Bench(fast_home / "a")
    bench.writer.open_epoch(1)
    bench.do(insert("first"))
    out = fast_home / "follow.db"
    command = [str(find_program()), "restore", "-f", "-follow-interval", "50ms", "-o", str(out)]
    child = subprocess.Popen(
        [*command, bench.directory.root.as_uri()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        wait_for(out.exists)
        for number in range(30):
            bench.do(insert(f"{number}" * 300))
        bench.sql("DELETE FROM t WHERE id > 25")
        expected = bench.sql("SELECT * FROM t ORDER BY id")
        wait_for(lambda: _rows(out) == expected)
    finally:
        child.terminate()
        child.communicate(timeout=60)
    bench.close()


def _rows(path: Path) -> object:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute("SELECT * FROM t ORDER BY id").fetchall()
    except sqlite3.Error:  # the follower is writing just now
        return None
    finally:
        connection.close()


def test_compacted_by_us_and_restored_by_it(bench: Bench, tmp_path: Path) -> None:
    for number in range(30):
        bench.do(insert(f"{number}" * 300))
    bench.close()
    files = bench.directory.files(0)
    for group in (files[:10], files[10:25]):
        with Merged(group) as merged:
            bench.directory.write_pieces(merged.header, merged.encoded(), level=1)
        for file in group:
            file.path.unlink()
    stock_restore(bench.directory.root, tmp_path / "s")
    assert (tmp_path / "s").read_bytes() == bench.db.read_bytes()
    assert dump_digest(tmp_path / "s") == dump_digest(bench.db)
    with pytest.raises(StockToolFailed, match="no matching backup"):
        stock_restore(bench.directory.root, tmp_path / "t", txid=5)
