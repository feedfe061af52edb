"""What `MemoryTables` is made of: tables whose changes can be walked back, and what is derived from the tasks."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from fa.core.lifecycle import ACTIVE, TaskState
from fa.core.model import Task

K = TypeVar("K")
V = TypeVar("V")

Change = tuple[str, Any, Any]  # table, key, row (None = there is none)
Place = tuple[int, int]  # sorted lists of these: (-priority, id) in a queue, (deferred_until, id) of the deferred


class Rows(dict[K, V], Generic[K, V]):
    """One table. `moved(old, new)` keeps what is derived from it."""

    def __init__(self, name: str, journal: list[Change], moved: Callable[[V | None, V | None], None] | None = None):
        super().__init__()
        self._name, self._journal, self._moved = name, journal, moved

    def put(self, key: K, row: V | None) -> None:
        old = self.get(key)
        self._journal.append((self._name, key, old))
        if row is None:
            self.pop(key, None)
        else:
            self[key] = row
        if self._moved:
            self._moved(old, row)

    def save(self, key: K, row: V) -> None:
        if key not in self:
            raise KeyError(key)
        self.put(key, row)


class Queue:
    """What is derived from the tasks: who waits in which group, who is deferred, who is active, whose job it is."""

    def __init__(self) -> None:
        self.waiting: defaultdict[int, list[Place]] = defaultdict(list)
        self.deferred: list[Place] = []
        self.active: list[Place] = []
        self.of_job: defaultdict[int, list[Place]] = defaultdict(list)

    def moved(self, old: Task | None, new: Task | None) -> None:
        if old is not None:
            places, place = self._place(old)
            del places[bisect_left(places, place)]
        if new is not None:
            insort(*self._place(new))
        if old is None or new is None:
            self._of_job(old, new)

    def _of_job(self, old: Task | None, new: Task | None) -> None:
        if old is not None:
            self.of_job[old.job].remove((old.ordinal, old.id))
        if new is not None:
            insort(self.of_job[new.job], (new.ordinal, new.id))

    def _place(self, task: Task) -> tuple[list[Place], Place]:
        if task.state in ACTIVE:
            return self.active, (task.id, 0)
        if task.state is not TaskState.QUEUED:
            return [(0, 0)], (0, 0)  # nobody looks for these: a list to be thrown away
        if task.deferred_until is not None:
            return self.deferred, (task.deferred_until, task.id)
        return self.waiting[task.group], (-task.priority, task.id)
