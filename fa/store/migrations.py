"""The schema of the store, step by step: `schema/0001_….sql`, `schema/0002_….sql`, …

All nodes of an array hold the same pages, so the schema's version is one for the whole array: the coordinator migrates
inside its first transaction and the change travels like any other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from fa.errors import FaError


class NewerSchema(FaError):
    """The job store was written by a newer fa than this one; nothing was changed."""

    code = "newer-schema"


@cache
def steps() -> tuple[str, ...]:
    """The SQL of every step, the first one first."""
    scripts = (entry for entry in files("fa.store").joinpath("schema").iterdir() if entry.name.endswith(".sql"))
    return tuple(entry.read_text("utf-8") for entry in sorted(scripts, key=lambda entry: entry.name))


def newest() -> int:
    """The schema version that this program writes."""
    return len(steps())


def version(connection: sqlite3.Connection) -> int:
    """The schema version of a store, 0 for an empty database."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(found: int) -> None:
    """Raise :class:`NewerSchema` when this program cannot work with a store of schema version `found`."""
    if found > newest():
        raise NewerSchema(
            f"The job store has schema version {found}, this fa knows {newest()}; nothing was changed.",
            hint="Install on this node the version of fa that the other nodes run.",
        )


def migrate(connection: sqlite3.Connection) -> int:
    """Bring the store to :func:`newest` inside the caller's transaction; returns the version that it had.

    Raises :class:`NewerSchema`."""
    found = version(connection)
    check(found)
    for number, script in enumerate(steps()[found:], start=found + 1):
        for statement in statements(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    return found


def statements(script: str) -> Iterator[str]:
    """Cut a script into statements; `executescript` would commit the caller's transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    assert not statement.strip(), "the last statement of a schema step has no semicolon"
