"""Attempts: given to nodes, granted, finished, failed, given away.

At most one attempt of a task counts, and at most one is ever granted the publish (DESIGN.md section 5, SAFETY.md R9):
a grant is a committed row, a task is dispatched again only when its last attempt is over, and a granted attempt is over
only once it is known on which side of the rename it ended. Whatever comes late, from an attempt that no longer counts,
changes nothing and is answered with a refusal."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fa.core.change import Change
from fa.core.commands import (
    AskPublish,
    Assigned,
    Dispatch,
    FailAttempt,
    FinishAttempt,
    GiveAway,
    Granted,
    Order,
    TasksReady,
    Unsettle,
)
from fa.core.lifecycle import TaskEvent, TaskState
from fa.core.losses import HELD_AFTER, hold, losses_of
from fa.core.model import Attempt, AttemptState, Cause, FactoryVersion, Group, Job, NodeMode, NodeView, Task
from fa.core.recipe_path import RESERVED_FOLDER
from fa.core.scheduling import Board, still_blocked
from fa.errors import Conflict

BACKOFF_FIRST_MS = 5_000
BACKOFF_LONGEST_MS = 300_000
ROOM_LONGEST_MS = 60_000  # a node that knows that there is still no room says so at once
DOUBLINGS_MAX = 8  # of the wait; by then it is the longest
DOUBTED = frozenset({Cause.VIEW, Cause.VERDICT})  # what two nodes must say before it is so
LOOK_BACK = 16  # attempts of a task that are asked whether another node said the same
HEADS_AT_ONCE = 4  # read of a group's queue per query, once its first one was given away
LOOK_PAST_MAX = 64  # heads of one group that are kept from the open nodes, in one round: the queue may be full of them
LOOK_PAST_MORE = 800  # beyond that, of all groups: a sick node fails no more before others try (`health.UNDECIDED_MAX`)
PAST_AT_ONCE = 32  # read per query meanwhile
WOKEN_AT_ONCE = 1000  # deferred tasks per commit

_WORDS_OF_PROGRAM = re.compile(r"[:(]|\d")


class Refused(Conflict):
    """This attempt does not count any more: stop it and clean up after it."""

    code = "attempt-refused"


@dataclass(frozen=True, slots=True)
class Dispatched:
    """`next_due`: when the next deferred task wants its turn (ms), if any. `more`: it ended at its limit."""

    orders: tuple[Order, ...]
    next_due: int | None
    more: bool


def dispatch(change: Change, command: Dispatch) -> Dispatched:
    """Fill open slots from the head of the queue. Costs as much as there are groups and open slots, whatever waits."""
    next_due = _wake_deferred(change, command.at)
    board = Board(command.nodes)
    give = _Assignments(change, command)
    if board.has_room():
        queue = _Heads(change, board)
        places = _Places(board, command.nodes, give)
        while len(give.orders) < command.limit and (head := queue.pop()):
            group, task = head
            node, blocked = places.find(group, task)
            if node:
                give.order(task, group, node)
                if not board.has_room():
                    break
                queue.advance(group, task)
            elif blocked:
                queue.look_past(group, task)
    more = len(give.orders) == command.limit
    return Dispatched(tuple(give.orders), next_due, more)


def _wake_deferred(change: Change, at: int) -> int | None:
    """Queue what is due; when the next one is."""
    next_due = change.tables.next_deferred()
    if next_due is None or next_due > at:
        return next_due
    change.tables.wake_deferred(at, WOKEN_AT_ONCE)
    return change.tables.next_deferred()


class _Places:
    """Finds nodes for heads. Slots only fill in one round: what is kept from the same nodes as one that found none
    finds none either, and costs nothing."""

    def __init__(self, board: Board, nodes: Sequence[NodeView], give: _Assignments) -> None:
        self._board = board
        self._nodes = nodes
        self._give = give
        self._blocked: dict[tuple[int, int, tuple[str, ...]], tuple[str, ...]] = {}
        self._in_vain: set[tuple[int, int, tuple[str, ...]]] = set()

    def find(self, group: Group, task: Task) -> tuple[str | None, tuple[str, ...]]:
        """A node with the slots for it taken, or None; and the nodes that it is kept from."""
        key = (group.id, task.priority, task.blocked)
        if key in self._in_vain:
            return None, self._blocked[key]
        if key not in self._blocked:
            self._blocked[key] = still_blocked(group, self._nodes, task.priority, task.blocked)
        blocked = self._blocked[key]
        node = self._board.place(group, task.priority, blocked)
        while node and not self._give.takes_work(node):
            self._board.close(node)
            node = self._board.place(group, task.priority, blocked)
        if node is None:
            self._in_vain.add(key)
        return node, blocked


class _Heads:
    """The queue of the whole array, looked at through the head of each group that some node may run now.

    A group whose head finds no slot is left out for the rest of the round, as those behind it need the same and come
    later; unless the head was only kept from a node where it had failed."""

    def __init__(self, change: Change, board: Board) -> None:
        self._tables = change.tables
        self._heap: list[tuple[int, int, int]] = []  # (-priority, task, group)
        self._groups: dict[int, Group] = {}
        self._ahead: dict[int, list[Task]] = {}
        self._passed: Counter[int] = Counter()  # heads looked past, by group
        self._more = LOOK_PAST_MORE
        for group in self._tables.waiting_groups():
            if board.able(group):
                self._groups[group.id] = group
                self._push(group.id, self._tables.heads(group.id, 1))

    def pop(self) -> tuple[Group, Task] | None:
        if not self._heap:
            return None
        _, _, group = heapq.heappop(self._heap)
        return self._groups[group], self._ahead[group].pop(0)

    def advance(self, group: Group, done: Task, at_once: int = 0) -> None:
        """Look at the one behind."""
        ahead = self._ahead[group.id] or self._tables.heads(group.id, at_once or HEADS_AT_ONCE, after=done)
        self._push(group.id, ahead)

    def look_past(self, group: Group, kept: Task) -> None:
        """The same, but not for ever."""
        self._passed[group.id] += 1
        if self._passed[group.id] >= LOOK_PAST_MAX:
            if not self._more:
                return
            self._more -= 1
        self.advance(group, kept, PAST_AT_ONCE)

    def _push(self, group: int, tasks: Sequence[Task]) -> None:
        ahead = list(tasks)
        self._ahead[group] = ahead
        if ahead:
            heapq.heappush(self._heap, (-ahead[0].priority, ahead[0].id, group))


class _Assignments:
    """What one round of dispatch gives away."""

    def __init__(self, change: Change, command: Dispatch) -> None:
        self.orders: list[Order] = []
        self._change = change
        self._command = command
        self._boots = {view.name: view.boot for view in command.nodes}
        self._versions: dict[tuple[str, int], FactoryVersion] = {}
        self._taking: dict[str, bool] = {}

    def takes_work(self, node: str) -> bool:
        """Not if it was told to drain, to pause or to go after the coordinator looked: the store knows best."""
        if node not in self._taking:
            row = self._change.tables.node(node)
            self._taking[node] = row is None or (row.removed_at is None and row.mode is NodeMode.UP)
        return self._taking[node]

    def order(self, task: Task, group: Group, node: str) -> None:
        change, at, epoch = self._change, self._command.at, self._command.epoch
        number, boot = task.attempt + 1, self._boots[node]
        change.move(task, TaskEvent.ASSIGN, attempt=number, node=node, error="")
        change.tables.add_attempt(Attempt(task.id, number, node, epoch, AttemptState.RUNNING, at, boot=boot))
        job = change.begin_job(change.job(task.job))
        version = self._version(job)
        recipe = change.recipes.read(version)
        replaces = recipe is not None and recipe.replace
        order = Order(
            epoch, task.id, number, node, job.id, task.product, job.source, task.destination,
            job.factory, job.factory_version, version.text, task.priority, task.cost, group.slot_class, boot,
            change.tables.spare(task.destination) if replaces else None,
        )  # fmt: skip
        change.fact(Assigned(order, replaces, group))
        self.orders.append(order)

    def _version(self, job: Job) -> FactoryVersion:
        key = (job.factory, job.factory_version)
        if key not in self._versions:
            self._versions[key] = self._change.factory_of(job)
        return self._versions[key]


def ask_publish(change: Change, command: AskPublish) -> bool:
    """Grant the publish to this attempt, and to no other one ever after. Asking again is answered again."""
    current = change.current(command.task, command.attempt)
    if current is None or current[1].node != command.node:
        raise Refused
    task, attempt = current
    _check_places(task, command)
    if attempt.state is AttemptState.PUBLISHING:
        if attempt.output != command.output or attempt.part != command.part:
            raise Refused("This attempt was granted another file.")
    else:
        change.move(task, TaskEvent.GRANT)
        granted = replace(attempt, state=AttemptState.PUBLISHING, part=command.part, output=command.output)
        change.tables.save_attempt(granted)
    change.fact(
        Granted(
            command.node,
            command.task,
            command.attempt,
            command.part,
            command.output,
            change.tables.spare(task.destination),
        )
    )
    return True


def _check_places(task: Task, command: AskPublish) -> None:
    """A grant is for this task's own destination, from a part beside it: a rename cannot leave its file system."""
    volume = task.destination.partition(":")[0]
    if command.output.path != task.destination:
        raise Refused(f"It asks to publish {command.output.path!r}; the task is for {task.destination!r}.")
    if not command.part.startswith(f"{volume}:{RESERVED_FOLDER}/"):
        raise Refused(f"Its part {command.part!r} is not in {volume}:{RESERVED_FOLDER}, where parts are.")


