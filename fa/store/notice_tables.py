"""Open alerts and notices in both stores: the part of `SqliteTables` and of `MemoryTables` that is about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from fa.core.alarms import Notice
from fa.core.model import Alert
from fa.store.memory_rows import Rows
from fa.store.rows import Row, alert_of, text_of, words_of


def notice_of(row: Row) -> Notice:
    number, at, kind, severity, subject, text, targets, *ended = row
    return Notice(number, at, kind, severity, subject, text, words_of(targets), *ended)


class _Sqlite(Protocol):
    def _run(self, name: str, parameters: Row = ()) -> Any: ...
    def _one(self, name: str, parameters: Row, make: Callable[[Row], Any]) -> Any: ...
    def _all(self, name: str, parameters: Row = ()) -> list[Row]: ...
    def _add(self, name: str, parameters: Row) -> int: ...
    def _save(self, name: str, parameters: Row, key: object) -> None: ...


class SqliteNotices:
    """Mixed into `fa.store.tables.SqliteTables`, which carries the statements out."""

    def open_alerts(self: _Sqlite) -> Sequence[Alert]:
        return [alert_of(row) for row in self._all("open_alerts")]

    def add_notice(self: _Sqlite, notice: Notice) -> int:
        n = notice
        told = (n.at, n.kind, n.severity, n.subject, n.text, text_of(n.targets))
        return self._add("add_notice", (*told, n.done_at, n.outcome))

    def notice(self: _Sqlite, notice: int) -> Notice | None:
        found: Notice | None = self._one("notice", (notice,), notice_of)
        return found

    def save_notice(self: _Sqlite, notice: Notice) -> None:
        self._save("end_notice", (notice.done_at, notice.outcome, notice.id), notice.id)

    def delete_notices(self: _Sqlite, before: int, limit: int) -> int:
        count: int = self._run("delete_notices", (before, limit)).rowcount
        return count


class _Memory(Protocol):
    _alerts: Rows[int, Alert]
    _open_alerts: dict[tuple[str, str], int]
    _notices: Rows[int, Notice]

    def _next(self, table: str) -> int: ...
    def _table(self, name: str) -> Rows[Any, Any]: ...


class MemoryNotices:
    """Mixed into `fa.store.memory.MemoryTables`."""

    def _make_notice_tables(self: _Memory) -> None:
        self._notices = self._table("notice")

    def open_alerts(self: _Memory) -> Sequence[Alert]:
        return [self._alerts[number] for number in sorted(self._open_alerts.values())]

    def add_notice(self: _Memory, notice: Notice) -> int:
        number = self._next("notice")
        self._notices.put(number, replace(notice, id=number))
        return number

    def notice(self: _Memory, notice: int) -> Notice | None:
        return self._notices.get(notice)

    def save_notice(self: _Memory, notice: Notice) -> None:
        known = self._notices[notice.id]
        same = replace(notice, done_at=known.done_at, outcome=known.outcome) == known
        assert same, "what a notice says never changes"
        self._notices.put(notice.id, notice)

    def delete_notices(self: _Memory, before: int, limit: int) -> int:
        done = sorted((n.done_at, n.id) for n in self._notices.values() if n.done_at is not None and n.done_at < before)
        for _, number in done[:limit]:
            self._notices.put(number, None)
        return len(done[:limit])
