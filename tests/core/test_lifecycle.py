"""The drawing, arrow by arrow: what is in it happens, everything else is refused."""

from __future__ import annotations

from itertools import product

import pytest

from fa.core.lifecycle import (
    ACTIVE,
    FINAL,
    TRANSITIONS,
    IllegalTransition,
    JobState,
    TaskEvent,
    TaskState,
    allows,
    job_state,
    next_state,
)

ARROWS = {
    "queued assign running", "queued hold held", "queued cancel cancelled", "held release queued",
    "held cancel cancelled", "running grant publishing", "running requeue queued", "running fail failed",
    "running cancel cancelled", "publishing publish succeeded", "publishing requeue queued", "publishing fail failed",
    "failed retry queued", "cancelled retry queued",
}  # fmt: skip


@pytest.mark.parametrize(("state", "event"), list(product(TaskState, TaskEvent)))
def test_a_task_moves_along_the_arrows_and_nowhere_else(state: TaskState, event: TaskEvent) -> None:
    after = [arrow.split()[2] for arrow in ARROWS if arrow.startswith(f"{state} {event} ")]
    assert allows(state, event) is bool(after)
    if after:
        assert next_state(state, event) == after[0]
    else:
        with pytest.raises(IllegalTransition, match=f"A task that is {state} cannot {event}"):
            next_state(state, event)


def test_every_state_is_reached_and_only_ends_stay() -> None:
    assert set(TRANSITIONS.values()) == set(TaskState)
    assert {state for state in TaskState if state not in {start for start, _ in TRANSITIONS}} == {TaskState.SUCCEEDED}
    assert not FINAL & ACTIVE


@pytest.mark.parametrize(
    ("tasks", "job"),
    [
        ("succeeded", "succeeded"),
        ("succeeded failed", "failed"),
        ("failed cancelled", "failed"),
        ("succeeded cancelled", "cancelled"),
        ("succeeded queued failed", "queued"),
        ("held queued", "queued"),
        ("held failed", "held"),
        ("queued held running", "running"),
        ("publishing failed", "running"),
    ],
)
def test_a_jobs_state_follows_from_its_tasks(tasks: str, job: str) -> None:
    states = [TaskState(name) for name in tasks.split()]
    assert job_state(states) is job_state(reversed(states)) is JobState(job)


def test_there_is_no_job_without_tasks() -> None:
    with pytest.raises(ValueError, match="at least one task"):
        job_state([])
