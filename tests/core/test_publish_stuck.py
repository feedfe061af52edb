"""A publish that nobody can end: people are told, and told when it is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fa.core import commands as c
from fa.core import work as w
from fa.core.attendance import STUCK_AFTER
from fa.core.model import NewJob
from fa.core.work import ReportKind
from tests.core.book import AT, OFFERS, books
from tests.core.desk import EPOCH, Desk

ELSEWHERE = frozenset(word for word in OFFERS if not word.endswith(":san"))


@pytest.fixture
def desk() -> Iterator[Desk]:
    """The output of job 1 is granted to a; b does not have the volume."""
    for book in books("memory"):
        desk = Desk(book)
        desk.serve()
        desk.join("a")
        desk.join("b", offers=ELSEWHERE)
        desk.ask(c.SubmitJobs((NewJob("san:in/x", "one"),), AT))
        (order,) = desk.orders()
        desk.wish(order)
        yield desk


def told(desk: Desk) -> str:
    alert = desk.book.tables.open_alert("publish.stuck", "node/a")
    return alert.text if alert else ""


def test_people_are_told_of_a_publish_that_nobody_can_end(desk: Desk) -> None:
    desk.tick(STUCK_AFTER - 5, beats="b")
    assert told(desk) == ""
    desk.tick(10, beats="b")
    assert told(desk) == (
        "1 granted output is not published after 5 minutes, the first of task 1: a is lost. That ends when a or "
        "another node has volume san again"
    )
    desk.asked.clear()
    desk.tick(60, beats="b")
    assert desk.commands(c.RaiseAlert) == []
    desk.beat("a", boot=2, exactly=())
    assert told(desk) == "", "it has its time again"
    desk.tick(STUCK_AFTER + 5, beats="ab")
    assert "task 1: a does not end it" in told(desk)
    desk.report("a", (1, 1), ReportKind.PUBLISHED)
    desk.tick(5, beats="ab")
    assert told(desk) == ""


def test_what_an_earlier_coordinator_told_is_over_as_well(desk: Desk) -> None:
    desk.tick(STUCK_AFTER + 5, beats="b")
    desk.step(w.Deposed())
    desk.serve(EPOCH + 1)
    desk.beat("b", epoch=EPOCH + 1)
    desk.tick(10)
    assert told(desk) != "", "it is stuck as before"
    desk.report("b", (1, 1), ReportKind.PUBLISHED)
    desk.tick(5)
    assert told(desk) == ""


def test_outputs_that_are_published_in_time_are_no_trouble(desk: Desk) -> None:
    desk.tick(STUCK_AFTER - 5, beats="ab")
    desk.report("a", (1, 1), ReportKind.PUBLISHED)
    desk.asked.clear()
    desk.tick(30, beats="ab")
    assert not desk.commands(c.RaiseAlert) and not desk.commands(c.ClearAlert)
