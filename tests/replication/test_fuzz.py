"""Random schemas, rows, savepoints and rollbacks under a tiny cache, with readers that hold on (section 7, item 8).

After each commit the writer cross-checks the wal-index and the copy recomputes the checksum; now and then the rows of
both are compared, as is what stock Litestream restores, and at the end the files, byte by byte.

With ``cache_spill`` on, SQLite's own bug may bite (REPLICATION.md section 5, pitfall 1): then the writer must stop with
``WALError``; silence followed by a difference would be the loss of a commit.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fa.replication import connection as connection_module
from fa.replication.errors import WALError
from fa.replication.litestream import dump_digest, stock_restore
from fa.replication.writer import Limits
from tests.replication.conftest import Bench, Follower

COMPARE_EVERY = 25  # works


def tables(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA cache_size = 5")
    for name in ("t0", "t1"):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} (id INTEGER PRIMARY KEY, a BLOB, b)")
    connection.execute("CREATE INDEX IF NOT EXISTS i0 ON t0 (b)")


def statement(chance: random.Random) -> tuple[str, tuple[object, ...]]:
    name = f"t{chance.randrange(2)}"
    blob = chance.randbytes(chance.choice([10, 300, 5000, 20000]))
    return chance.choice(
        [
            (f"INSERT INTO {name} (a, b) VALUES (?, ?)", (blob, chance.randrange(1000))),
            (f"INSERT INTO {name} (a, b) VALUES (?, ?)", (blob, chance.randrange(1000))),
            (f"INSERT INTO {name} (a, b) SELECT a, b + 1 FROM {name} LIMIT 20", ()),
            (f"UPDATE {name} SET a = ? WHERE id % ? = 1", (blob[:100], chance.randrange(2, 9))),
            (f"DELETE FROM {name} WHERE id % ? = 0", (chance.randrange(2, 9),)),
            (f"DELETE FROM {name} WHERE id > ?", (chance.randrange(60),)),
            (f"CREATE TABLE IF NOT EXISTS x{chance.randrange(3)} AS SELECT * FROM {name}", ()),
            (f"DROP TABLE IF EXISTS x{chance.randrange(3)}", ()),
            (f"CREATE INDEX IF NOT EXISTS i{chance.randrange(1, 4)} ON {name} (b, id)", ()),
            (f"DROP INDEX IF EXISTS i{chance.randrange(1, 4)}", ()),
            (f"ALTER TABLE {name} ADD COLUMN c{chance.getrandbits(32)} DEFAULT 'x'", ()),
            (f"CREATE VIEW IF NOT EXISTS v{chance.randrange(3)} AS SELECT b FROM {name}", ()),
            (f"DROP VIEW IF EXISTS v{chance.randrange(3)}", ()),
            (f"CREATE TRIGGER IF NOT EXISTS g{chance.randrange(2)} AFTER DELETE ON t0 BEGIN DELETE FROM t1; END", ()),
            (f"DROP TRIGGER IF EXISTS g{chance.randrange(2)}", ()),
            (f"PRAGMA user_version = {chance.randrange(1000)}", ()),
        ]
    )


def random_work(seed: int) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        chance = random.Random(seed)
        for _ in range(chance.randint(1, 6)):
            nested = chance.random() < 0.5
            if nested:
                connection.execute("SAVEPOINT inner")
            for _ in range(chance.randint(1, 4)):
                connection.execute(*statement(chance))
            if nested:
                if chance.random() < 0.5:
                    connection.execute("ROLLBACK TO inner")
                connection.execute("RELEASE inner")
        if chance.random() < 0.2:
            raise ValueError("rolled back as a whole")

    return work


def run(home: Path, seed: int, works: int) -> Bench:
    """Random works against a writer and a copy; ends early when the writer stops."""
    chance = random.Random(seed)
    bench = Bench(home / "a", own_ack=True, migrate=tables, limits=Limits(wal_bytes=chance.choice([1, 200_000])))
    follower = Follower(home / "b")
    bench.writer.open_epoch(1)
    readers: list[sqlite3.Connection] = []
    for number in range(works):
        answer = bench.begin(random_work(seed * 1000 + number))
        try:
            answer.result()
        except ValueError:
            pass
        except Exception:
            break
        if chance.random() < 0.2:
            readers.append(pin(bench.db))
        if readers and chance.random() < 0.2:
            readers.pop(0).close()
        if number % COMPARE_EVERY == COMPARE_EVERY - 1:
            compare(bench, follower)
    for reader in readers:
        reader.close()
    follower.take(bench.shipped[follower.copy.position.txid :])
    bench.close()
    follower.close()
    return bench


def compare(bench: Bench, follower: Follower) -> None:
    """The rows here and there, and those that stock Litestream makes of both directories."""
    follower.take(bench.shipped[follower.copy.position.txid :])
    expected = dump_of(bench.db)
    restored = [follower.home / "restored-ours", follower.home / "restored-theirs"]
    for directory, out in zip((bench.directory, follower.directory), restored, strict=True):
        stock_restore(directory.root, out)
    assert [dump_digest(path) for path in (follower.db, *restored)] == [expected] * 3
    for path in restored:
        path.unlink()


def dump_of(db: Path) -> str:
    """As readers see it, with what is in SQLite's log."""
    aside = db.with_name("dump")
    reader, copy = sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True), sqlite3.connect(aside)
    with closing(reader), closing(copy):
        reader.backup(copy)
    digest = dump_digest(aside)
    aside.unlink()
    return digest


def pin(db: Path) -> sqlite3.Connection:
    reader = sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM t0").fetchone()
    return reader


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_written_the_copy_has_the_same_bytes(fast_home: Path, seed: int) -> None:
    bench = run(fast_home, seed, works=60)
    assert not bench.dead
    assert bench.writer.position.txid > 20
    assert (fast_home / "a" / "store.db").read_bytes() == (fast_home / "b" / "store.db").read_bytes()


@pytest.mark.parametrize("seed", range(6))
def test_with_cache_spill_a_difference_is_never_silent(
    fast_home: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pragmas = tuple(p.replace("cache_spill = OFF", "cache_spill = 1") for p in connection_module.PRAGMAS)
    assert pragmas != connection_module.PRAGMAS
    monkeypatch.setattr(connection_module, "PRAGMAS", pragmas)
    bench = run(fast_home, 100 + seed, works=60)
    if bench.dead:
        assert isinstance(bench.dead[0], WALError)
    else:
        assert (fast_home / "a" / "store.db").read_bytes() == (fast_home / "b" / "store.db").read_bytes()
