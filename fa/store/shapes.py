"""Rows as JSON objects, as the API shows them (DESIGN.md section 7). `phase` and `progress` of what runs are not in the
store: the API puts them in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fa.core.lifecycle import TaskState
from fa.core.model import Alert, Attempt, Event, FactoryVersion, Output, Task, Token
from fa.store.pages import JobView

Shape = dict[str, Any]


def job_shape(view: JobView) -> Shape:
    job = view.job
    return {
        "id": job.id,
        "state": job.state.value,
        "factory": printable(job.factory),
        "factory_version": job.factory_version,
        "source": printable(job.source),
        "subject": printable(job.subject),
        "description": printable(job.description),
        "priority": job.priority,
        "submitted_at": time_of(job.submitted_at),
        "submitted_by": printable(job.submitted_by),
        "monitor": printable(job.monitor) or None,
        "finished_at": time_of(job.finished_at),
        "tasks": [task_shape(task) for task in view.tasks],
    }


def task_shape(task: Task) -> Shape:
    return {
        "id": task.id,
        "product": printable(task.product),
        "state": task.state.value,
        "attempt": task.attempt,
        "failures": task.failures,
        "node": printable(task.node) or None,
        "phase": None,
        "progress": 1.0 if task.state is TaskState.SUCCEEDED else 0.0,
        "destination": printable(task.destination),
        "deferred_until": time_of(task.deferred_until),
        "error": printable(task.error) or None,
        "output": output_shape(task.output),
    }


def attempt_shape(attempt: Attempt) -> Shape:
    return {
        "task": attempt.task,
        "attempt": attempt.number,
        "node": printable(attempt.node),
        "epoch": attempt.epoch,
        "state": attempt.state.value,
        "started_at": time_of(attempt.started_at),
        "finished_at": time_of(attempt.finished_at),
        "error": printable(attempt.error) or None,
        "output": output_shape(attempt.output),
    }


def output_shape(output: Output | None) -> Shape | None:
    if output is None:
        return None
    return {"path": printable(output.path), "bytes": output.bytes, "sha256": output.sha256}


def event_shape(event: Event) -> Shape:
    return {
        "id": event.id,
        "at": time_of(event.at),
        "kind": event.kind,
        "severity": event.severity,
        "subject": printable(event.subject),
        "text": printable(event.text),
    }


def alert_shape(alert: Alert) -> Shape:
    return {
        "id": alert.id,
        "at": time_of(alert.at),
        "kind": alert.kind,
        "subject": printable(alert.subject),
        "text": printable(alert.text),
        "acked_at": time_of(alert.acked_at),
        "acked_by": printable(alert.acked_by) or None,
        "cleared_at": time_of(alert.cleared_at),
    }


def factory_shape(factory: FactoryVersion) -> Shape:
    return {
        "name": printable(factory.name),
        "version": factory.version,
        "text": printable(factory.text),
        "created_at": time_of(factory.created_at),
        "created_by": printable(factory.created_by) or None,
    }


def token_shape(token: Token) -> Shape:
    """Without the hash: nobody needs to see that."""
    return {
        "id": token.id,
        "role": token.role.value,
        "label": printable(token.label),
        "created_at": time_of(token.created_at),
        "expires_at": time_of(token.expires_at),
        "uses_left": token.uses_left,
    }


def time_of(at: int | None) -> str | None:
    """RFC 3339 UTC with ms; None where there is no time."""
    if at is None:
        return None
    seconds, ms = divmod(at, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03}Z"


def printable(text: str) -> str:
    """Bytes that were no UTF-8 as ``\\xff``: JSON has no way to say them."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
