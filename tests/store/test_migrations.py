from __future__ import annotations

import sqlite3

import pytest

from fa.store import migrations
from fa.store.migrations import NewerSchema, migrate, newest, statements, version


def empty() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def test_an_empty_store_is_brought_to_the_newest_schema() -> None:
    connection = empty()
    connection.execute("BEGIN")
    assert migrate(connection) == 0
    assert connection.in_transaction, "the transaction is the writer's"
    connection.execute("COMMIT")
    assert version(connection) == newest() >= 1
    assert migrate(connection) == newest(), "the second time there is nothing to do"
    connection.close()


def test_a_migration_that_is_rolled_back_leaves_nothing() -> None:
    connection = empty()
    connection.execute("BEGIN")
    migrate(connection)
    connection.execute("ROLLBACK")
    assert version(connection) == 0
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    connection.close()


def test_only_the_missing_steps_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = empty()
    monkeypatch.setattr(migrations, "steps", lambda: ("CREATE TABLE one (x);",))
    migrate(connection)
    monkeypatch.setattr(
        migrations, "steps", lambda: ("not even SQL;", "CREATE TABLE two (x);\nCREATE TABLE three (x);")
    )
    assert migrate(connection) == 1
    assert version(connection) == 2
    connection.execute("SELECT * FROM one, two, three")
    connection.close()


def test_a_newer_store_is_refused_with_a_sentence() -> None:
    connection = empty()
    connection.execute(f"PRAGMA user_version = {newest() + 1}")
    with pytest.raises(NewerSchema) as raised:
        migrate(connection)
    assert f"schema version {newest() + 1}" in str(raised.value)
    assert "Install on this node" in str(raised.value)
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    connection.close()


def test_a_script_is_cut_at_its_semicolons() -> None:
    script = "CREATE TABLE a (x); -- here; and there\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n SELECT 1;\nEND;\n"
    assert [statement.split("\n")[0] for statement in statements(script)] == [
        "CREATE TABLE a (x); -- here; and there",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN",
    ]
