"""A file whose job is retried is not touched, also when its move was ordered before."""

from __future__ import annotations

from fa.core import commands as c
from fa.core import watch_messages as m
from fa.core import work as w
from fa.core.arrivals import Fate
from tests.core.book import AT, books
from tests.core.desk import Desk
from tests.core.test_monitor_desk import SEEN, TEXT, begin, due, orders_of, pump, report


def test_a_move_that_failed_is_not_tried_again_while_the_job_is_retried() -> None:
    for book in books("memory"):
        desk = Desk(book)
        begin(desk, TEXT + 'after_failure = "move:failed/"\n')
        report(desk, SEEN)
        (order,) = desk.orders()
        desk.ask(c.ActOnJobs(c.JobAction.CANCEL, (order.job,), AT, "o"))
        due(desk, *orders_of(1, 1))
        desk.step(w.Told("a", m.AfterDone("a", 1, "", "read-only")))
        desk.said(m.AfterOrder)
        desk.ask(c.ActOnJobs(c.JobAction.RETRY, (order.job,), AT, "o"))
        found = book.tables.arrival(1)
        assert found and found.fate is Fate.OPEN
        pump(desk, 30.0)
        assert desk.said(m.AfterOrder) == []
