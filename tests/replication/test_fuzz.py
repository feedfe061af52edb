"""Random schemas, rows, savepoints and rollbacks under a tiny cache, with readers that hold on (section 7, item 8).

After each commit the writer cross-checks the wal-index and the copy recomputes the checksum; at the end the files are
compared byte by byte. With ``cache_spill`` on, SQLite's own bug may bite (REPLICATION.md section 5, pitfall 1): then
the writer must stop with ``WALError``; silence followed by a difference would be the loss of a commit.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from fa.replication import connection as connection_module
from fa.replication.errors import WALError
from fa.replication.writer import Limits
from tests.replication.conftest import Bench, Follower


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
    for reader in readers:
        reader.close()
    follower.take(bench.shipped)
    bench.close()
    follower.close()
    return bench


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
