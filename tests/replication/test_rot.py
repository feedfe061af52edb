"""The disk of the node that writes gives other bytes than were written: found, and never carried to the copies."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fa.replication.directory import ReplicaDirectory
from fa.replication.errors import CopyDamaged, OutcomeUnknown, StoreRotten
from fa.replication.repair import open_or_repair
from fa.replication.secondary import Copy
from fa.replication.state import PAGE_SIZE, Mark, MarkFile
from fa.replication.writer import Limits
from tests.replication.conftest import ARRAY, WAIT_SECONDS, Bench, Follower, insert, rows, wait_for

ROWS = 400
EAGER = Limits(wal_bytes=1, scrub_seconds=0.01, scrub_pages=3, scrub_rest=0.001)
"""Checkpoints at once, and never stops to scrub."""


def without_index(connection: sqlite3.Connection) -> None:
    """An index that contradicts the table would be noticed by SQLite itself."""
    connection.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a TEXT) STRICT")


@pytest.fixture
def checkpointed(fast_home: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A coordinator with rows, four a page, all of them in the database file, which is scrubbed rarely."""
    bench = Bench(fast_home / "a", limits=getattr(request, "param", Limits(wal_bytes=1)), migrate=without_index)
    bench.writer.open_epoch(1)
    bench.do(lambda connection: connection.execute("PRAGMA cache_size = 5"))  # it reads the file again and again
    for number in range(ROWS):
        bench.do(insert(f"{number:03}" * 300))
    wait_for(lambda: bench.writer.checkpointed == bench.writer.position.txid)
    yield bench
    bench.close()


def rot(db: Path, text: bytes) -> int:
    """Bits flip in the middle of a row; the number of the page."""
    at = db.read_bytes().index(text) + 300
    descriptor = os.open(db, os.O_RDWR)
    os.pwrite(descriptor, b"#ROT#", at)
    os.close(descriptor)
    return at // PAGE_SIZE + 1


def touch_all(connection: sqlite3.Connection) -> None:
    """But what rotted itself: a neighbour in its page is enough."""
    connection.execute("UPDATE t SET a = a || 'z' WHERE a NOT LIKE '%#ROT#%'")


def test_a_page_that_rotted_is_not_built_upon(checkpointed: Bench, follower: Follower) -> None:
    bench = checkpointed
    follower.take(bench.shipped)
    sound = follower.db.read_bytes()
    page = rot(bench.db, b"017" * 100)
    with pytest.raises(OutcomeUnknown):
        bench.do(touch_all)
    assert bench.died.wait(WAIT_SECONDS)
    assert isinstance(bench.dead[0], StoreRotten)
    assert f"({page})" in str(bench.dead[0])
    follower.take(bench.shipped[follower.copy.position.txid :])
    assert follower.db.read_bytes() == sound, "nothing of it left this node"


def test_what_was_made_of_a_rotten_page_is_not_there_after_a_restart(checkpointed: Bench) -> None:
    bench = checkpointed
    position = bench.writer.position
    rot(bench.db, b"017" * 100)
    with pytest.raises(OutcomeUnknown):
        bench.do(touch_all)
    assert bench.died.wait(WAIT_SECONDS)
    assert not bench.db.with_name("store.db-wal").exists()
    assert [file.max_txid for file in bench.directory.files(0)][-1] == position.txid


@pytest.mark.parametrize("checkpointed", [EAGER], indirect=True)
def test_the_scrub_finds_what_nobody_writes(checkpointed: Bench) -> None:
    page = rot(checkpointed.db, b"017" * 100)
    assert checkpointed.died.wait(WAIT_SECONDS)
    assert isinstance(checkpointed.dead[0], StoreRotten)
    assert f"({page})" in str(checkpointed.dead[0])


@pytest.mark.parametrize("checkpointed", [EAGER], indirect=True)
def test_a_file_that_was_cut_is_rotten(checkpointed: Bench) -> None:
    os.truncate(checkpointed.db, checkpointed.db.stat().st_size - PAGE_SIZE)
    assert checkpointed.died.wait(WAIT_SECONDS)
    assert isinstance(checkpointed.dead[0], StoreRotten)


