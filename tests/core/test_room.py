"""The coordinator and a node mean the same by an open slot, whatever each knows and in which order."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import pytest

from fa.core import commands as c
from fa.core import work as w
from fa.core.model import NewJob
from fa.core.scheduling import holders
from fa.core.work import Running
from fa.core.worker import Worker
from tests.core.book import AT, PRODUCT, Book, books, view
from tests.core.desk import EPOCH, Desk


@pytest.fixture
def book() -> Book:
    for book in books("memory"):
        for cost in (2, 3):
            book.do(c.SaveFactory(f'name = "costs-{cost}"\n{PRODUCT.format("p")}cost = {cost}\n', AT))
        return book
    raise AssertionError


def test_after_a_take_over_nothing_is_sent_that_finds_no_room(book: Book) -> None:
    """Outputs of costs 3 and 2 are delivered on four slots; the node had them in another order than the store says."""
    book.submit("costs-3", priority=25)
    book.submit("costs-2", priority=50)
    node = view("a", slots=4)
    first = book.dispatch(view("a", slots=4, used=(("cpu", 2, 50),)))
    second = book.dispatch(node)
    assert [order.task for order in first + second] == [2, 1]
    worker = Worker("a", 1)
    now = w.Moment(1.0, AT)
    worker.step(w.CoordinatorIs("b", EPOCH), now)
    worker.step(w.OfferChanged(node, "https://a", "1"), now)
    for order in first + second:
        worker.step(w.Told("b", replace(order, epoch=EPOCH, boot=1)), now)
        worker.step(w.Progressed(Running(order.task, order.attempt, "delivering", 0.9)), now)
    desk = Desk(book)
    desk.serve()

    def beat(number: int) -> None:
        desk.step(w.Told("a", w.WorkBeat("a", 1, number, EPOCH, 1, worker.running)))

    beat(1)
    desk.offer(node)
    beat(2)
    desk.ask(c.SubmitJobs((NewJob("san:in/x", "costs-2"),) * 2, AT))
    sent = desk.orders()
    assert sent
    for order in sent:
        assert worker.step(w.Told("b", order), w.Moment(2.0, AT)) == [w.StartAttempt(order)]


def taken(attempts: tuple[Running, ...]) -> int:
    return sum(slots for _, slots in holders(attempts, (("cpu", 4),)))


COSTS = (1, 2, 3, 3)


def test_the_order_in_which_attempts_are_known_does_not_matter() -> None:
    ended = [Running(task, 1, "delivering", cost=cost) for task, cost in enumerate(COSTS)]
    for many in range(len(COSTS) + 1):
        for some in combinations(ended, many):
            assert len({taken(each) for each in permutations(some)}) == 1


def test_news_of_an_encoder_that_ended_only_opens_slots() -> None:
    """So that who knows of it first, the node, has at least the room that the coordinator counts on."""
    for many in range(1 << len(COSTS)):
        phases = ["delivering" if many >> bit & 1 else "flipping" for bit in range(len(COSTS))]
        before = tuple(Running(task, 1, phases[task], cost=cost) for task, cost in enumerate(COSTS))
        for late in range(len(COSTS)):
            after = tuple(replace(each, phase="delivering") if each.task == late else each for each in before)
            assert taken(after) <= taken(before)
