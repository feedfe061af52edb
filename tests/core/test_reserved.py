"""A node that keeps its slots for urgent work is none for the rest: nothing waits for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fa.core import commands as c
from fa.core import work as w
from fa.core.attendance import ILL_PATIENCE
from fa.core.model import NewJob, Reserve
from tests.core.book import AT, OFFERS, Book, books, view
from tests.core.desk import Desk

LATER = AT + 3_600_000
URGENT_ONLY = (Reserve(75, 2),)


@pytest.fixture(params=["memory", "sqlite"])
def book(request: pytest.FixtureRequest) -> Iterator[Book]:
    yield from books(request.param)


@pytest.mark.parametrize(("priority", "node"), [(50, "a"), (80, "b")])
def test_a_task_that_failed_waits_for_no_node_that_never_has_a_slot_for_it(
    book: Book, priority: int, node: str
) -> None:
    book.submit("one", priority=priority)
    (order,) = book.dispatch(view("a"))
    book.fail(order)
    again = book.dispatch(view("a"), view("b", reserve=URGENT_ONLY), at=LATER)
    assert [order.node for order in again] == [node]


def test_what_hangs_is_not_given_away_when_the_others_keep_their_slots_from_it() -> None:
    for book in books("memory"):
        desk = Desk(book)
        desk.serve()
        desk.join("a")
        desk.ask(c.SubmitJobs(tuple(NewJob("san:in/x", "one", priority=priority) for priority in (50, 80)), AT))
        desk.orders()
        desk.join("b", reserve=URGENT_ONLY)
        ill = (("source:san", "hung"), ("volume:san", "hung"))
        desk.offer(view("a", offers=OFFERS - {"volume:san", "source:san"}, unhealthy=ill), number=2)
        desk.tick(ILL_PATIENCE + 3.0, beats="ab")
        assert [message.task for message in desk.said(w.Stop, "a")] == [2], "the urgent one is better off there"
        assert desk.dispatcher.runs_on("a") == ((1, 1),)
