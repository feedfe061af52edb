"""A few read-only connections to the store, each with its own thread (aiosqlite).

A read is one function that runs in one short transaction: all that it sees is one snapshot, and no snapshot outlives
it, as an old one would keep the WAL from being reset (REPLICATION.md section 5, pitfall 5)."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import aiosqlite

from fa.errors import Unavailable, Unprocessable
from fa.store.migrations import check, version
from fa.store.search import contains
from fa.store.text import text_of_bytes

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

CONNECTIONS = 4
AGE_SECONDS_MAX = 5.0  # of a snapshot
STEPS_PER_LOOK_AT_THE_CLOCK = 20_000  # of SQLite's virtual machine, about 1 ms
PRAGMAS = (
    "query_only = ON",
    "wal_autocheckpoint = 0",  # only the writer checkpoints
    "temp_store = MEMORY",
    "cache_size = -8192",
    "trusted_schema = OFF",
)


class SearchTooSlow(Unprocessable):
    """This search looked at too many jobs and was given up, so that the store's log can be trimmed."""

    code = "search-too-slow"


class Closed(Unavailable):
    """The job store of this node is not open for reading now; try again in a moment, or ask the coordinator."""


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T]):
    """What a read found, and the last transaction that its snapshot contains."""

    value: T
    txid: int


class _Reader(aiosqlite.Connection):
    """aiosqlite's thread and queue, with a whole read as one step instead of one step a statement."""

    def __init__(self, path: Path, age_seconds_max: float) -> None:
        super().__init__(lambda: _connect(path), iter_chunk_size=64)
        self._thread.daemon = True  # a node that must stop at once does not wait for its readers
        self._age_seconds_max = age_seconds_max

    async def read(self, work: Work[T]) -> Snapshot[T]:
        read = self._execute(_read, self._conn, work, self._age_seconds_max)  # type: ignore[no-untyped-call]
        snapshot: Snapshot[T] = await read
        return snapshot

    async def gone(self) -> None:
        """After an attempt to open that failed: wait for the thread, which still speaks to this event loop."""
        await asyncio.to_thread(self._thread.join)


class Pool:
    """Raises :class:`Closed` from :meth:`read` while it is not open."""

    def __init__(self, path: Path, connections: int = CONNECTIONS, age_seconds_max: float = AGE_SECONDS_MAX) -> None:
        self._path = path
        self._size = connections
        self._age_seconds_max = age_seconds_max
        self._idle: asyncio.LifoQueue[_Reader] = asyncio.LifoQueue()
        self._moving = asyncio.Lock()
        self.opened = False

    async def open(self) -> None:
        """Raises :class:`Closed` when there is no store at the path."""
        async with self._moving:
            await self._open()

    async def close(self) -> None:
        """Lets the reads that were asked for finish; later ones are refused."""
        async with self._moving:
            await self._close()

    async def reopen(self) -> None:
        """The file was replaced: let go of the old one. Reads asked for meanwhile wait for the new one."""
        async with self._moving:
            await self._close()
            await self._open()

    async def read(self, work: Work[T]) -> Snapshot[T]:
        """Run `work(connection)` in a read transaction of its own, in a thread. Raises :class:`SearchTooSlow`."""
        async with self._moving:  # not in the middle of a reopen
            if not self.opened:
                raise Closed
        reader = await self._idle.get()
        try:
            return await reader.read(work)
        finally:  # also when the caller gave up: the connection's own queue keeps what comes next behind that read
            self._idle.put_nowait(reader)

    async def _open(self) -> None:
        assert not self.opened, "opened twice"
        for _ in range(self._size):
            self._idle.put_nowait(await self._reader())
        self.opened = True

    async def _reader(self) -> _Reader:
        reader = _Reader(self._path, self._age_seconds_max)
        try:
            await reader
        except BaseException as trouble:
            await reader.gone()
            await self._close_idle(self._idle.qsize())
            if isinstance(trouble, sqlite3.Error):
                raise Closed(f"The job store cannot be opened for reading: {trouble}.") from trouble
            raise
        return reader

    async def _close(self) -> None:
        if self.opened:
            self.opened = False
            await self._close_idle(self._size)

    async def _close_idle(self, connections: int) -> None:
        for _ in range(connections):
            await (await self._idle.get()).close()


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, cached_statements=256)
    try:
        check(version(connection))
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    connection.text_factory = text_of_bytes
    connection.create_function("contains", 2, contains, deterministic=True)
    return connection


def _read(connection: sqlite3.Connection, work: Work[T], age_seconds_max: float) -> Snapshot[T]:
    deadline = time.monotonic() + age_seconds_max
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_PER_LOOK_AT_THE_CLOCK)
    connection.execute("BEGIN")
    try:
        row = connection.execute("SELECT txid FROM position").fetchone()
        return Snapshot(work(connection), row[0] if row else 0)
    except sqlite3.OperationalError as trouble:
        if trouble.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise SearchTooSlow(hint="Narrow it down: state:, factory:, or three letters of the name.") from None
        raise
    finally:
        connection.set_progress_handler(None, 0)
        connection.execute("ROLLBACK")
