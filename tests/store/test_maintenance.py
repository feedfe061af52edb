from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from fa.core.lifecycle import JobState, TaskState
from fa.core.model import Alert, Event
from fa.core.query import parse
from fa.store.maintenance import delete_cleared_alerts, delete_finished_jobs, delete_old_events
from fa.store.pages import Place, read_jobs
from fa.store.tables import JOBS_PER_INDEXING, SqliteTables
from tests.store.make import add_job, add_task, attempt_of


@pytest.fixture
def tables(connection: sqlite3.Connection) -> SqliteTables:
    return SqliteTables(connection)


def finished(tables: SqliteTables, at: int | None) -> int:
    job = add_job(tables, state=JobState.SUCCEEDED if at else JobState.QUEUED, finished_at=at)
    task = add_task(tables, job, state=TaskState.SUCCEEDED if at else TaskState.QUEUED)
    tables.add_attempt(attempt_of(task))
    return job.id


def rows(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_finished_jobs_go_the_oldest_first_a_few_at_a_time(
    connection: sqlite3.Connection, tables: SqliteTables
) -> None:
    jobs = [finished(tables, at) for at in (50, 10, None, 30, 99)]
    assert delete_finished_jobs(connection, before=99, limit=2) == 2
    assert [tables.job(job) is not None for job in jobs] == [True, False, True, False, True]
    assert delete_finished_jobs(connection, before=99, limit=2) == 1
    assert delete_finished_jobs(connection, before=99, limit=2) == 0
    assert [rows(connection, table) for table in ("job", "task", "attempt")] == [2, 2, 2]
    assert tables.counts() == dict.fromkeys(JobState, 0) | {JobState.QUEUED: 1, JobState.SUCCEEDED: 1}
    assert len(tables.waiting_groups()) == 1


def test_ids_of_deleted_jobs_are_not_used_again(connection: sqlite3.Connection, tables: SqliteTables) -> None:
    last = finished(tables, 5)
    assert delete_finished_jobs(connection, before=9) == 1
    assert finished(tables, 5) == last + 1


def test_deleted_jobs_leave_the_index_of_free_text(connection: sqlite3.Connection, tables: SqliteTables) -> None:
    for number in range(JOBS_PER_INDEXING + 3):
        add_job(tables, subject=f"clip-{number:04}", state=JobState.SUCCEEDED, finished_at=1 + number)
    assert delete_finished_jobs(connection, before=11) == 10
    assert delete_finished_jobs(connection, before=JOBS_PER_INDEXING + 3, limit=500) == JOBS_PER_INDEXING - 8
    indexed = connection.execute("""SELECT count(*) FROM job_text WHERE job_text MATCH '"cli"'""").fetchone()
    assert indexed == (0,), "those that are left are past the mark"
    found = read_jobs(connection, parse("clip-02", 0), Place()).items
    assert [view.job.subject for view in found] == ["clip-0258"]


def test_old_events_go(connection: sqlite3.Connection, tables: SqliteTables) -> None:
    for at in range(10):
        tables.add_event(Event(at, "k", "info", "s", "t"))
    assert delete_old_events(connection, keep=4, limit=5) == 5
    assert delete_old_events(connection, keep=4, limit=5) == 1
    assert delete_old_events(connection, keep=4, limit=5) == 0
    assert [row[0] for row in connection.execute("SELECT id FROM event")] == [7, 8, 9, 10]


def test_cleared_alerts_go(connection: sqlite3.Connection, tables: SqliteTables) -> None:
    alert = Alert(0, 1, "solo", "array", "text")
    tables.add_alert(replace(alert, cleared_at=5))
    kept = [tables.add_alert(replace(alert, cleared_at=9)), tables.add_alert(alert)]
    assert delete_cleared_alerts(connection, before=9) == 1
    assert [row[0] for row in connection.execute("SELECT id FROM alert ORDER BY id")] == kept
