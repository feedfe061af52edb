"""Rows of SQLite to values of `fa.core.model` and back. The order of columns is that of `queries.sql`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from fa.core.lifecycle import JobState, TaskState
from fa.core.model import (
    Alert,
    Attempt,
    AttemptState,
    FactoryVersion,
    Group,
    Job,
    NodeMode,
    NodeRow,
    Output,
    Role,
    Spare,
    Task,
    Token,
)
from fa.core.tables import Remembered

Row = tuple[Any, ...]

# A look-up in a dict costs a third of a call of the enum.
_JOB_STATES = {state.value: state for state in JobState}
_TASK_STATES = {state.value: state for state in TaskState}
_ATTEMPT_STATES = {state.value: state for state in AttemptState}


def job_of(row: Row) -> Job:
    number, factory, version, source, state, *rest = row
    return Job(number, factory, version, source, _JOB_STATES[state], *rest)


def job_row(job: Job) -> Row:
    """All columns but the id."""
    return (
        job.factory,
        job.factory_version,
        job.source,
        job.state.value,
        job.priority,
        job.submitted_at,
        job.subject,
        job.description,
        job.submitted_by,
        job.monitor,
        job.finished_at,
    )


def task_of(row: Row) -> Task:
    number, job, ordinal, product, state, priority, group, cost, destination, attempt, failures, node, *rest = row
    blocked, deferred_until, error, path, size, sha256 = rest
    return Task(
        number,
        job,
        ordinal,
        product,
        _TASK_STATES[state],
        priority,
        group,
        cost,
        destination,
        attempt,
        failures,
        node,
        words_of(blocked),
        deferred_until,
        error,
        None if path is None else Output(path, size, sha256),
    )


def task_born(task: Task) -> Row:
    """The columns that never change, without the id, then those of :func:`task_row`; in the order of `add_task`."""
    state, priority, *rest = task_row(task)
    return (
        task.job,
        task.ordinal,
        task.product,
        state,
        priority,
        task.group,
        task.cost,
        task.destination,
        *rest,
    )


def task_row(task: Task) -> Row:
    """The columns that change."""
    return (
        task.state.value,
        task.priority,
        task.attempt,
        task.failures,
        task.node,
        text_of(task.blocked),
        task.deferred_until,
        task.error,
        *output_row(task.output),
    )


def spare_of(row: Row) -> Spare:
    job, path, size, sha256 = row
    return Spare(job, None if path is None else Output(path, size, sha256))


def attempt_of(row: Row) -> Attempt:
    task, number, node, epoch, state, started_at, finished_at, error, boot, part, path, size, sha256 = row
    output = None if path is None else Output(path, size, sha256)
    state = _ATTEMPT_STATES[state]
    return Attempt(task, number, node, epoch, state, started_at, finished_at, error, boot, part, output)


def attempt_born(attempt: Attempt) -> Row:
    """All columns, in the order of `add_attempt`."""
    state, finished_at, error, *rest = attempt_row(attempt)
    return (
        attempt.task,
        attempt.number,
        attempt.node,
        attempt.epoch,
        state,
        attempt.started_at,
        finished_at,
        error,
        attempt.boot,
        *rest,
    )


def attempt_row(attempt: Attempt) -> Row:
    """The columns that change."""
    return (attempt.state.value, attempt.finished_at, attempt.error, attempt.part, *output_row(attempt.output))


def output_row(output: Output | None) -> Row:
    return (None, None, None) if output is None else (output.path, output.bytes, output.sha256)


def group_of(row: Row) -> Group:
    number, factory, slot_class, cost, requires = row
    return Group(number, factory, slot_class, cost, words_of(requires))


def remembered_of(row: Row) -> Remembered:
    key, digest, jobs, at = row
    return Remembered(key, digest, tuple(json.loads(jobs)), at)


def node_of(row: Row) -> NodeRow:
    name, mode, *rest = row
    return NodeRow(name, NodeMode(mode), *rest)


def token_of(row: Row) -> Token:
    number, role, *rest = row
    return Token(number, Role(role), *rest)


def factory_of(row: Row) -> FactoryVersion:
    return FactoryVersion(*row)


def alert_of(row: Row) -> Alert:
    return Alert(*row)


def alert_row(alert: Alert) -> Row:
    """All columns but the id."""
    return (
        alert.at,
        alert.kind,
        alert.subject,
        alert.text,
        alert.acked_at,
        alert.acked_by,
        alert.cleared_at,
    )


def list_of(values: Iterable[object]) -> str:
    """As SQL's json_each takes it."""
    return json.dumps(list(values))


@lru_cache(maxsize=4096)
def words_of(text: str) -> tuple[str, ...]:
    """What :func:`text_of` made; few lists (requirements, node names) come again and again."""
    return tuple(json.loads(text)) if text else ()


@lru_cache(maxsize=4096)
def text_of(words: tuple[str, ...]) -> str:
    return json.dumps(words) if words else ""
