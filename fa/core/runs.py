"""The attempts that count, as the coordinator remembers them: by task, by node; and those that still have to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fa.core.commands import Order
from fa.core.model import Group, Output, Spare
from fa.core.work import Key


@dataclass(slots=True)
class Run:
    """One attempt. `order` is unknown where an earlier coordinator gave it; `told` how often its node was told of it,
    `told_at` when last, `seen` whether a beat has shown it there; `part` and `output` once it is granted, `granted_at`
    when that was or when this coordinator took over, `asked` how often other nodes were asked to finish its publish;
    `encoded` once its node said that its encoder has ended.
    `replace`, `source`, `spare`: whether its publish may overwrite, and what it never does. `group`: what it needs of a
    node, None for what does not count."""

    task: int
    attempt: int
    node: str
    boot: int
    cost: int
    slot_class: str
    priority: int
    order: Order | None = None
    told_at: float = 0.0
    told: int = 0
    seen: bool = False
    part: str = ""
    output: Output | None = None
    granted_at: float = 0.0
    replace: bool = False
    source: str = ""
    asked: int = 0
    encoded: bool = False
    spare: Spare | None = None
    group: Group | None = None

    @property
    def key(self) -> Key:
        return (self.task, self.attempt)

    @property
    def granted(self) -> bool:
        return self.output is not None

    @property
    def delivering(self) -> bool:
        return self.encoded or self.granted


class Runs:
    """`ending`: attempts that no longer count, whose processes still take slots until their node confirms that they are
    gone."""

    def __init__(self) -> None:
        self._by_task: dict[int, Run] = {}
        self._on: dict[str, dict[Key, Run]] = {}
        self._ending: dict[str, dict[Key, Run]] = {}

    def add(self, run: Run) -> None:
        assert run.task not in self._by_task, "a task is given again only when its last attempt is over"
        self._by_task[run.task] = run
        self._on.setdefault(run.node, {})[run.key] = run

    def end(self, key: Key) -> Run | None:
        """Forget the attempt, if it is the one that counts."""
        run = self.get(key)
        if run is not None:
            del self._by_task[run.task]
            del self._on[run.node][run.key]
        return run

    def get(self, key: Key) -> Run | None:
        run = self._by_task.get(key[0])
        return run if run is not None and run.attempt == key[1] else None

    def shares(self, key: Key) -> bool:
        """Whether it counts, and others beside it."""
        return self.get(key) is not None and len(self._by_task) > 1

    def of_task(self, task: int) -> Run | None:
        return self._by_task.get(task)

    def on(self, node: str) -> list[Run]:
        return list(self._on.get(node, {}).values())

    def granted(self) -> Iterator[Run]:
        return (run for run in self._by_task.values() if run.granted)

    def nodes(self) -> list[str]:
        """Those that have some, in the order in which they first had."""
        return [node for node, runs in self._on.items() if runs]

    def await_end(self, run: Run) -> None:
        self._ending.setdefault(run.node, {})[run.key] = run

    def ending_on(self, node: str) -> list[Run]:
        return list(self._ending.get(node, {}).values())

    def ended(self, node: str, key: Key) -> bool:
        """Its process is gone; whether that was awaited."""
        return self._ending.get(node, {}).pop(key, None) is not None

    def forget_node(self, node: str) -> None:
        """It left the array; what counted there is for others now."""
        self._ending.pop(node, None)
