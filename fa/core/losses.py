"""A task whose node is lost each time it runs may be what kills it: it is not sent from node to node for ever.

How often that was is read from its attempts: nothing of it is kept anywhere else. It starts anew with any other end of
an attempt; one that its node stopped in order, or whose volume was in trouble, says neither."""

from __future__ import annotations

from fa.core import alarms as a
from fa.core.change import Change
from fa.core.ledger_alerts import clear_alert, raise_alert
from fa.core.lifecycle import TaskEvent, TaskState
from fa.core.model import Attempt, AttemptState, Task

HELD_AFTER = 5  # losses in a row; once released, as many again
ALERT = "job.losses"
LOOK_BACK = 100  # attempts


def with_its_node(node: str) -> str:
    """Why its attempts are given away when a node is lost."""
    return f"{node} was lost"


def with_its_life(node: str) -> str:
    """The same when it is there again, and runs them no more."""
    return f"{node} no longer runs it"


def losses_of(change: Change, task: Task) -> int:
    """In a row, the last attempt among them."""
    count = 0
    for number in range(task.attempt, max(0, task.attempt - LOOK_BACK), -1):
        attempt = change.tables.attempt(task.id, number)
        if attempt is None or attempt.state is not AttemptState.LOST:
            break
        count += _is_loss(attempt)
    return count


def _is_loss(attempt: Attempt) -> bool:
    return attempt.error in (with_its_node(attempt.node), with_its_life(attempt.node))


def hold(change: Change, task: Task, at: int) -> None:
    """It was queued again, and is kept from running until a person says so."""
    text = (
        f"its node was lost each of the last {HELD_AFTER} times it ran; "
        f"release it with `fa job release {task.job}` when you know why"
    )
    change.move(task, TaskEvent.HOLD, deferred_until=None, error=text)
    raise_alert(change, a.RaiseAlert(ALERT, f"job/{task.job}", f"job {task.job}, {task.product}: {text}", at))


def released(change: Change, job: int, tasks: list[Task], at: int) -> None:
    """A person has seen to it."""
    if any(task.state is TaskState.HELD for task in tasks):
        clear_alert(change, a.ClearAlert(ALERT, f"job/{job}", at))
