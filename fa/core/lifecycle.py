"""The life of a task, and what follows from it for its job.

::

               hold            assign              grant              publish
    held <-----------> queued ---------> running ---------> publishing ---------> succeeded
      |    release       ^  |              |  |                |    |
      |                  |  |     requeue  |  | fail           |    | fail
      |                  +--|--------------+--|----------------+    |
      |                  |  |              |  +-----> failed <------+
      | cancel           |  | cancel       | cancel      |
      +------------------|--+--------------+-> cancelled |
                         |                        |      |
                         +--------- retry --------+------+

A task in ``publishing`` was granted: its output may already be visible, so it can no longer be cancelled; it is settled
first (DESIGN.md section 5, SAFETY.md R9). What is not in the table raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from fa.errors import Conflict


class TaskState(StrEnum):
    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    PUBLISHING = "publishing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskEvent(StrEnum):
    ASSIGN = "assign"
    GRANT = "grant"
    PUBLISH = "publish"
    REQUEUE = "requeue"
    FAIL = "fail"
    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"
    RETRY = "retry"


TRANSITIONS: dict[tuple[TaskState, TaskEvent], TaskState] = {
    (TaskState.QUEUED, TaskEvent.ASSIGN): TaskState.RUNNING,
    (TaskState.QUEUED, TaskEvent.HOLD): TaskState.HELD,
    (TaskState.QUEUED, TaskEvent.CANCEL): TaskState.CANCELLED,
    (TaskState.HELD, TaskEvent.RELEASE): TaskState.QUEUED,
    (TaskState.HELD, TaskEvent.CANCEL): TaskState.CANCELLED,
    (TaskState.RUNNING, TaskEvent.GRANT): TaskState.PUBLISHING,
    (TaskState.RUNNING, TaskEvent.REQUEUE): TaskState.QUEUED,
    (TaskState.RUNNING, TaskEvent.FAIL): TaskState.FAILED,
    (TaskState.RUNNING, TaskEvent.CANCEL): TaskState.CANCELLED,
    (TaskState.PUBLISHING, TaskEvent.PUBLISH): TaskState.SUCCEEDED,
    (TaskState.PUBLISHING, TaskEvent.REQUEUE): TaskState.QUEUED,
    (TaskState.PUBLISHING, TaskEvent.FAIL): TaskState.FAILED,
    (TaskState.FAILED, TaskEvent.RETRY): TaskState.QUEUED,
    (TaskState.CANCELLED, TaskEvent.RETRY): TaskState.QUEUED,
}

FINAL = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED})
ACTIVE = frozenset({TaskState.RUNNING, TaskState.PUBLISHING})


class IllegalTransition(Conflict):
    """The task is in a state in which this cannot happen; nothing was changed."""


def next_state(state: TaskState, event: TaskEvent) -> TaskState:
    """The state after ``event``; raises :class:`IllegalTransition` where the drawing has no such arrow."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"A task that is {state} cannot {event}.") from None


def allows(state: TaskState, event: TaskEvent) -> bool:
    return (state, event) in TRANSITIONS


def job_state(tasks: Iterable[TaskState]) -> JobState:
    """A job's state follows from its tasks: work first, then waiting, then the worst end.

    Raises ``ValueError`` for a job without tasks: there is no such job.
    """
    states = frozenset(tasks)
    if not states:
        raise ValueError("a job has at least one task")
    if states & ACTIVE:
        return JobState.RUNNING
    for waiting in (TaskState.QUEUED, TaskState.HELD):
        if waiting in states:
            return JobState(waiting.value)
    for end in (TaskState.FAILED, TaskState.CANCELLED):
        if end in states:
            return JobState(end.value)
    return JobState.SUCCEEDED