def shrink(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM t WHERE id > 20")


def grow(connection: sqlite3.Connection) -> None:
    for number in range(30):
        connection.execute("INSERT INTO t (a) VALUES (?)", (f"more {number} {os.urandom(3000).hex()}",))


@pytest.mark.parametrize("limits", [EAGER, Limits(scrub_seconds=0.001, scrub_pages=7, scrub_rest=0.001)])
def test_a_sound_file_is_never_called_rotten(fast_home: Path, limits: Limits) -> None:
    """With the log checkpointed after each commit, and never; while a reader keeps an old snapshot open, too."""
    bench = Bench(fast_home / "a", limits=limits)
    bench.writer.open_epoch(1)
    reader = sqlite3.connect(f"{bench.db.as_uri()}?mode=ro", uri=True, isolation_level=None)
    works: list[Callable[[sqlite3.Connection], object]] = [grow, touch_all, shrink, grow, shrink, touch_all]
    for turn in range(10):
        for work in works:
            bench.do(lambda connection: connection.execute("DELETE FROM t WHERE a LIKE 'more%'"))
            bench.do(work)
        if turn % 2:
            reader.execute("BEGIN").fetchall()
            reader.execute("SELECT count(*) FROM t").fetchall()
        else:
            reader.rollback()
    reader.close()
    bench.close()
    assert not bench.dead


@pytest.mark.parametrize("checkpointed", [EAGER], indirect=True)
def test_a_file_that_makes_no_sense_to_sqlite_is_rotten(checkpointed: Bench) -> None:
    descriptor = os.open(checkpointed.db, os.O_RDWR)
    os.pwrite(descriptor, bytes(PAGE_SIZE), PAGE_SIZE)
    os.close(descriptor)
    assert checkpointed.died.wait(WAIT_SECONDS)
    assert isinstance(checkpointed.dead[0], StoreRotten)


def reopen(bench: Bench) -> Follower:
    """The coordinator's copy after its end, as the node opens it at its next start."""
    bench.close()
    again = Follower.__new__(Follower)
    again.home, again.db, again.directory = bench.home, bench.db, ReplicaDirectory(bench.home / "replica")
    again.copy = Copy(again.db, again.directory, array_id=ARRAY)
    return again


def test_who_is_alone_makes_the_file_whole_from_its_own_segments(checkpointed: Bench) -> None:
    """Everything that was acknowledged is there, and nothing of what was made of the rotten page."""
    bench = checkpointed
    before, position = bench.rows(), bench.writer.position
    rot(bench.db, b"017" * 100)
    with pytest.raises(OutcomeUnknown):
        bench.do(touch_all)
    assert bench.died.wait(WAIT_SECONDS)
    again = reopen(bench)
    at, repaired = open_or_repair(again.copy, again.db, again.directory)
    assert at == position
    assert f"transaction {position.txid}" in repaired
    assert rows(again.db) == before
    assert not again.copy.scrub()
    again.close()


def test_a_sound_copy_is_only_opened(checkpointed: Bench) -> None:
    again = reopen(checkpointed)
    assert open_or_repair(again.copy, again.db, again.directory) == (checkpointed.writer.position, "")
    again.close()


def test_segments_that_rotted_too_prove_nothing(checkpointed: Bench) -> None:
    again = reopen(checkpointed)
    rot(again.db, b"017" * 100)
    damaged = again.db.read_bytes()
    victim = again.directory.files(0)[10].path
    victim.write_bytes(victim.read_bytes()[:-40] + bytes(40))
    with pytest.raises(CopyDamaged, match=r"cannot be repaired here.*fa mirror restore"):
        open_or_repair(again.copy, again.db, again.directory)
    assert again.db.read_bytes() == damaged
    assert not again.db.with_name("store.db-repair").exists()
    again.close()


def test_half_a_copy_is_not_repaired(checkpointed: Bench) -> None:
    """What is being fetched from another node is not what this node's segments give."""
    again = reopen(checkpointed)
    MarkFile(again.db).set(Mark.RESYNCING)
    with pytest.raises(CopyDamaged, match="marked resyncing"):
        open_or_repair(again.copy, again.db, again.directory)
    again.close()