def finish(change: Change, command: FinishAttempt) -> bool:
    """The granted file is at its destination. False when that was known."""
    current = change.current(command.task, command.attempt)
    if current is None:
        return False
    task, attempt = current
    if attempt.state is not AttemptState.PUBLISHING:
        raise Conflict("Only a granted attempt can finish.")
    change.move(task, TaskEvent.PUBLISH, output=attempt.output, error="")
    change.end_attempt(attempt, AttemptState.SUCCEEDED, command.at)
    job = change.settle_job(change.job(task.job), command.at)
    recipe = change.recipe_of(job)
    if recipe and recipe.replace and attempt.output:
        change.tables.put_delivery(job.id, attempt.output)
    return True


def fail(change: Change, command: FailAttempt) -> bool:
    """End a running attempt that failed: again later, on another node where there is one, or never (permanent, or too
    often). False when the attempt did not count any more.

    What a node sees of a volume, and what its programs say of a source or a recipe, is the truth only once another node
    has said the same; until then it counts against nobody, and then against who was wrong (`Health`)."""
    current = change.current(command.task, command.attempt)
    if current is None:
        return False
    task, attempt = current
    if attempt.state is AttemptState.PUBLISHING:
        raise Conflict("A granted attempt is settled, not failed.")
    blame = command.blame and not command.permanent and command.cause is Cause.OTHER
    _end(change, task, attempt, command, command.error, blame)
    return True


