"""What the API reads of the store. Nothing is shown before it is acknowledged: each read learns the last transaction of
its snapshot and waits at the gate until every in-sync copy has that (SAFETY.md R1, DESIGN.md section 4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from fa.core.alarms import Notice
from fa.core.lifecycle import JobState
from fa.core.model import Alert, Attempt, Event, FactoryVersion, Group, NodeRow, Reign, Task, Token
from fa.core.query import Query
from fa.core.tables import Quarantine, Remembered
from fa.store import rows
from fa.store.monitor_readers import MonitorReaders
from fa.store.notice_tables import notice_of
from fa.store.pages import LIMIT_MAX, JobView, Page, Place, counts_of, read_jobs, views_of
from fa.store.pool import Pool, Snapshot
from fa.store.queries import SQL
from fa.store.rows import Row
from fa.store.selecting import Selected, select
from fa.store.text import with_raw_bytes

__all__ = ["JobView", "Page", "Place", "Readers"]

T = TypeVar("T")
Gate = Callable[[int], Awaitable[None]]  # returns once the transaction with this txid is acknowledged

PAST_ALL_IDS = (1 << 63) - 1


class Readers(MonitorReaders):
    """Reads for the event loop. All raise `fa.store.pool.Closed` while the store is not open."""

    def __init__(self, path: Path, gate: Gate) -> None:
        self._pool = Pool(path)
        self._gate = gate

    @classmethod
    async def open(cls, path: Path, gate: Gate) -> Readers:
        """Raises `fa.store.pool.Closed` when there is no store at `path`, `NewerSchema` when it is not for this fa."""
        readers = cls(path, gate)
        await readers._pool.open()
        return readers

    async def close(self) -> None:
        await self._pool.close()

    async def reopen(self) -> None:
        """The file was replaced, or this node has begun to lead."""
        await self._pool.reopen()

    async def see(self, work: Callable[[sqlite3.Connection], T]) -> Snapshot[T]:
        """Run `work(connection)` on one acknowledged snapshot; it must only read, and briefly."""
        snapshot = await self._pool.read(work)
        await self._gate(snapshot.txid)
        return snapshot

    async def _all(self, name: str, parameters: Row, make: Callable[[Row], T]) -> tuple[T, ...]:
        found = await self.see(lambda connection: _run(connection, name, parameters))
        return tuple(make(row) for row in found.value)

    async def _one(self, name: str, parameters: Row, make: Callable[[Row], T]) -> T | None:
        found = await self._all(name, parameters, make)
        return found[0] if found else None

    # --- jobs ---

    async def jobs(self, query: Query, place: Place | None = None) -> Page[JobView]:
        """One page. Raises `Invalid` for a cursor of another query, `SearchTooSlow`."""
        found = await self.see(lambda connection: read_jobs(connection, query, place or Place()))
        return replace(found.value, txid=found.txid)

    async def select(self, query: Query) -> Selected:
        """All that match. Raises `Unprocessable` when they are too many, `SearchTooSlow`."""
        return (await self.see(lambda connection: select(connection, query))).value

    async def job(self, job: int) -> JobView | None:
        """With all its attempts."""
        return (await self.see(lambda connection: _job(connection, job))).value

    async def jobs_of(self, ids: Sequence[int]) -> tuple[JobView, ...]:
        """These jobs, in this order; those that are not there are left out."""
        return (await self.see(lambda connection: views_of(connection, ids))).value

    async def attempts(self, job: int) -> tuple[Attempt, ...]:
        """By product, then number."""
        return await self._all("attempts_of_job", (job,), rows.attempt_of)

    async def overview(self) -> tuple[dict[JobState, int], tuple[Alert, ...]]:
        """Jobs by state and the open alerts, at one moment: it waits at the gate once."""

        def work(connection: sqlite3.Connection) -> tuple[dict[JobState, int], list[Any]]:
            return counts_of(connection), _run(connection, "alerts", (False, LIMIT_MAX))

        counts, alerts = (await self.see(work)).value
        return counts, tuple(rows.alert_of(row) for row in alerts)

    async def remembered(self, key: str) -> Remembered | None:
        return await self._one("remembered", (key,), rows.remembered_of)

    # --- the queue ---

    async def group(self, group: int) -> Group | None:
        return await self._one("group", (group,), rows.group_of)

    async def groups(self) -> tuple[Group, ...]:
        """All that ever had a task."""
        return await self._all("groups", (), rows.group_of)

    async def head(self, group: int) -> Task | None:
        """Of those that are queued and not deferred, the one whose turn is next."""
        return await self._one("heads", (group, 1), rows.task_of)

    async def waiting(self) -> tuple[tuple[Group, int], ...]:
        """Groups with queued tasks that are not deferred, and how many."""
        return await self._all("waiting", (), lambda row: (rows.group_of(row[:-1]), row[-1]))

    async def quarantines(self) -> tuple[Quarantine, ...]:
        return await self._all("quarantines", (), lambda row: Quarantine(*row))

    # --- what happened ---

    async def events(
        self, after: int | None = None, before: int | None = None, kinds: Sequence[str] = ("*",), limit: int = 100
    ) -> Page[Event]:
        """With `after`: later ones, the oldest first, for who follows. Else the newest first, older than `before`.

        `kinds` are patterns ("node.*"). `next` is the id to go on from, as text."""
        limit = max(1, min(limit, LIMIT_MAX))
        name, start = (
            ("events", PAST_ALL_IDS if before is None else before) if after is None else ("events_after", after)
        )
        found = await self.see(lambda connection: _run(connection, name, (start, rows.list_of(kinds), limit)))
        items = tuple(Event(*row) for row in found.value)
        more = str(items[-1].id) if items and (after is not None or len(items) == limit) else None
        return Page(items, next=more, txid=found.txid)

    async def alerts(self, cleared_too: bool = False, limit: int = LIMIT_MAX) -> tuple[Alert, ...]:
        """The newest first."""
        return await self._all("alerts", (cleared_too, limit), rows.alert_of)

    async def notices(self, limit: int = LIMIT_MAX) -> tuple[Notice, ...]:
        """Those that are still to be sent, the oldest first."""
        return await self._all("notices_due", (limit,), notice_of)

    # --- set-up ---

    async def factories(self) -> tuple[FactoryVersion, ...]:
        """The newest version of each that is offered, by name."""
        return await self._all("factories", (), rows.factory_of)

    async def factory(self, name: str, version: int | None = None) -> FactoryVersion | None:
        """One version, or the newest if the factory is offered."""
        if version is None:
            return await self._one("factory_newest", (name,), rows.factory_of)
        return await self._one("factory_version", (name, version), rows.factory_of)

    async def versions(self, name: str) -> tuple[FactoryVersion, ...]:
        """All, the newest first, also of a factory that was removed."""
        return await self._all("factory_versions", (name,), rows.factory_of)

    async def nodes(self) -> tuple[NodeRow, ...]:
        """By name, also those that were removed."""
        return await self._all("nodes", (), rows.node_of)

    async def tokens(self) -> tuple[Token, ...]:
        return await self._all("tokens", (), rows.token_of)

    async def token(self, token: str) -> Token | None:
        return await self._one("token", (token,), rows.token_of)

    async def reigns(self, limit: int = 200) -> tuple[Reign, ...]:
        """Who led when, newest first."""
        return await self._all("reigns", (limit,), lambda row: Reign(*row))

    async def facts(self) -> dict[str, str]:
        return dict(await self._all("facts", (), lambda row: (row[0], row[1])))


def _run(connection: sqlite3.Connection, name: str, parameters: Row) -> list[Any]:
    try:
        return connection.execute(SQL[name], parameters).fetchall()
    except UnicodeEncodeError:
        return connection.execute(*with_raw_bytes(SQL[name], parameters)).fetchall()
    except OverflowError:  # a number of more than 64 bits is the key of nothing
        return []


def _job(connection: sqlite3.Connection, job: int) -> JobView | None:
    views = views_of(connection, [job])
    if not views:
        return None
    return replace(views[0], attempts=tuple(map(rows.attempt_of, _run(connection, "attempts_of_job", (job,)))))
