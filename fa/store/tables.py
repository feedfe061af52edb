"""`fa.core.tables.Tables` on SQLite: what the ledger works on, inside the transactions of the one writer.

The connection belongs to the replication writer (`isolation_level=None`, so that nothing here begins or commits); all
calls come from its thread. Statements are constants, so that sqlite3's own cache keeps them prepared."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fa.core.lifecycle import JobState
from fa.core.model import Alert, Attempt, Event, FactoryVersion, Group, Job, NodeRow, Output, Reign, Spare, Task, Token
from fa.core.tables import Quarantine, Remembered
from fa.store import maintenance, rows
from fa.store.monitor_tables import SqliteMonitors
from fa.store.notice_tables import SqliteNotices
from fa.store.queries import SQL
from fa.store.rows import Row
from fa.store.text import text_of_bytes, with_raw_bytes

T = TypeVar("T")
JOBS_PER_INDEXING = 256  # of free text: one at a time costs 16 times as much (schema/0001_store.sql)


class SqliteTables(SqliteMonitors, SqliteNotices):
    """Fulfils `fa.core.tables.Tables`.

    What a job was submitted with, and what a task and an attempt began with, never changes: `save_job` writes state,
    priority and finished_at; `save_task` all but job, ordinal, product, group, cost and destination; `save_attempt`
    all but node, epoch, boot and started_at. File names that are not UTF-8 are kept byte
    for byte (`surrogateescape`); text that is no file name and no Unicode either raises :class:`~fa.errors.Invalid`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.text_factory = text_of_bytes
        self._cursor = connection.cursor()

    def _run(self, name: str, parameters: Row = ()) -> sqlite3.Cursor:
        try:
            return self._cursor.execute(SQL[name], parameters)
        except UnicodeEncodeError:
            return self._cursor.execute(*with_raw_bytes(SQL[name], parameters))

    def _one(self, name: str, parameters: Row, make: Callable[[Row], T]) -> T | None:
        row: Row | None = self._run(name, parameters).fetchone()
        return None if row is None else make(row)

    def _all(self, name: str, parameters: Row = ()) -> list[Row]:
        return self._run(name, parameters).fetchall()

    def _add(self, name: str, parameters: Row) -> int:
        number = self._run(name, parameters).lastrowid
        assert number is not None, "an INSERT into a rowid table has a rowid"
        return number

    def _save(self, name: str, parameters: Row, key: object) -> None:
        if self._run(name, parameters).rowcount == 0:
            raise KeyError(key)

    # --- jobs and their tasks ---

    def add_job(self, job: Job) -> int:
        number = self._add("add_job", rows.job_row(job))
        if number % JOBS_PER_INDEXING == 0:
            self._run("index_jobs", (number,))
            self._run("mark_indexed", (number,))
        return number

    def job(self, job: int) -> Job | None:
        return self._one("job", (job,), rows.job_of)

    def save_job(self, job: Job) -> None:
        self._save("save_job", (job.state.value, job.priority, job.finished_at, job.id), job.id)

    def add_task(self, task: Task) -> int:
        return self._add("add_task", rows.task_born(task))

    def task(self, task: int) -> Task | None:
        return self._one("task", (task,), rows.task_of)

    def save_task(self, task: Task) -> None:
        self._save("save_task", (*rows.task_row(task), task.id), task.id)

    def tasks_of(self, job: int) -> Sequence[Task]:
        return [rows.task_of(row) for row in self._all("tasks_of", (job,))]

    def spare(self, path: str) -> Spare | None:
        return self._one("spare", (path,), rows.spare_of)

    def put_delivery(self, job: int, output: Output) -> None:
        self._run("put_delivery", (output.path, job, output.bytes, output.sha256))

    def active_tasks(self) -> Sequence[Task]:
        return [rows.task_of(row) for row in self._all("active_tasks")]

    def counts(self) -> dict[JobState, int]:
        return {JobState(state): jobs for state, jobs in self._all("counts")}

    # --- the queue ---

    def group_id(self, group: Group) -> int:
        key = (group.factory, group.slot_class, group.cost, rows.text_of(group.requires))
        known = self._one("group_id", key, first)
        return self._add("add_group", key) if known is None else known

    def group(self, group: int) -> Group | None:
        return self._one("group", (group,), rows.group_of)

    def waiting_groups(self) -> Sequence[Group]:
        return [rows.group_of(row) for row in self._all("waiting_groups")]

    def heads(self, group: int, limit: int, after: Task | None = None) -> Sequence[Task]:
        if after is None:
            found = self._all("heads", (group, limit))
        else:
            place = (group, after.priority, after.id, limit, group, after.priority, limit, limit)
            found = self._all("heads_after", place)
        return [rows.task_of(row) for row in found]

    def wake_deferred(self, at: int, limit: int) -> int:
        return self._run("wake_deferred", (at, limit)).rowcount

    def next_deferred(self) -> int | None:
        ((at,),) = self._all("next_deferred")
        return None if at is None else int(at)

    # --- attempts ---

    def add_attempt(self, attempt: Attempt) -> None:
        self._run("add_attempt", rows.attempt_born(attempt))

    def attempt(self, task: int, number: int) -> Attempt | None:
        return self._one("attempt", (task, number), rows.attempt_of)

    def save_attempt(self, attempt: Attempt) -> None:
        key = (attempt.task, attempt.number)
        self._save("save_attempt", (*rows.attempt_row(attempt), *key), key)

    # --- requests that may come twice ---

    def remembered(self, key: str) -> Remembered | None:
        return self._one("remembered", (key,), rows.remembered_of)

    def remember(self, request: Remembered) -> None:
        self._run("remember", (request.key, request.digest, json.dumps(request.jobs), request.at))

    def forget_before(self, at: int, limit: int) -> int:
        return self._run("forget_before", (at, limit)).rowcount

    # --- what grows old ---

    def delete_finished_jobs(self, before: int, limit: int) -> int:
        return maintenance.delete_finished_jobs(self._cursor.connection, before, limit)

    def delete_old_events(self, keep: int, limit: int) -> int:
        return maintenance.delete_old_events(self._cursor.connection, keep, limit)

    def delete_cleared_alerts(self, before: int, limit: int) -> int:
        return maintenance.delete_cleared_alerts(self._cursor.connection, before, limit)

    # --- set-up ---

    def factory(self, name: str, version: int | None = None) -> FactoryVersion | None:
        if version is None:
            return self._one("factory_newest", (name,), rows.factory_of)
        return self._one("factory_version", (name, version), rows.factory_of)

    def newest_version(self, name: str) -> int:
        return self._one("newest_version", (name,), first) or 0

    def add_factory(self, factory: FactoryVersion) -> None:
        row = (factory.name, factory.version, factory.text, factory.created_at, factory.created_by)
        self._run("add_factory_version", row)
        self._run("offer_factory", (factory.name, factory.version))

    def remove_factory(self, name: str) -> None:
        self._run("remove_factory", (name,))

    def node(self, name: str) -> NodeRow | None:
        return self._one("node", (name,), rows.node_of)

    def nodes(self) -> Sequence[NodeRow]:
        return [rows.node_of(row) for row in self._all("nodes")]

    def put_node(self, node: NodeRow) -> None:
        at, life = (node.joined_at, node.removed_at), (node.index, node.kind, node.incarnation)
        self._run("put_node", (node.name, node.mode.value, node.address, *at, *life))

    def token(self, token: str) -> Token | None:
        return self._one("token", (token,), rows.token_of)

    def put_token(self, token: Token) -> None:
        life = (token.created_at, token.expires_at, token.uses_left)
        self._run("put_token", (token.id, token.role.value, token.sha256, *life, token.label))

    def remove_token(self, token: str) -> None:
        self._run("remove_token", (token,))

    # --- what happened ---

    def add_event(self, event: Event) -> int:
        return self._add("add_event", (event.at, event.kind, event.severity, event.subject, event.text))

    def open_alert(self, kind: str, subject: str) -> Alert | None:
        return self._one("open_alert", (kind, subject), rows.alert_of)

    def alert(self, alert: int) -> Alert | None:
        return self._one("alert", (alert,), rows.alert_of)

    def add_alert(self, alert: Alert) -> int:
        return self._add("add_alert", rows.alert_row(alert))

    def save_alert(self, alert: Alert) -> None:
        self._save("save_alert", (*rows.alert_row(alert), alert.id), alert.id)

    def quarantines(self) -> Sequence[Quarantine]:
        return [Quarantine(*row) for row in self._all("quarantines")]

    def put_quarantine(self, quarantine: Quarantine) -> None:
        row = (quarantine.node, quarantine.factory, quarantine.since, quarantine.reason)
        self._run("put_quarantine", row)

    def remove_quarantine(self, node: str, factory: str) -> None:
        self._run("remove_quarantine", (node, factory))

    # --- facts ---

    def add_reign(self, reign: Reign) -> None:
        row = (reign.epoch, reign.coordinator, reign.before, reign.at, reign.why, reign.outage_ms)
        self._run("add_reign", row)

    def last_reign(self) -> Reign | None:
        return self._one("last_reign", (), lambda row: Reign(*row))

    def fact(self, name: str) -> str | None:
        return self._one("fact", (name,), first)

    def put_fact(self, name: str, value: str) -> None:
        self._run("put_fact", (name, value))


def first(row: Row) -> Any:
    return row[0]
