"""What ffmpeg or a tool says of a source or a recipe is said by the program of one node: another is asked, if there is
one, and then it counts against who was wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from fa.core import commands as c
from fa.core.lifecycle import TaskState
from fa.core.model import NewJob, NodeMode, Reserve
from fa.core.work import ReportKind
from tests.core.book import AT, books
from tests.core.desk import Desk

REFUSED = "ffmpeg refused the recipe: Unknown encoder 'libx264'. Correct the factory."


@pytest.fixture
def desk() -> Iterator[Desk]:
    for book in books("memory"):
        desk = Desk(book)
        desk.serve()
        yield desk


def submit(desk: Desk, jobs: int) -> None:
    desk.ask(c.SubmitJobs((NewJob("san:in/clip.mxf", "one"),) * jobs, AT))


def serve(desk: Desk, refuses: Callable[[c.Order], bool], seconds: float = 1.0, blame: bool = True) -> None:
    """All that is ordered comes to its end; nobody waits for more than this."""
    until = desk.now + seconds
    while desk.now < until:
        for order in desk.orders():
            key = (order.task, order.attempt)
            if refuses(order):
                desk.report(order.node, key, ReportKind.FAILED, error=REFUSED, permanent=True, blame=blame)
            else:
                desk.wish(order)
                desk.report(order.node, key, ReportKind.PUBLISHED)
        desk.tick(0.1, "abc")


def states(desk: Desk, jobs: int) -> Counter[TaskState]:
    return Counter(desk.book.task(task).state for task in range(1, jobs + 1))


def quarantined(desk: Desk) -> list[str]:
    return [each.node for each in desk.book.tables.quarantines()]


def test_one_node_whose_programs_refuse_all_fails_nothing_and_is_quarantined(desk: Desk) -> None:
    desk.join("a", "b", "c", slots=1)
    submit(desk, 12)
    serve(desk, lambda order: order.node == "c", 3.0)
    assert states(desk, 12) == {TaskState.SUCCEEDED: 12}
    assert quarantined(desk) == ["c"]


def test_a_source_that_is_bad_fails_after_two_tries_at_once_and_counts_against_nobody(desk: Desk) -> None:
    desk.join("a", "b", "c", slots=1)
    submit(desk, 12)
    serve(desk, lambda order: order.task > 3)
    assert states(desk, 12) == {TaskState.SUCCEEDED: 3, TaskState.FAILED: 9}
    assert {desk.book.task(task).attempt for task in range(4, 13)} == {2}
    assert quarantined(desk) == []


@pytest.mark.parametrize("other", ["", "paused", "without its encoder"])
def test_who_can_ask_nobody_is_believed(desk: Desk, other: str) -> None:
    desk.join("a")
    if other == "without its encoder":
        desk.join("b", offers=frozenset())
    if other == "paused":
        desk.join("b")
        desk.ask(c.SetNodeMode("b", NodeMode.PAUSED, AT))
    submit(desk, 1)
    serve(desk, lambda order: True, 0.2)
    assert (desk.book.task(1).state, desk.book.task(1).attempt) == (TaskState.FAILED, 1)


def test_what_a_node_finds_without_any_program_needs_no_second_opinion(desk: Desk) -> None:
    desk.join("a", "b")
    submit(desk, 1)
    serve(desk, lambda order: True, 0.2, blame=False)
    assert (desk.book.task(1).state, desk.book.task(1).attempt) == (TaskState.FAILED, 1)


def test_who_is_busy_is_asked_when_it_has_a_slot(desk: Desk) -> None:
    desk.join("a", "b", slots=1)
    submit(desk, 2)
    first, second = desk.orders()
    desk.report("a", (first.task, 1), ReportKind.FAILED, error=REFUSED, permanent=True)
    assert desk.orders() == []
    desk.wish(second)
    desk.report("b", (second.task, 1), ReportKind.PUBLISHED)
    assert [(order.node, order.task, order.attempt) for order in desk.orders()] == [("b", 1, 2)]


def test_a_late_verdict_on_what_runs_no_more_changes_nothing(desk: Desk) -> None:
    desk.join("a", "b")
    submit(desk, 1)
    serve(desk, lambda order: False, 0.2)
    desk.report("b", (1, 1), ReportKind.FAILED, error=REFUSED, permanent=True)
    assert desk.book.task(1).state is TaskState.SUCCEEDED


def test_a_node_that_keeps_its_slots_for_more_urgent_work_cannot_be_asked(desk: Desk) -> None:
    """Nobody waits for an answer that never comes."""
    desk.join("a", slots=1)
    desk.join("b", slots=1, reserve=(Reserve(75, 1),))
    submit(desk, 1)
    serve(desk, lambda order: True)
    assert desk.book.task(1).state is TaskState.FAILED
    assert desk.book.task(1).attempt == 1
