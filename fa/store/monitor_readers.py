"""What the API reads about monitors: the part of `fa.store.readers.Readers` that is about them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fa.core.arrivals import MonitorRow
from fa.store.monitor_tables import monitor_of
from fa.store.queries import SQL
from fa.store.rows import Row
from fa.store.text import with_raw_bytes

Seen = tuple[str, int, int]  # path, size, mtime in ns


class _Reading(Protocol):
    async def see(self, work: Callable[[sqlite3.Connection], Any]) -> Any: ...
    async def _all(self, name: str, parameters: Row, make: Callable[[Row], Any]) -> tuple[Any, ...]: ...


class MonitorReaders:
    """Mixed into `Readers`."""

    async def monitors(self: _Reading) -> tuple[MonitorRow, ...]:
        """By name."""
        return await self._all("monitors", (), monitor_of)

    async def monitor(self: _Reading, name: str) -> MonitorRow | None:
        found = await self._all("monitor_named", (name,), monitor_of)
        return found[0] if found else None

    async def submitted(self: _Reading, monitor: str, files: Sequence[Seen]) -> frozenset[Seen]:
        """Those of these files that this monitor submitted, as far as size and time tell."""

        def work(connection: sqlite3.Connection) -> frozenset[Seen]:
            return frozenset(seen for seen in files if _is_known(connection, monitor, seen))

        known: frozenset[Seen] = (await self.see(work)).value
        return known


def _is_known(connection: sqlite3.Connection, monitor: str, seen: Seen) -> bool:
    sql, parameters = with_raw_bytes(SQL["arrival_seen"], (monitor, *seen))
    return connection.execute(sql, parameters).fetchone() is not None
