from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from fa.core.alarms import Notice
from fa.core.model import Alert
from fa.core.tables import Tables
from fa.store.readers import Readers
from fa.store.tables import SqliteTables
from tests.store.conftest import new_store
from tests.store.make import HOSTILE

NOTICE = Notice(0, 5, "solo", "error", "array", "one copy")


def test_a_notice_is_kept_as_it_was_written(tables: Tables) -> None:
    for number, text in enumerate(HOSTILE, start=1):
        notice = Notice(0, 5, "job.failed", "error", "job/1", text, ("mailto://a", "json://b"))
        assert tables.add_notice(notice) == number
        assert tables.notice(number) == replace(notice, id=number)
    assert tables.notice(99) is None


def test_what_was_sent_goes_the_oldest_first(tables: Tables) -> None:
    for done_at in (30, None, 10, 20):
        number = tables.add_notice(NOTICE)
        if done_at:
            tables.save_notice(Notice(number, 5, "solo", "error", "array", "one copy", (), done_at, "why"))
    assert tables.delete_notices(30, 1) == 1 and tables.notice(3) is None
    assert tables.delete_notices(30, 5) == 1 and tables.notice(4) is None
    assert tables.delete_notices(30, 5) == 0
    assert tables.notice(1) and tables.notice(2) == Notice(2, 5, "solo", "error", "array", "one copy")


def test_open_alerts(tables: Tables) -> None:
    for kind, cleared in (("a", None), ("b", 3), ("c", None)):
        tables.add_alert(Alert(0, 1, kind, "array", "x", cleared_at=cleared))
    assert [alert.kind for alert in tables.open_alerts()] == ["a", "c"]


async def _nothing(txid: int) -> None: ...


async def test_readers_see_what_is_still_to_be_sent(tmp_path: Path) -> None:
    path = tmp_path / "fa.db"
    connection: sqlite3.Connection = new_store(str(path))
    tables = SqliteTables(connection)
    for _ in range(3):
        tables.add_notice(NOTICE)
    tables.save_notice(Notice(2, 5, "solo", "error", "array", "one copy", (), 9))
    connection.execute("CREATE TABLE position (txid INTEGER)")
    connection.execute("COMMIT")
    readers = await Readers.open(path, _nothing)
    try:
        assert [notice.id for notice in await readers.notices()] == [1, 3]
        assert [notice.id for notice in await readers.notices(limit=1)] == [1]
    finally:
        await readers.close()
        connection.close()
