"""One group commit: many works in one transaction, each in its own SAVEPOINT."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from fa.core.position import Position
from fa.errors import StoreFull, Unavailable
from fa.replication.connection import is_fatal, is_full
from fa.replication.errors import WriterError

Prepare = Callable[[sqlite3.Connection], object]
Run = Callable[[sqlite3.Connection], Any]
Done = Callable[[Any, Position], object]
PutBack = Callable[[Sequence["Work"]], object]
PATIENCE = 30.0  # seconds for an outcome
ROWS_MAX = 4096
"""Rows that a group changes before it takes no further work: 256 single jobs change half as many."""
PAGES_MAX = 2048
"""The same of pages by which the store grows, 8 MiB. A request of 1,000 jobs with the longest texts makes 24 to 34 MiB
(measured); both together stay far below what a link takes at once, 96 MiB."""
LOOK_ROWS, LOOK_WORKS = 16, 8  # the pages are looked at after a work that changed so many rows, and every so many works


@dataclass(slots=True)
class Work:
    """What a submitter wants done, and whom to tell. ``outcome`` is its result or the exception that undid it; ``key``
    is what it may be withdrawn by."""

    run: Run
    done: Done
    outcome: Any = None
    key: object = None


def outcome_of(submit: Callable[[Run, Done], None], run: Run) -> Any:
    """Submit a work and wait for its outcome; raises it when it is an exception, `Unavailable` when none comes."""
    came: SimpleQueue[Any] = SimpleQueue()
    submit(run, lambda outcome, _: came.put(outcome))
    try:
        outcome = came.get(timeout=PATIENCE)
    except Empty:
        raise Unavailable("The store takes nothing at the moment.", hint="`fa mirror status` says why.") from None
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


class GroupLost(Exception):
    """The transaction as a whole was rolled back; ``reason`` is what each of its works is told."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason
        super().__init__(str(reason))


def run_works(
    connection: sqlite3.Connection, works: list[Work], prepare: Prepare | None = None, put_back: PutBack | None = None
) -> bool:
    """Begin a transaction, ``prepare`` it, run the works; whether anything was written. The transaction is left open.

    With ``put_back`` it ends once enough was written: what was not begun is cut off ``works`` and given to that. An
    exception of one work undoes that one alone and becomes its outcome. Raises ``GroupLost`` when SQLite gave the whole
    transaction up (disk full), ``sqlite3.Error`` when the store is broken.
    """
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    before = connection.total_changes
    cookies = _cookies(connection)
    if prepare is not None:
        _guard(connection, prepare)
    size = _Size(connection)
    for count, work in enumerate(works, 1):
        execute("SAVEPOINT work")
        try:
            work.outcome = work.run(connection)
        except Exception as trouble:
            _undo(connection, trouble)
            work.outcome = trouble
        execute("RELEASE work")
        if put_back is not None and count < len(works) and size.is_enough(count):
            put_back(works[count:])
            del works[count:]
            break
    return connection.total_changes != before or _cookies(connection) != cookies


class _Size:
    """How much a group has written so far, as near as that can be known before it is committed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._began = self._looked = connection.total_changes
        self._pages = self._used()

    def is_enough(self, count: int) -> bool:
        """After ``count`` works."""
        changes = self._connection.total_changes
        if changes - self._began >= ROWS_MAX:
            return True
        if changes - self._looked < LOOK_ROWS and count % LOOK_WORKS:
            return False
        self._looked = changes
        return self._used() - self._pages >= PAGES_MAX

    def _used(self) -> int:
        pages, free = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")
        )
        return int(pages - free)


def _guard(connection: sqlite3.Connection, prepare: Prepare) -> None:
    """Run ``prepare``; its failure is the whole group's."""
    try:
        prepare(connection)
    except Exception as trouble:
        if is_fatal(trouble):
            raise
        rollback(connection)
        raise GroupLost(StoreFull() if is_full(trouble) else trouble) from trouble


def _undo(connection: sqlite3.Connection, trouble: Exception) -> None:
    if is_fatal(trouble):
        raise trouble
    if is_full(trouble) or not connection.in_transaction:
        rollback(connection)
        raise GroupLost(StoreFull() if is_full(trouble) else trouble)
    connection.execute("ROLLBACK TO work")


def _cookies(connection: sqlite3.Connection) -> list[Any]:
    """What can be written without counting as a change of rows."""
    return [connection.execute(f"PRAGMA {name}").fetchone() for name in ("schema_version", "user_version")]


def commit(connection: sqlite3.Connection) -> None:
    """COMMIT. Raises ``GroupLost`` when nothing was committed but the store is sound, else ``sqlite3.Error``."""
    if not connection.in_transaction:
        raise WriterError("A work ended the writer's transaction by itself; works must not commit or roll back.")
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as trouble:
        if is_fatal(trouble):
            raise
        rollback(connection)
        raise GroupLost(StoreFull() if is_full(trouble) else trouble) from trouble


def rollback(connection: sqlite3.Connection) -> None:
    """Give the transaction up, if SQLite has not done so already."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
