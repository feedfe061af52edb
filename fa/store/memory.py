"""The twin of `fa.store.tables` in plain dicts, for the simulator and the tests of the core.

Every change goes through :meth:`Rows.put`, which keeps the old row in one journal. That makes a snapshot a number, a
rollback a walk backwards, and a copy or a shipment to another store a list of rows; what is derived (the queue, the
counters) follows the rows in both directions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from fa.core.lifecycle import JobState
from fa.core.model import Alert, Attempt, Event, FactoryVersion, Group, Job, NodeRow, Output, Reign, Spare, Task, Token
from fa.core.tables import Quarantine, Remembered
from fa.store.memory_rows import Change, Queue, Rows
from fa.store.monitor_tables import MemoryMonitors
from fa.store.notice_tables import MemoryNotices


class MemoryTables(MemoryMonitors, MemoryNotices):
    """Fulfils `fa.core.tables.Tables`, with the same answers as `SqliteTables`."""

    def __init__(self) -> None:
        self._journal: list[Change] = []
        self._queue = Queue()
        self._counts = dict.fromkeys(JobState, 0)
        self._open_alerts: dict[tuple[str, str], int] = {}
        self._groups_by_need: dict[tuple[str, str, int, tuple[str, ...]], int] = {}
        self._tables: dict[str, Rows[Any, Any]] = {}
        self._last: Rows[str, int] = self._table("last")  # ids given so far, by table
        self._jobs: Rows[int, Job] = self._table("job", self._job_moved)
        self._tasks: Rows[int, Task] = self._table("task", self._queue.moved)
        self._attempts: Rows[tuple[int, int], Attempt] = self._table("attempt")
        self._groups: Rows[int, Group] = self._table("group", self._group_moved)
        self._sources: dict[str, set[int]] = {}
        self._deliveries: Rows[str, tuple[int, Output]] = self._table("delivery")
        self._requests: Rows[str, Remembered] = self._table("request")
        self._newest: Rows[str, tuple[int, bool]] = self._table("factory")
        self._versions: Rows[tuple[str, int], FactoryVersion] = self._table("factory_version")
        self._nodes: Rows[str, NodeRow] = self._table("node")
        self._tokens: Rows[str, Token] = self._table("token")
        self._events: Rows[int, Event] = self._table("event")
        self._alerts: Rows[int, Alert] = self._table("alert", self._alert_moved)
        self._quarantines: Rows[tuple[str, str], Quarantine] = self._table("quarantine")
        self._reigns: Rows[int, Reign] = self._table("reign")
        self._facts: Rows[str, str] = self._table("fact")
        self._make_monitor_tables()
        self._make_notice_tables()

    def _table(self, name: str, moved: Callable[[Any, Any], None] | None = None) -> Rows[Any, Any]:
        table = self._tables[name] = Rows(name, self._journal, moved)
        return table

    # --- snapshots ---

    def mark(self) -> int:
        """A snapshot to go back to; costs nothing."""
        return len(self._journal)

    def rollback(self, mark: int) -> None:
        """Undo everything since `mark`."""
        undo = self._journal[mark:]
        for table, key, row in reversed(undo):
            self._tables[table].put(key, row)
        del self._journal[mark:]

    def changes(self, mark: int = 0) -> list[Change]:
        """The rows that differ since `mark`, as they are now: what :meth:`apply` takes on another store."""
        touched = dict.fromkeys((table, key) for table, key, _ in self._journal[mark:])
        return [(table, key, self._tables[table].get(key)) for table, key in touched]

    def apply(self, changes: Iterable[Change]) -> None:
        for table, key, row in changes:
            self._tables[table].put(key, row)

    def forget(self) -> None:
        """Drop the journal: no mark made so far can be gone back to."""
        self._journal.clear()

    def copy(self) -> MemoryTables:
        """An independent store with the same rows; they are shared, being frozen."""
        other = MemoryTables()
        other.apply((name, key, row) for name, table in self._tables.items() for key, row in table.items())
        other.forget()
        return other

    # --- jobs and their tasks ---

    def _next(self, table: str) -> int:
        number = self._last.get(table, 0) + 1
        self._last.put(table, number)
        return number

    def _job_moved(self, old: Job | None, new: Job | None) -> None:
        if old is not None:
            self._counts[old.state] -= 1
            if new is None:
                self._sources[old.source].remove(old.id)
        if new is not None:
            self._counts[new.state] += 1
            self._sources.setdefault(new.source, set()).add(new.id)

    def add_job(self, job: Job) -> int:
        number = self._next("job")
        self._jobs.put(number, replace(job, id=number))
        return number

    def job(self, job: int) -> Job | None:
        return self._jobs.get(job)

    def save_job(self, job: Job) -> None:
        assert _job_birth(job) == _job_birth(self._jobs[job.id]), "what a job was submitted with never changes"
        self._jobs.put(job.id, job)

    def add_task(self, task: Task) -> int:
        number = self._next("task")
        self._tasks.put(number, replace(task, id=number))
        return number

    def task(self, task: int) -> Task | None:
        return self._tasks.get(task)

    def save_task(self, task: Task) -> None:
        assert _task_birth(task) == _task_birth(self._tasks[task.id]), "what a task was made with never changes"
        self._tasks.put(task.id, task)

    def tasks_of(self, job: int) -> Sequence[Task]:
        return [self._tasks[task] for _, task in self._queue.of_job.get(job, ())]

    def spare(self, path: str) -> Spare | None:
        jobs = self._sources.get(path)
        return Spare(min(jobs), self._deliveries.get(path, (0, None))[1]) if jobs else None

    def put_delivery(self, job: int, output: Output) -> None:
        self._deliveries.put(output.path, (job, output))

    def active_tasks(self) -> Sequence[Task]:
        return [self._tasks[task] for task, _ in self._queue.active]

    def counts(self) -> dict[JobState, int]:
        return dict(self._counts)

    # --- the queue ---

    def _group_moved(self, old: Group | None, new: Group | None) -> None:
        if old is not None:
            del self._groups_by_need[_need(old)]
        if new is not None:
            self._groups_by_need[_need(new)] = new.id

    def group_id(self, group: Group) -> int:
        known = self._groups_by_need.get(_need(group))
        if known is not None:
            return known
        number = self._next("group")
        self._groups.put(number, replace(group, id=number))
        return number

    def group(self, group: int) -> Group | None:
        return self._groups.get(group)

    def waiting_groups(self) -> Sequence[Group]:
        return [self._groups[group] for group, places in sorted(self._queue.waiting.items()) if places]

    def heads(self, group: int, limit: int, after: Task | None = None) -> Sequence[Task]:
        places = self._queue.waiting.get(group, [])
        start = 0 if after is None else bisect_right(places, (-after.priority, after.id))
        return [self._tasks[task] for _, task in places[start : start + limit]]

    def wake_deferred(self, at: int, limit: int) -> int:
        due = self._queue.deferred[: bisect_left(self._queue.deferred, (at + 1, 0))][:limit]
        for _, task in due:
            self._tasks.put(task, replace(self._tasks[task], deferred_until=None))
        return len(due)

    def next_deferred(self) -> int | None:
        return self._queue.deferred[0][0] if self._queue.deferred else None

    # --- attempts ---

    def add_attempt(self, attempt: Attempt) -> None:
        assert (attempt.task, attempt.number) not in self._attempts, "an attempt is added once"
        self._attempts.put((attempt.task, attempt.number), attempt)

    def attempt(self, task: int, number: int) -> Attempt | None:
        return self._attempts.get((task, number))

    def save_attempt(self, attempt: Attempt) -> None:
        key = (attempt.task, attempt.number)
        assert _attempt_birth(attempt) == _attempt_birth(self._attempts[key]), (
            "what an attempt began with never changes"
        )
        self._attempts.put(key, attempt)

    # --- requests that may come twice ---

    def remembered(self, key: str) -> Remembered | None:
        return self._requests.get(key)

    def remember(self, request: Remembered) -> None:
        self._requests.put(request.key, request)

    def forget_before(self, at: int, limit: int) -> int:
        old = sorted((request.at, key) for key, request in self._requests.items() if request.at < at)[:limit]
        for _, key in old:
            self._requests.put(key, None)
        return len(old)

    # --- what grows old ---

    def delete_finished_jobs(self, before: int, limit: int) -> int:
        finished = [(job.finished_at, job.id) for job in self._jobs.values() if job.finished_at is not None]
        old = sorted(place for place in finished if place[0] < before)[:limit]
        for _, job in old:
            for task in self.tasks_of(job):
                for number in range(1, task.attempt + 1):
                    self._attempts.put((task.id, number), None)
                self._tasks.put(task.id, None)
            for path in [path for path, (by, _) in self._deliveries.items() if by == job]:
                self._deliveries.put(path, None)
            self._jobs.put(job, None)
        return len(old)

    def delete_old_events(self, keep: int, limit: int) -> int:
        newest = max(self._events, default=0)
        old = sorted(event for event in self._events if event <= newest - keep)[:limit]
        for event in old:
            self._events.put(event, None)
        return len(old)

    def delete_cleared_alerts(self, before: int, limit: int) -> int:
        cleared = [alert for alert in self._alerts.values() if alert.cleared_at is not None]
        old = sorted(alert.id for alert in cleared if alert.cleared_at < before)[:limit]  # type: ignore[operator]
        for alert in old:
            self._alerts.put(alert, None)
        return len(old)

    # --- set-up ---

    def factory(self, name: str, version: int | None = None) -> FactoryVersion | None:
        newest, offered = self._newest.get(name, (0, False))
        if version is None:
            return self._versions[name, newest] if offered else None
        return self._versions.get((name, version))

    def newest_version(self, name: str) -> int:
        return self._newest.get(name, (0, False))[0]

    def add_factory(self, factory: FactoryVersion) -> None:
        assert (factory.name, factory.version) not in self._versions, "a version is added once"
        self._versions.put((factory.name, factory.version), factory)
        self._newest.put(factory.name, (factory.version, True))

    def remove_factory(self, name: str) -> None:
        if name in self._newest:
            self._newest.put(name, (self._newest[name][0], False))

    def node(self, name: str) -> NodeRow | None:
        return self._nodes.get(name)

    def nodes(self) -> Sequence[NodeRow]:
        return [row for _, row in sorted(self._nodes.items())]

    def put_node(self, node: NodeRow) -> None:
        self._nodes.put(node.name, node)

    def token(self, token: str) -> Token | None:
        return self._tokens.get(token)

    def put_token(self, token: Token) -> None:
        self._tokens.put(token.id, token)

    def remove_token(self, token: str) -> None:
        self._tokens.put(token, None)

    # --- what happened ---

    def add_event(self, event: Event) -> int:
        number = self._next("event")
        self._events.put(number, replace(event, id=number))
        return number

    def _alert_moved(self, old: Alert | None, new: Alert | None) -> None:
        if old is not None and old.cleared_at is None:
            del self._open_alerts[old.kind, old.subject]
        if new is not None and new.cleared_at is None:
            self._open_alerts[new.kind, new.subject] = new.id

    def open_alert(self, kind: str, subject: str) -> Alert | None:
        number = self._open_alerts.get((kind, subject))
        return None if number is None else self._alerts[number]

    def alert(self, alert: int) -> Alert | None:
        return self._alerts.get(alert)

    def add_alert(self, alert: Alert) -> int:
        number = self._next("alert")
        self._alerts.put(number, replace(alert, id=number))
        return number

    def save_alert(self, alert: Alert) -> None:
        self._alerts.save(alert.id, alert)

    def quarantines(self) -> Sequence[Quarantine]:
        return [row for _, row in sorted(self._quarantines.items())]

    def put_quarantine(self, quarantine: Quarantine) -> None:
        self._quarantines.put((quarantine.node, quarantine.factory), quarantine)

    def remove_quarantine(self, node: str, factory: str) -> None:
        self._quarantines.put((node, factory), None)

    # --- reigns and facts ---

    def add_reign(self, reign: Reign) -> None:
        assert reign.epoch not in self._reigns, "an epoch begins once"
        self._reigns.put(reign.epoch, reign)

    def last_reign(self) -> Reign | None:
        return max((reign for _, reign in self._reigns.items()), key=lambda reign: reign.epoch, default=None)

    def fact(self, name: str) -> str | None:
        return self._facts.get(name)

    def put_fact(self, name: str, value: str) -> None:
        self._facts.put(name, value)


def _need(group: Group) -> tuple[str, str, int, tuple[str, ...]]:
    return group.factory, group.slot_class, group.cost, group.requires


def _job_birth(job: Job) -> tuple[object, ...]:
    submitted = (job.factory, job.factory_version, job.source, job.submitted_at, job.submitted_by, job.monitor)
    return (*submitted, job.subject, job.description)


def _task_birth(task: Task) -> tuple[object, ...]:
    return task.job, task.ordinal, task.product, task.group, task.cost, task.destination


def _attempt_birth(attempt: Attempt) -> tuple[object, ...]:
    return attempt.node, attempt.epoch, attempt.boot, attempt.started_at
