"""Monitors and arrivals in both stores: the part of `SqliteTables` and of `MemoryTables` that is about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from fa.core.arrivals import DUE, Arrival, Fate, MonitorRow, Sighting
from fa.store.memory_rows import Rows
from fa.store.rows import Row


def monitor_of(row: Row) -> MonitorRow:
    number, name, version, text, enabled, *rest = row
    return MonitorRow(number, name, version, text, bool(enabled), *rest)


def arrival_of(row: Row) -> Arrival:
    number, monitor, path, size, mtime_ns, digest, ctime_ns, at, fate, answer, error = row
    return Arrival(number, monitor, path, size, mtime_ns, digest, ctime_ns, at, Fate(fate), bool(answer), error)


class _Sqlite(Protocol):
    def _run(self, name: str, parameters: Row = ()) -> Any: ...
    def _one(self, name: str, parameters: Row, make: Callable[[Row], Any]) -> Any: ...
    def _all(self, name: str, parameters: Row = ()) -> list[Row]: ...
    def _add(self, name: str, parameters: Row) -> int: ...
    def _save(self, name: str, parameters: Row, key: object) -> None: ...


class SqliteMonitors:
    """Mixed into `fa.store.tables.SqliteTables`, which carries the statements out."""

    def monitor(self: _Sqlite, monitor: int) -> MonitorRow | None:
        found: MonitorRow | None = self._one("monitor", (monitor,), monitor_of)
        return found

    def monitor_named(self: _Sqlite, name: str) -> MonitorRow | None:
        found: MonitorRow | None = self._one("monitor_named", (name,), monitor_of)
        return found

    def monitors(self: _Sqlite) -> Sequence[MonitorRow]:
        return [monitor_of(row) for row in self._all("monitors")]

    def add_monitor(self: _Sqlite, row: MonitorRow) -> int:
        made = (row.name, row.version, row.text, row.enabled, row.owner, row.submitted, row.last_file)
        return self._add("add_monitor", (*made, row.created_at, row.created_by))

    def save_monitor(self: _Sqlite, row: MonitorRow) -> None:
        changed = (row.version, row.text, row.enabled, row.owner, row.submitted, row.last_file)
        self._save("save_monitor", (*changed, row.id), row.id)

    def remove_monitor(self: _Sqlite, monitor: int) -> None:
        self._run("remove_monitor", (monitor,))
        self._run("note_removed_monitor", (monitor,))

    def add_arrival(self: _Sqlite, arrival: Arrival) -> int:
        a = arrival
        identity = (a.monitor, a.path, a.size, a.mtime_ns, a.digest)
        number = self._add("add_arrival", (*identity, a.ctime_ns, a.at, a.fate.value, a.answer, a.error))
        for job in a.jobs:
            self._run("add_arrival_job", (job, number))
        return number

    def arrival(self: _Sqlite, arrival: int) -> Arrival | None:
        found: Arrival | None = self._one("arrival", (arrival,), arrival_of)
        return found and replace(found, jobs=tuple(job for (job,) in self._all("jobs_of_arrival", (found.id,))))

    def arrival_like(self: _Sqlite, monitor: int, seen: Sighting) -> Arrival | None:
        identity = (monitor, seen.path, seen.size, seen.mtime_ns, seen.digest)
        found: Arrival | None = self._one("arrival_like", identity, arrival_of)
        return found

    def save_arrival(self: _Sqlite, arrival: Arrival) -> None:
        self._save("save_arrival", (arrival.ctime_ns, arrival.fate.value, arrival.error, arrival.id), arrival.id)
        if arrival.fate is Fate.OVER:
            self._run("delete_arrival_jobs", (arrival.id,))

    def arrival_of_job(self: _Sqlite, job: int) -> int | None:
        found: int | None = self._one("arrival_of_job", (job,), lambda row: row[0])
        return found

    def arrivals_due(self: _Sqlite, after: int, limit: int) -> Sequence[Arrival]:
        return [arrival_of(row) for row in self._all("arrivals_due", (after, limit))]

    def arrivals_known(self: _Sqlite, monitor: int, after: int, limit: int) -> Sequence[Row]:
        return self._all("arrivals_known", (monitor, after, limit))

    def delete_stray_arrivals(self: _Sqlite, limit: int) -> int:
        monitor = self._one("removed_monitor", (), lambda row: row[0])
        if monitor is None:
            return 0
        self._run("delete_jobs_of_arrivals", (monitor, limit))
        went: int = self._run("delete_arrivals", (monitor, limit)).rowcount
        if went < limit:
            self._run("forget_removed_monitor", (monitor,))
        return went


class _Memory(Protocol):
    _monitors: Rows[int, MonitorRow]
    _arrivals: Rows[int, Arrival]
    _arrivals_by_key: dict[tuple[Any, ...], int]
    _arrival_jobs: Rows[int, int]
    _removed_monitors: Rows[int, bool]

    def _next(self, table: str) -> int: ...


class MemoryMonitors:
    """Mixed into `fa.store.memory.MemoryTables`, with the same answers."""

    def _make_monitor_tables(self: Any) -> None:
        self._monitors = self._table("monitor")
        self._arrivals_by_key: dict[tuple[Any, ...], int] = {}
        self._arrivals = self._table("arrival", self._arrival_moved)
        self._arrival_jobs = self._table("arrival_job")
        self._removed_monitors = self._table("monitor_removed")

    def _arrival_moved(self: _Memory, old: Arrival | None, new: Arrival | None) -> None:
        if old is not None:
            del self._arrivals_by_key[_key(old.monitor, old)]
        if new is not None:
            self._arrivals_by_key[_key(new.monitor, new)] = new.id

    def monitor(self: _Memory, monitor: int) -> MonitorRow | None:
        return self._monitors.get(monitor)

    def monitor_named(self: _Memory, name: str) -> MonitorRow | None:
        return next((row for row in self._monitors.values() if row.name == name), None)

    def monitors(self: _Memory) -> Sequence[MonitorRow]:
        return sorted(self._monitors.values(), key=lambda row: row.name)

    def add_monitor(self: _Memory, row: MonitorRow) -> int:
        number = self._next("monitor")
        self._monitors.put(number, replace(row, id=number))
        return number

    def save_monitor(self: _Memory, row: MonitorRow) -> None:
        self._monitors.save(row.id, row)

    def remove_monitor(self: _Memory, monitor: int) -> None:
        self._monitors.put(monitor, None)
        self._removed_monitors.put(monitor, True)

    def add_arrival(self: _Memory, arrival: Arrival) -> int:
        assert _key(arrival.monitor, arrival) not in self._arrivals_by_key, "an identity is added once"
        number = self._next("arrival")
        self._arrivals.put(number, replace(arrival, id=number, jobs=()))
        for job in arrival.jobs:
            self._arrival_jobs.put(job, number)
        return number

    def arrival(self: _Memory, arrival: int) -> Arrival | None:
        found = self._arrivals.get(arrival)
        jobs = sorted(job for job, of in self._arrival_jobs.items() if of == arrival)
        return found and replace(found, jobs=tuple(jobs))

    def arrival_like(self: _Memory, monitor: int, seen: Sighting) -> Arrival | None:
        number = self._arrivals_by_key.get(_key(monitor, seen))
        return None if number is None else self._arrivals[number]

    def save_arrival(self: _Memory, arrival: Arrival) -> None:
        self._arrivals.save(arrival.id, replace(arrival, jobs=()))
        if arrival.fate is Fate.OVER:
            for job in [job for job, of in self._arrival_jobs.items() if of == arrival.id]:
                self._arrival_jobs.put(job, None)

    def arrival_of_job(self: _Memory, job: int) -> int | None:
        return self._arrival_jobs.get(job)

    def arrivals_due(self: _Memory, after: int, limit: int) -> Sequence[Arrival]:
        return [row for key, row in sorted(self._arrivals.items()) if key > after and row.fate in DUE][:limit]

    def arrivals_known(self: _Memory, monitor: int, after: int, limit: int) -> Sequence[Row]:
        rows = [row for key, row in sorted(self._arrivals.items()) if key > after and row.monitor == monitor]
        return [(row.id, row.path, row.size, row.mtime_ns, row.ctime_ns) for row in rows[:limit]]

    def delete_stray_arrivals(self: _Memory, limit: int) -> int:
        monitor = min(self._removed_monitors, default=None)
        if monitor is None:
            return 0
        went = sorted(row.id for row in self._arrivals.values() if row.monitor == monitor)[:limit]
        for job in [job for job, of in self._arrival_jobs.items() if of in went]:
            self._arrival_jobs.put(job, None)
        for number in went:
            self._arrivals.put(number, None)
        if len(went) < limit:
            self._removed_monitors.put(monitor, None)
        return len(went)


def _key(monitor: int, seen: Arrival | Sighting) -> tuple[Any, ...]:
    return monitor, seen.path, seen.size, seen.mtime_ns, seen.digest
