"""Rows of the store and values of the node as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from fa.core.lifecycle import TaskState
from fa.core.model import Alert, Attempt, Event, Job, Output, Task, Token
from fa.node.api.shapes import (
    AlertShape,
    AttemptShape,
    EventShape,
    JobShape,
    NodeBrief,
    NodeShape,
    OutputShape,
    RunningTask,
    SlotsShape,
    TaskShape,
    TokenShape,
    VolumeShape,
)
from fa.node.gateway import NodeStatus, Progress, VolumeStatus

_STILL = Progress(phase="")
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999  # of the years 1 to 9999, in ms


def stamp(at_ms: int) -> str:
    """RFC 3339, UTC, milliseconds. A file may bear any time: what is beyond the calendar is shown as its end."""
    seconds, ms = divmod(min(max(at_ms, _FIRST), _LAST), 1000)
    return f"{_second(seconds)}.{ms:03d}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def stamp_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else stamp(at_ms)


def job_fields(job: Job, tasks: Iterable[Task], progress: Mapping[int, Progress]) -> dict[str, object]:
    return {
        "id": job.id,
        "state": job.state.value,
        "factory": job.factory,
        "factory_version": job.factory_version,
        "source": job.source,
        "subject": job.subject,
        "description": job.description,
        "priority": job.priority,
        "submitted_at": stamp(job.submitted_at),
        "submitted_by": job.submitted_by,
        "monitor": job.monitor or None,
        "finished_at": stamp_or_none(job.finished_at),
        "tasks": [task_shape(task, progress) for task in tasks],
    }


def job_shape(job: Job, tasks: Iterable[Task], progress: Mapping[int, Progress]) -> JobShape:
    return JobShape(**job_fields(job, tasks, progress))  # type: ignore[arg-type]


def task_shape(task: Task, progress: Mapping[int, Progress]) -> TaskShape:
    running = task.state in (TaskState.RUNNING, TaskState.PUBLISHING)
    now = progress.get(task.id, _STILL) if running else _STILL
    done = 1.0 if task.state in (TaskState.SUCCEEDED, TaskState.PUBLISHING) else None
    return TaskShape(
        id=task.id,
        product=task.product,
        state=task.state.value,
        attempt=task.attempt,
        node=task.node or None,
        phase=now.phase or ("delivering" if task.state is TaskState.PUBLISHING else None),
        progress=done if done is not None else (now.progress if running else None),
        error=task.error or None,
        output=output_shape(task.output),
        destination=task.destination,
        fps=now.fps,
        speed=now.speed,
        eta=now.eta,
        deferred_until=stamp_or_none(task.deferred_until),
    )


def output_shape(output: Output | None) -> OutputShape | None:
    return None if output is None else OutputShape(output.path, output.bytes, output.sha256)


def attempt_shape(attempt: Attempt, product: str) -> AttemptShape:
    return AttemptShape(
        product=product,
        number=attempt.number,
        node=attempt.node,
        state=attempt.state.value,
        started_at=stamp(attempt.started_at),
        finished_at=stamp_or_none(attempt.finished_at),
        error=attempt.error or None,
    )


def slots_of(node: NodeStatus) -> dict[str, SlotsShape]:
    if node.kind == "witness":
        return {}
    used = {name: 0 for name, _ in node.view.slots}
    for name, cost, _ in node.view.used:
        used[name] = used.get(name, 0) + cost
    return {name: SlotsShape(used=used[name], total=total) for name, total in node.view.slots}


def node_brief(node: NodeStatus) -> NodeBrief:
    return NodeBrief(node.view.name, node.state, slots_of(node), node.version)


def node_shape(node: NodeStatus) -> NodeShape:
    view = node.view
    return NodeShape(
        name=view.name,
        state=node.state,
        slots=slots_of(node),
        version=node.version,
        kind=node.kind,
        address=node.address,
        mode=view.mode.value,
        seen_ms_ago=node.seen_ms_ago,
        offers=sorted(view.offers),
        unhealthy=dict(view.unhealthy),
        only_factories=list(view.only_factories),
        only_tags=list(view.only_tags),
        quarantined=list(view.quarantined),
        tasks=[RunningTask(task, attempt) for task, attempt in node.tasks],
    )


def volume_shape(volume: VolumeStatus) -> VolumeShape:
    return VolumeShape(volume.name, volume.node, volume.path, volume.state, volume.why, volume.free, volume.total)


def event_shape(event: Event) -> EventShape:
    return EventShape(event.id, stamp(event.at), event.kind, event.severity, event.subject, event.text)


def alert_shape(alert: Alert) -> AlertShape:
    return AlertShape(
        alert.id, stamp(alert.at), alert.kind, alert.subject, alert.text,
        stamp_or_none(alert.acked_at), alert.acked_by or None, stamp_or_none(alert.cleared_at),
    )  # fmt: skip


def token_shape(token: Token) -> TokenShape:
    return TokenShape(
        token.id,
        token.role.value,
        token.label,
        stamp(token.created_at),
        stamp_or_none(token.expires_at),
        token.uses_left,
    )
