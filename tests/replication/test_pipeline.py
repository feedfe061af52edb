"""What waits in front of the writer: works may be taken back, and put back, but never lost."""

from __future__ import annotations

from typing import Any

from fa.core.position import Position
from fa.replication.errors import NotStarted
from fa.replication.group import Work
from fa.replication.pipeline import Pipeline


class Queue:
    """A pipeline in front of a writer that does nothing by itself; `told` are the outcomes by key."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(group=2, in_flight=2)
        self.pipeline.open_epoch(1)
        self.pipeline.take()
        self.told: list[tuple[int, Any]] = []

    def submit(self, *keys: int) -> None:
        for key in keys:

            def done(outcome: Any, _: Position, key: int = key) -> None:
                self.told.append((key, type(outcome)))

            self.pipeline.submit(Work(lambda _: None, done, key=key))

    def take(self) -> list[Any]:
        return [work.key for work in self.pipeline.take()[0]]


def test_a_work_that_nobody_waits_for_is_not_begun() -> None:
    queue = Queue()
    queue.submit(1, 2, 3)
    queue.pipeline.withdraw(2)
    assert queue.told == [(2, NotStarted)]
    assert queue.take() == [1, 3]


def test_a_work_that_was_taken_goes_its_way() -> None:
    """It may be committed at this moment: to say that it was not would be untrue."""
    queue = Queue()
    queue.submit(1, 2)
    assert queue.take() == [1, 2]
    queue.pipeline.withdraw(1)
    assert queue.told == []


def test_what_was_put_back_is_the_first_of_the_next_group() -> None:
    queue = Queue()
    queue.submit(1, 2)
    works, _, _ = queue.pipeline.take()
    queue.submit(3)
    queue.pipeline.put_back(works[1:])
    assert queue.take() == [2, 3]


def test_works_without_a_key_are_nobodys() -> None:
    queue = Queue()
    queue.pipeline.submit(Work(lambda _: None, lambda *_: None))
    queue.pipeline.withdraw(7)
    assert queue.take() == [None]