def _end(
    change: Change, task: Task, attempt: Attempt, command: FailAttempt | Unsettle, error: str, blame: bool = False
) -> None:
    _fail_task(change, task, attempt.node, command, error)
    after, doubt = change.tables.task(task.id), command.cause in DOUBTED
    final = after is not None and after.state is TaskState.FAILED
    change.end_attempt(attempt, AttemptState.FAILED, command.at, error, blame=blame, doubt=doubt, final=final)


def _fail_task(change: Change, task: Task, node: str, command: FailAttempt | Unsettle, error: str) -> None:
    job, at = change.job(task.job), command.at
    if command.cause is Cause.ROOM:
        _wait(change, task, at, min(_backoff(task.attempt), ROOM_LONGEST_MS), error=error)
    elif command.permanent or (command.cause in DOUBTED and _said_another(change, task, node, command, error)):
        change.move(task, TaskEvent.FAIL, node="", failures=task.failures + 1, error=error)
    elif command.cause is Cause.VERDICT and node not in task.blocked:
        _ask_another(change, task, node, error)
    else:
        _try_again(change, task, job, node, at, error)
    change.settle_job(job, at)


def _try_again(change: Change, task: Task, job: Job, node: str, at: int, error: str) -> None:
    """Later, and elsewhere while there is somewhere else; but not for ever."""
    recipe, failures = change.recipe_of(job), task.failures + 1
    if recipe is None or failures >= recipe.attempts:
        change.move(task, TaskEvent.FAIL, node="", failures=failures, error=error)
    else:
        blocked = tuple(sorted({*task.blocked, node}))
        _wait(change, task, at, _backoff(failures), failures=failures, error=error, blocked=blocked)


