from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from fa.core.tables import Tables
from fa.store.memory import MemoryTables
from fa.store.migrations import migrate
from fa.store.tables import SqliteTables


def new_store(path: str = ":memory:") -> sqlite3.Connection:
    """A store as the replication writer opens it, with a transaction begun."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("foreign_keys = ON", "trusted_schema = OFF", "cache_spill = OFF", "wal_autocheckpoint = 0"):
        connection.execute(f"PRAGMA {pragma}")
    if path != ":memory:":
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    migrate(connection)
    connection.execute("COMMIT")
    connection.execute("BEGIN")
    return connection


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    store = new_store()
    yield store
    store.close()


@pytest.fixture(params=["sqlite", "memory"])
def tables(request: pytest.FixtureRequest) -> Tables:
    return SqliteTables(request.getfixturevalue("connection")) if request.param == "sqlite" else MemoryTables()
