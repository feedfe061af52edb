"""What others do to the database file, and what shrinks it (REPLICATION.md section 7, item 2): captured right, or
refused; never wrong, and never at the cost of what was acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fa.replication import connection as connection_module
from fa.replication.errors import WALError
from fa.replication.litestream import dump_digest, verify
from fa.replication.writer import Limits
from tests.replication.conftest import Bench, Follower, insert, rows, wait_for

ROWS = 25
Deed = Callable[[sqlite3.Connection], object]


def pragma(words: str) -> Deed:
    return lambda connection: connection.execute(f"PRAGMA {words}").fetchall()


def vacuum(words: str) -> Deed:
    def deed(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA {words}")
        connection.execute("VACUUM")

    return deed


CHECKPOINTS = {mode: pragma(f"wal_checkpoint({mode})") for mode in ("PASSIVE", "FULL", "RESTART", "TRUNCATE")}
REWRITES = {f"vacuum, {words}": vacuum(words) for words in ("auto_vacuum = 0", "auto_vacuum = 1", "auto_vacuum = 2")}


def stranger_does(db: Path, deed: Deed) -> None:
    stranger = sqlite3.connect(db, isolation_level=None)
    stranger.execute("PRAGMA wal_autocheckpoint = 0")
    deed(stranger)
    stranger.close()


@pytest.mark.parametrize("acknowledged", [True, False])
@pytest.mark.parametrize("deed", [*CHECKPOINTS, *REWRITES])
def test_a_stranger_is_refused_or_does_no_harm(
    fast_home: Path, follower: Follower, deed: str, acknowledged: bool
) -> None:
    """Without acknowledgements it copies into the file what nobody else has yet: only an equal copy may come of it."""
    bench = Bench(fast_home / "a", own_ack=acknowledged, limits=Limits(in_flight=1000))
    bench.writer.open_epoch(1)
    answers = [bench.begin(insert(f"{number:03}" * 300)) for number in range(ROWS)]
    wait_for(lambda: sum(answer.came for answer in answers) == ROWS if acknowledged else len(bench.shipped) > 1)
    stranger_does(bench.db, {**CHECKPOINTS, **REWRITES}[deed])
    for number in range(5):
        before = len(bench.shipped)
        answers.append(bench.begin(insert(f"after {number}")))
        wait_for(lambda before=before: bench.died.is_set() or len(bench.shipped) > before)
    shipped = list(bench.shipped)
    follower.take(shipped)
    bench.close()
    assert all(isinstance(trouble, WALError) for trouble in bench.dead)
    if deed in REWRITES:
        assert bench.dead, "what a stranger wrote is never taken for ours"
    told = sum(answer.came and not isinstance(answer.outcome, BaseException) for answer in answers)
    assert told <= len(rows(follower.db))
    assert follower.copy.position == shipped[-1][0].after
    assert not follower.copy.scrub()


@pytest.mark.parametrize("deed", CHECKPOINTS)
def test_after_a_strangers_checkpoint_the_node_starts_again_with_everything(fast_home: Path, deed: str) -> None:
    bench = Bench(fast_home / "a")
    bench.writer.open_epoch(1)
    for number in range(ROWS):
        bench.do(insert(f"{number:03}" * 300))
    stranger_does(bench.db, CHECKPOINTS[deed])
    with suppress(Exception):
        bench.do(insert("perhaps"))
    bench.close()
    again = Follower(fast_home / "a")
    led = again.lead(epoch=2)
    led.do(insert("ours again"))
    texts = [text for _, text in led.rows()]
    assert len(texts) in (ROWS + 1, ROWS + 2)
    led.close()
    assert verify(led.directory).rows["t"] == len(texts)


def test_a_vacuum_of_ours_is_refused_and_changes_nothing(bench: Bench) -> None:
    bench.do(insert("one"))
    with pytest.raises(sqlite3.OperationalError, match="cannot VACUUM from within a transaction"):
        bench.do(lambda connection: connection.execute("VACUUM"))
    bench.do(insert("two"))
    assert not bench.dead
    assert len(bench.rows()) == 2


@pytest.mark.parametrize("mode", ["FULL", "INCREMENTAL"])
def test_a_database_that_vacuums_by_itself_shrinks_on_the_copy_too(
    fast_home: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Pages move and the file is cut within a commit; and it grows again over what was cut."""
    pragmas = tuple(each.replace("auto_vacuum = NONE", f"auto_vacuum = {mode}") for each in connection_module.PRAGMAS)
    monkeypatch.setattr(connection_module, "PRAGMAS", pragmas)
    bench = Bench(fast_home / "a", limits=Limits(wal_bytes=100_000))
    bench.writer.open_epoch(1)
    sizes = []
    for turn in range(4):
        for number in range(ROWS):
            bench.do(insert(f"{turn}-{number:03}" * 500))
        sizes.append(follower_size(bench, follower))
        bench.do(delete_most)
        sizes.append(follower_size(bench, follower))
    assert bench.sql("PRAGMA auto_vacuum") == [(1 if mode == "FULL" else 2,)]
    assert all(after < before for before, after in zip(sizes[::2], sizes[1::2], strict=True)), sizes
    bench.close()
    assert not bench.dead
    assert follower.db.read_bytes() == bench.db.read_bytes()
    assert dump_digest(follower.db) == dump_digest(bench.db)
    assert verify(bench.directory).identical


def delete_most(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM t WHERE id % 7 <> 0")
    connection.execute("PRAGMA incremental_vacuum(40)").fetchall()  # nothing is to be done for it in the other mode


def follower_size(bench: Bench, follower: Follower) -> int:
    """Of its file, once it has everything."""
    follower.take(bench.shipped[follower.copy.position.txid :])
    return follower.db.stat().st_size
