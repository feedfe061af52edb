"""What must hold, seen from outside: by the store, by the volume, and by what really ran where."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fa.core.commands import ActOnJobs, AttemptOver, Command, Dispatch, JobAction, Order, SubmitJobs
from fa.core.ledger import Outcome
from fa.core.lifecycle import FINAL, TaskState
from fa.core.model import AttemptState, NodeView, Task
from fa.core.scheduling import why_never
from fa.core.work import Key

if TYPE_CHECKING:
    from tests.sim.work.node import Node
    from tests.sim.work.world import World


class Violation(AssertionError):
    """Something happened that must never happen."""


class Checks:
    """`touched`: nodes that a fault has struck; of the others no attempt that was begun may be begun again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.touched: set[str] = set()
        self.jobs: list[int] = []
        self.tasks: list[int] = []
        self.keys: dict[str, tuple[int, ...]] = {}
        self.bad_sources: set[int] = set()  # jobs
        self.cancelled: set[int] = set()
        self._begun: dict[Key, str] = {}
        self._final: dict[str, str] = {}  # path → content, the first for ever

    # --- what happened ---

    def started(self, node: Node, order: Order) -> None:
        key = (order.task, order.attempt)
        require(key not in self._begun, f"attempt {key} is begun twice, on {self._begun.get(key)} and {node.name}")
        self._begun[key] = node.name
        used: Counter[str] = Counter()
        here: Counter[str] = Counter()
        for process in node.processes.values():
            used[process.order.slot_class] += 0 if process.encoded else process.order.cost
        for running in node.worker.running:
            here[running.slot_class] += running.cost
        for slot_class, total in node.view.slots:
            require(here[slot_class] <= 2 * total, f"{node.name} piles up {here[slot_class]} for {total} {slot_class}")
            require(used[slot_class] <= total, f"{node.name} runs {used[slot_class]} of {total} {slot_class} slots")

    def published(self, path: str, content: str) -> None:
        """Only what the store granted, and that only once."""
        require(path not in self._final, f"{path} was {self._final.get(path)} and becomes {content}")
        self._final[path] = content
        task, number, _ = content.split("-")
        attempt = self._world.store.tables.attempt(int(task), int(number))
        granted = attempt is not None and attempt.output is not None and attempt.output.sha256 == content
        require(granted, f"{content} became {path} without a grant")

    def changed(self, command: Command, outcome: Outcome) -> None:
        match command:
            case SubmitJobs(key=key) if not outcome.value.replayed:
                require(key not in self.keys, f"request {key} was carried out twice")
                self.keys[key] = outcome.value.jobs
                self.jobs += outcome.value.jobs
                self.tasks += [task.id for _, tasks in outcome.value.rows for task in tasks]
            case ActOnJobs(JobAction.CANCEL, jobs):
                self.cancelled.update(jobs)
            case Dispatch(nodes=nodes) if outcome.value.orders:
                self._fair(outcome.value.orders, {view.name: view for view in nodes})

        for fact in outcome.facts:
            if isinstance(fact, AttemptOver) and fact.state == AttemptState.LOST and fact.node not in self.touched:
                key = (fact.task, fact.attempt)
                require(key not in self._begun, f"attempt {key} ran on {fact.node}, which was well, and is given away")

    def hopeless(self, order: Order) -> bool:
        return order.job in self.bad_sources

    def _fair(self, orders: tuple[Order, ...], views: dict[str, NodeView]) -> None:
        """Nobody was passed over: who waits still, further ahead, could not have had that slot."""
        tables = self._world.store.tables
        waiting = [task for group in tables.waiting_groups() for task in tables.heads(group.id, 20)]
        for order in orders:
            node = views[order.node]
            for task in waiting:
                ahead = (-task.priority, task.id) < (-order.priority, order.task)
                fits = task.cost <= order.cost and not node.reserve and not task.blocked
                group = tables.group(task.group)
                assert group is not None
                if ahead and fits and group.slot_class == order.slot_class and group.factory not in node.quarantined:
                    passed = why_never(group, node) is None and not dict(node.unhealthy)
                    require(not passed, f"task {task.id} was passed over by {order.task} on {order.node}")

    # --- at the end ---

    def unfinished(self) -> int:
        return sum(self._task(task).state not in FINAL for task in self.tasks)

    def final(self) -> None:
        for number in self.tasks:
            self._final_task(self._task(number))
        left = sorted(set(self._world.files.finals) - {self._task(task).destination for task in self.tasks})
        require(not left, f"{left} belong to nobody")

    def _final_task(self, task: Task) -> None:
        tables = self._world.store.tables
        attempts = [tables.attempt(task.id, number) for number in range(1, task.attempt + 1)]
        states = Counter(attempt.state for attempt in attempts if attempt)
        require(states[AttemptState.RUNNING] + states[AttemptState.PUBLISHING] == 0, f"task {task.id} ended and runs")
        there = self._world.files.finals.get(task.destination)
        if task.state is TaskState.SUCCEEDED:
            require(states[AttemptState.SUCCEEDED] == 1, f"task {task.id} succeeded {states}")
            assert task.output is not None
            require(there == task.output.sha256, f"task {task.id} says {task.output.sha256}, the file is {there}")
            return
        require(there is None, f"task {task.id} is {task.state} and {there} is visible")
        if task.state is TaskState.CANCELLED:
            require(task.job in self.cancelled, f"nobody cancelled task {task.id}")
        else:
            full = sum(attempt.error == "full" for attempt in attempts if attempt)  # uses up no try
            why = states[AttemptState.FAILED] - full >= 3 or task.job in self.bad_sources
            require(why, f"task {task.id} failed without a reason: {task.error}")

    def _task(self, number: int) -> Task:
        task = self._world.store.tables.task(number)
        require(task is not None, f"task {number} is lost")
        assert task is not None
        return task


def require(holds: bool, sentence: str) -> None:
    if not holds:
        raise Violation(sentence)
