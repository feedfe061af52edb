"""Requests wait in a bounded number; what the coordinator itself has to write is never refused."""

from __future__ import annotations

import pytest

from fa.core import commands as c
from fa.core import work as w
from fa.core.asking import ASKED_BYTES_MAX, ASKED_MAX
from fa.core.ledger import Outcome
from fa.core.model import NewJob
from fa.errors import Unavailable
from tests.core.book import AT, Book
from tests.core.desk import EPOCH, Desk

MOMENT = w.Moment(100.0, AT)


@pytest.fixture
def desk(book: Book) -> Desk:
    """A coordinator whose store takes nothing at present."""
    made = Desk(book)
    made.serve()
    made.held = True
    return made


def ask(desk: Desk, request: int, command: c.Command) -> w.WorkEffect:
    """What comes of it."""
    (effect,) = desk.dispatcher.step(w.Asked(request, command), MOMENT)
    if isinstance(effect, w.Commit):
        desk.waiting.append(effect)
    return effect


def batch(texts: int = 1000) -> c.SubmitJobs:
    """Of about 7 MB, as the API takes it."""
    return c.SubmitJobs((NewJob("san:in/clip.mxf", "one", description="x" * 7000),) * texts, AT)


def test_a_stalled_coordinator_keeps_no_more_requests_than_it_may(desk: Desk) -> None:
    for number in range(ASKED_MAX):
        assert isinstance(ask(desk, number, c.RemoveNode("z", AT)), w.Commit)
    refused = ask(desk, ASKED_MAX, c.RemoveNode("z", AT))
    assert isinstance(refused, w.Answer) and isinstance(refused.result, Unavailable)
    assert refused.request == ASKED_MAX and "was not carried out" in refused.result.detail


def test_large_requests_are_fewer(desk: Desk) -> None:
    """60 batches of 7 MB, each sent again while the store stood still, took 400 MB."""
    taken = [effect for number in range(60) if isinstance(effect := ask(desk, number, batch()), w.Commit)]
    assert len(taken) == ASKED_BYTES_MAX // (1000 * 7527) == 4
    assert isinstance(ask(desk, 61, c.ActOnJobs(c.JobAction.HOLD, (1,), AT)), w.Commit), "there is room for small ones"


def test_one_that_is_alone_is_taken_whatever_its_size(desk: Desk) -> None:
    assert isinstance(ask(desk, 1, c.SaveFactory("x" * (ASKED_BYTES_MAX + 1), AT)), w.Commit)
    assert isinstance(ask(desk, 2, c.SetPriority((1,), 50, AT)), w.Answer)


def test_what_was_carried_out_makes_room(desk: Desk) -> None:
    taken = [ask(desk, number, batch()) for number in range(5)]
    assert [type(effect) for effect in taken] == [w.Commit] * 4 + [w.Answer]
    desk.carry_out()
    assert [type(answer.result) for answer in desk.answers] == [Outcome] * 4
    assert isinstance(ask(desk, 6, batch()), w.Commit)


def test_what_the_coordinator_itself_has_to_write_is_never_refused(desk: Desk) -> None:
    for number in range(ASKED_MAX + 1):
        ask(desk, number, c.RemoveNode("z", AT))
    desk.book.submit()
    desk.join("a")
    assert desk.commands(c.Dispatch), "dispatch"
    (order,) = desk.book.dispatch(*desk.dispatcher.views())
    desk.wish(order)
    assert desk.commands(c.AskPublish), "a grant"
    desk.report("a", (order.task, order.attempt), w.ReportKind.PUBLISHED)
    assert desk.commands(c.FinishAttempt), "a report"


def test_who_gives_up_takes_back_what_was_not_begun(desk: Desk) -> None:
    commit = ask(desk, 7, c.RemoveNode("z", AT))
    assert isinstance(commit, w.Commit)
    assert desk.dispatcher.step(w.GaveUp(7), MOMENT) == [w.Withdraw(commit.tag)]
    desk.step(w.Carried(commit.tag, Unavailable(), w.Position(0, 0)))
    assert desk.dispatcher.step(w.GaveUp(7), MOMENT) == [], "that is over"
    assert desk.dispatcher.step(w.GaveUp(8), MOMENT) == [], "nobody knows it"


def test_a_new_reign_begins_with_none(desk: Desk) -> None:
    ask(desk, 1, c.SaveFactory("x" * (ASKED_BYTES_MAX + 1), AT))
    desk.step(w.Deposed())
    assert desk.dispatcher.step(w.GaveUp(1), MOMENT) == []
    desk.serve(EPOCH + 1)
    assert isinstance(ask(desk, 2, batch()), w.Commit)