def _ask_another(change: Change, task: Task, node: str, error: str) -> None:
    """At once, and it uses up no attempt: each node is asked once, and somebody waits to hear that a source is bad."""
    blocked = tuple(sorted({*task.blocked, node}))
    change.move(task, TaskEvent.REQUEUE, node="", deferred_until=None, error=error, blocked=blocked)
    change.fact(TasksReady())


def _wait(change: Change, task: Task, at: int, ms: int, **also: Any) -> None:
    change.move(task, TaskEvent.REQUEUE, node="", deferred_until=at + ms, **also)
    change.fact(TasksReady())


def _backoff(times: int) -> int:
    return min(BACKOFF_FIRST_MS << min(times - 1, DOUBLINGS_MAX), BACKOFF_LONGEST_MS)


def _said_another(change: Change, task: Task, node: str, command: FailAttempt | Unsettle, error: str) -> bool:
    """Whether another node said the same of this task, since it was submitted or a person retried it."""
    gist = _gist if command.cause is Cause.VERDICT else str
    before = range(max(1, task.attempt - LOOK_BACK), task.attempt)
    tried = (change.tables.attempt(task.id, number) for number in before)
    others = (each for each in tried if each and each.node in task.blocked and each.node != node)
    return any(gist(each.error) == gist(error) for each in others)


def _gist(verdict: str) -> str:
    """Which verdict it is, without the words of the program behind it: those may differ from node to node."""
    return _WORDS_OF_PROGRAM.split(verdict, 1)[0]


def give_away(change: Change, command: GiveAway) -> tuple[tuple[int, int], ...]:
    """Queue lost attempts again at their old place; after the second loss of a node in a row later, after some more on
    hold. Gives back those that are granted: they must be settled first."""
    granted = []
    for number, attempt_number in command.attempts:
        current = change.current(number, attempt_number)
        if current is None:
            continue
        task, attempt = current
        if attempt.state is AttemptState.PUBLISHING:
            granted.append((number, attempt_number))
            continue
        change.end_attempt(attempt, AttemptState.LOST, command.at, command.reason, stop=True)
        _requeue_lost(change, task, command)
        change.settle_job(change.job(task.job), command.at)
    change.fact(TasksReady())
    return tuple(granted)


def _requeue_lost(change: Change, task: Task, command: GiveAway) -> None:
    losses = losses_of(change, task)
    again = losses % HELD_AFTER  # a release begins a new row
    later = command.at + _backoff(again - 1) if again > 1 else None
    queued = change.move(task, TaskEvent.REQUEUE, node="", error=command.reason, deferred_until=later)
    if losses and not again:
        hold(change, queued, command.at)


def unsettle(change: Change, command: Unsettle) -> bool:
    """The granted file did not get to its destination and no longer can. False when that was known."""
    current = change.current(command.task, command.attempt)
    if current is None:
        return False
    task, attempt = current
    if attempt.state is not AttemptState.PUBLISHING:
        raise Conflict("Only a granted attempt can be settled.")
    _end(change, task, attempt, command, command.reason)
    return True
