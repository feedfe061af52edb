"""The coordinator's side of the work: what is committed, and what is said once it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from fa.core import commands as c
from fa.core import work as w
from fa.core.dispatcher import DEFERRED_LOOK, HOUSE_EVERY, HOUSE_FIRST, HOUSE_NEXT, Kept
from fa.core.ledger import Outcome
from fa.core.lifecycle import TaskState
from fa.core.members import RESEND_AFTER
from fa.core.model import Cause, NewJob, NodeMode, Output, Spare
from fa.core.position import EMPTY
from fa.core.reporting import SHARE_WITHIN
from fa.core.work import ReportKind
from fa.errors import StoreFull, Unavailable
from fa.node.active import active_of
from tests.core.book import AT, ONE, books, row, view
from tests.core.desk import EPOCH, POSITION, Desk

CLIP = NewJob("san:in/clip.mxf", "one")


@pytest.fixture
def desk() -> Iterator[Desk]:
    for book in books("memory"):
        yield Desk(book)


def begin(desk: Desk, *names: str, **fields: Any) -> None:
    desk.serve()
    desk.join(*names, **fields)
    desk.told.clear()
    desk.asked.clear()


def submit(desk: Desk, jobs: int = 1, **fields: object) -> None:
    new = NewJob("san:in/clip.mxf", fields.pop("factory", "one"), **fields)  # type: ignore[arg-type]
    desk.ask(c.SubmitJobs((new,) * jobs, AT))


# --- leading ---


def test_who_does_not_lead_answers_so_and_commits_nothing(desk: Desk) -> None:
    for event in (w.Tick(), w.Told("a", w.WorkBeat("a", 1, 1, 1, 1)), w.Carried(1, StoreFull(), EMPTY)):
        desk.step(event)
    desk.ask(c.RemoveNode("a", AT))
    assert isinstance(desk.answers[0].result, Unavailable)
    assert (desk.asked, desk.told, desk.dispatcher.deadline, desk.dispatcher.members) == ([], [], None, ())


def test_what_runs_is_read_once_in_a_reign_though_it_is_told_twice(desk: Desk) -> None:
    """Who asked the store may ask again, and then both are answered."""
    begin(desk, "a")
    submit(desk, 2)
    desk.tick(HOUSE_FIRST - 1, beats="a")
    desk.step(active_of(desk.book.tables))
    assert desk.dispatcher.runs_on("a") == ((1, 1), (2, 1))
    desk.tick(1.5, beats="a")
    assert len(desk.commands(c.KeepHouse)) == 1, "nothing begins anew"


def test_a_coordinator_first_reads_what_runs(desk: Desk) -> None:
    desk.book.submit("two")
    first, second = desk.book.dispatch(view("a", boot=4))
    desk.book.do(c.SetQuarantine("b", "one", True, "it fails", AT))
    desk.book.grant(first)
    desk.book.do(c.SubmitJobs((NewJob(first.destination, "one", defer_until=AT + 10**9),), AT))
    desk.serve()
    assert [member.name for member in desk.dispatcher.members] == ["a", "b", "c"]
    assert desk.dispatcher.views() == (), "nobody has said what runs there"
    desk.beat("a", (second.task, 1), boot=4)
    desk.offer(view("a"), boot=4)
    assert desk.dispatcher.runs_on("a") == ((first.task, 1), (second.task, 1))
    (seen,) = desk.dispatcher.views()
    assert (seen.boot, seen.used) == (4, (("cpu", 1, 75),)), "what is granted encodes no more"
    desk.now += RESEND_AFTER
    desk.beat("a", (second.task, 1))
    (grant,) = desk.said(w.Grant)
    assert (grant.task, grant.replace) == (first.task, True), "the factory replaces"
    assert grant.spare == Spare(2), "but not the source of another job"
    desk.join("b")
    assert desk.dispatcher.views()[1].quarantined == ("one",)


def test_before_that_it_listens_to_nobody(desk: Desk) -> None:
    desk.dispatcher.step(w.Served(EPOCH), w.Moment(1.0, AT))
    desk.beat("a")
    assert desk.told == []
    desk.ask(c.SetNodeMode("a", NodeMode.PAUSED, AT))
    assert desk.answers[0].position == POSITION


def test_a_reign_goes_on_in_a_new_view(desk: Desk) -> None:
    """What is on its way to the store is answered, nothing is forgotten, and orders say the new epoch."""
    begin(desk, "a")
    desk.held = True
    submit(desk)
    desk.serve(EPOCH + 2)
    desk.held = False
    desk.carry_out()
    assert len(desk.answers) == 1
    assert [order.epoch for order in desk.orders()] == [EPOCH + 2]
    desk.beat("a", epoch=EPOCH)
    assert desk.said(w.Seen)[0].epoch == EPOCH + 2


def test_who_is_deposed_forgets_everything(desk: Desk) -> None:
    begin(desk, "a")
    desk.held = True
    submit(desk)
    (commit,) = desk.waiting
    desk.step(w.Deposed())
    assert (desk.dispatcher.members, desk.dispatcher.deadline) == ((), None)
    desk.serve(EPOCH + 4)
    desk.waiting.clear()
    desk.answers.clear()
    desk.step(w.Carried(commit.tag, StoreFull(), EMPTY))
    assert desk.answers == [], "a tag of an earlier reign is nobody's"


def test_without_a_majority_nothing_new_is_begun_and_nobody_is_lost(desk: Desk) -> None:
    begin(desk, "a", "b")
    desk.step(w.Paused(True))
    submit(desk)
    assert desk.dispatcher.deadline == pytest.approx(100.0 + HOUSE_FIRST)
    desk.tick(10.0)
    assert desk.orders() == []
    assert [member.state for member in desk.dispatcher.members] == ["up"] * 3
    desk.step(w.Paused(False))
    assert len(desk.orders()) == 1
    desk.tick(2.9)
    assert [member.state for member in desk.dispatcher.members] == ["up"] * 3


def test_the_pause_of_a_new_coordinator_is_not_forgotten(desk: Desk) -> None:
    desk.step(w.Paused(True))
    begin(desk, "a")
    submit(desk)
    assert desk.orders() == []


# --- dispatch ---


def test_a_job_goes_to_the_first_open_slot(desk: Desk) -> None:
    begin(desk, "a", "b")
    submit(desk, 5)
    orders = desk.orders()
    assert [order.node for order in orders] == ["a", "b", "a", "b"]
    assert {order.boot for order in orders} == {1}
    assert desk.dispatcher.runs_on("a") == ((1, 1), (3, 1))
    desk.report("b", (2, 1), ReportKind.FAILED, error="no", permanent=True)
    assert [order.task for order in desk.orders()] == [5]


def test_one_dispatch_at_a_time(desk: Desk) -> None:
    begin(desk, "a")
    desk.held = True
    submit(desk)
    desk.step(w.Carried(desk.waiting[0].tag, desk._result(desk.waiting.pop(0).command), POSITION))
    submit(desk)
    assert len(desk.commands(c.Dispatch)) == 1
    desk.held = False
    desk.carry_out()
    assert len(desk.orders()) == 2


def test_nobody_there_nothing_asked(desk: Desk) -> None:
    desk.serve()
    submit(desk)
    assert desk.commands(c.Dispatch) == []
    desk.join("a")
    assert len(desk.orders()) == 1


def test_a_store_that_refuses_is_asked_again(desk: Desk) -> None:
    begin(desk, "a")
    desk.refuse[c.Dispatch] = StoreFull()
    submit(desk)
    assert desk.orders() == []
    desk.refuse.clear()
    desk.tick(1.0, beats="a")
    assert len(desk.orders()) == 1


def test_deferred_work_is_woken_when_it_is_due(desk: Desk) -> None:
    begin(desk, "a")
    due = AT + 100_000 + 30_000
    desk.ask(c.SubmitJobs((NewJob("san:x", "one", defer_until=due),), AT + 100_000))
    desk.tick(29.0, beats="a")
    assert desk.orders() == []
    desk.tick(1.0, beats="a")
    assert len(desk.orders()) == 1


def test_work_that_is_due_far_away_is_looked_at_now_and_then(desk: Desk) -> None:
    """Wall clocks are set: what is due in a year by the old time may be due in a minute by the new one."""
    begin(desk, "a")
    desk.ask(c.SubmitJobs((NewJob("san:x", "one", defer_until=AT + 10**10),), AT))
    desk.commands(c.Dispatch)
    desk.tick(DEFERRED_LOOK, beats="a")
    assert len(desk.commands(c.Dispatch)) == 1


def test_what_waits_at_the_start_is_dispatched(desk: Desk) -> None:
    desk.book.submit()
    desk.book.submit(defer_until=AT + 101_000)
    begin(desk, "a")
    assert [desk.book.task(task).state for task in (1, 2)] == ["running", "queued"]
    desk.tick(1.0, beats="a")
    assert desk.book.task(2).state == "running"


def test_deferred_work_alone_is_learned_of_with_the_first_open_slot(desk: Desk) -> None:
    desk.book.submit(defer_until=AT + 101_000)
    begin(desk, "a")
    desk.tick(1.0, beats="a")
    assert desk.book.task(1).state == "running"


def test_a_higher_priority_while_it_runs_counts_against_the_reserve(desk: Desk) -> None:
    begin(desk, "a")
    submit(desk, priority=10)
    desk.ask(c.SetPriority((1, 99), 80, AT))
    assert desk.dispatcher.views()[0].used == (("cpu", 1, 80),)
    desk.ask(c.ActOnJobs(c.JobAction.HOLD, (99,), AT))
    assert desk.dispatcher.views()[0].used == (("cpu", 1, 80),)


def encoded(desk: Desk, *keys: tuple[int, int], then: tuple[tuple[int, int], ...] = ()) -> None:
    """A beat of `a`: of these the encoder has ended; those encode."""
    desk._beats += 1
    running = [w.Running(*key, "delivering", 1.0) for key in keys] + [w.Running(*key, "flipping", 0.5) for key in then]
    desk.step(w.Told("a", w.WorkBeat("a", 1, desk._beats, EPOCH, 1, tuple(running))))


def test_when_an_encoder_has_ended_the_next_one_may_begin(desk: Desk) -> None:
    begin(desk, "a")
    submit(desk, 9)
    assert [order.task for order in desk.orders()] == [1, 2]
    encoded(desk, (1, 1), then=((2, 1),))
    assert [order.task for order in desk.orders()] == [3]
    encoded(desk, (1, 1), then=((2, 1), (3, 1)))
    assert desk.orders() == [], "two encode"
    encoded(desk, (1, 1), (2, 1), (3, 1))
    assert [order.task for order in desk.orders()] == [4], "of three one waits for longer: it takes a slot again"
    desk.report("a", (1, 1), ReportKind.FAILED, error="no", permanent=True)
    assert [order.task for order in desk.orders()] == [5]


def test_who_asks_to_publish_encodes_no_more(desk: Desk) -> None:
    begin(desk, "a")
    submit(desk, 3)
    first, _ = desk.orders()
    desk.held = True
    desk.wish(first)
    assert [type(commit.command) for commit in desk.waiting] == [c.AskPublish, c.Dispatch], "in one group"
    desk.carry_out()
    assert [order.task for order in desk.orders()] == [3]
    assert desk.dispatcher.runs_on("a") == ((1, 1), (2, 1), (3, 1))


def test_a_stray_whose_encoder_has_ended_takes_no_slot(desk: Desk) -> None:
    begin(desk, "a")
    encoded(desk, (8, 1), then=((9, 1),))
    assert desk.dispatcher.views()[0].used == (("cpu", 1, 0),)


# --- publish ---


def test_a_grant_is_told_when_it_is_committed(desk: Desk) -> None:
    begin(desk, "a")
    submit(desk)
    (order,) = desk.orders()
    desk.held = True
    desk.wish(order)
    desk.wish(order)
    assert len(desk.commands(c.AskPublish)) == 1, "one report, one command at a time"
    assert desk.said(w.Grant) == []
    desk.carry_out()
    (grant,) = desk.said(w.Grant, "a")
    assert (grant.task, grant.attempt, grant.part, grant.output.path) == (1, 1, "san:.fa/part/1-1", order.destination)
    desk.held = False
    desk.report("a", (1, 1), ReportKind.PUBLISHED)
    assert desk.said(w.Heard) == [w.Heard(1, 1, ReportKind.PUBLISHED)]
    assert desk.dispatcher.runs_on("a") == ()
    assert desk.book.task(1).state == "succeeded"


def test_news_of_a_published_output_shares_a_commit_while_others_run(desk: Desk) -> None:
    begin(desk, "a")
    submit(desk, 2)
    first, second = desk.orders()
    desk.wish(first)
    desk.report("a", (1, 1), ReportKind.PUBLISHED)
    desk.report("a", (1, 1), ReportKind.PUBLISHED)
    assert desk.commands(c.FinishAttempt) == []
    assert desk.dispatcher.deadline is not None
    assert desk.dispatcher.deadline <= desk.now + SHARE_WITHIN
    desk.wish(second)
    (finish,) = desk.commands(c.FinishAttempt)
    assert (finish.task, desk.book.task(1).state, desk.book.task(2).state) == (1, "succeeded", "publishing")
    assert desk.said(w.Heard) == [w.Heard(1, 1, ReportKind.PUBLISHED)]


def test_it_does_not_wait_for_long(desk: Desk) -> None:
    begin(desk, "a")
    submit(desk, 2)
    desk.wish(desk.orders()[0])
    desk.report("a", (1, 1), ReportKind.PUBLISHED)
    desk.tick(SHARE_WITHIN)
    assert desk.said(w.Heard) == [w.Heard(1, 1, ReportKind.PUBLISHED)]


def test_news_that_waits_goes_with_the_reign(desk: Desk) -> None:
    begin(desk, "a")
    submit(desk, 2)
    desk.wish(desk.orders()[0])
    desk.report("a", (1, 1), ReportKind.PUBLISHED)
    desk.step(w.Deposed())
    desk.tick(SHARE_WITHIN)
    assert desk.commands(c.FinishAttempt) == []
    desk.serve(EPOCH + 1)
    desk.report("a", (1, 1), ReportKind.PUBLISHED)
    desk.tick(SHARE_WITHIN)
    assert desk.book.task(1).state == "succeeded", "the node says it again"


def test_a_grant_for_what_is_not_known_here_is_not_told(desk: Desk) -> None:
    begin(desk, "a")
    desk.held = True
    desk.ask(c.SetNodeMode("a", NodeMode.UP, AT))
    granted = c.Granted("a", 9, 1, "san:.fa/part/x", Output("san:out/x", 1, "ab"))
    desk.step(w.Carried(desk.waiting.pop().tag, Outcome(None, (granted,)), POSITION))
    assert desk.said(w.Grant) == []


def test_a_cancel_stops_the_process_and_its_slots_open_when_it_is_gone(desk: Desk) -> None:
    begin(desk, "a")
    submit(desk, 4)
    desk.orders()
    desk.ask(c.ActOnJobs(c.JobAction.CANCEL, (1,), AT))
    assert desk.said(w.Stop, "a") == [w.Stop(1, 1, "cancelled")]
    assert desk.orders() == [], "it is still being killed"
    desk.beat("a", (1, 1), (2, 1))
    assert desk.said(w.Stop) == [w.Stop(1, 1, "it does not count any more")]
    desk.report("a", (1, 1), ReportKind.STOPPED)
    assert desk.said(w.Heard) == [w.Heard(1, 1, ReportKind.STOPPED)]
    desk.beat("a", (2, 1))
    assert [order.task for order in desk.orders()] == [3]


def test_progress_is_that_of_the_attempts_that_count(desk: Desk) -> None:
    begin(desk, "a", "b")
    submit(desk)
    desk.beat("a", (1, 1), (9, 9))
    desk.beat("b", (1, 2))
    assert {task: running.key for task, running in desk.dispatcher.progress().items()} == {1: (1, 1)}


@pytest.mark.parametrize(("said", "believed"), [(10**9, 1024), (-5, 0), (1024, 1024)])
def test_no_more_slots_are_believed_than_settings_allow(desk: Desk, said: int, believed: int) -> None:
    """All that waits would be given to it."""
    begin(desk, "a", slots=said)
    assert desk.dispatcher.views()[0].slots == (("cpu", believed),)


# --- quarantine ---


def _serve(desk: Desk, fails: Callable[[c.Order], bool], error: str = "bad disk", **fields: Any) -> None:
    """Every order is carried out at once, or fails; what failed is tried again after its backoff."""
    for _ in range(8):
        while orders := desk.orders():
            for order in orders:
                key = (order.task, order.attempt)
                if fails(order):
                    desk.report(order.node, key, ReportKind.FAILED, error=error, **fields)
                else:
                    desk.wish(order)
                    desk.report(order.node, key, ReportKind.PUBLISHED)
                desk.beat(order.node)
        desk.tick(5.0, beats="ab")


@pytest.mark.parametrize("fields", [{}, {"permanent": True, "blame": False}])
def test_sources_that_no_node_can_do_quarantine_nobody(desk: Desk, fields: dict[str, Any]) -> None:
    begin(desk, "a", "b", slots=1)
    submit(desk, 2)
    _serve(desk, lambda order: False)
    submit(desk, 12)
    bad = range(5, 13)
    _serve(desk, lambda order: order.task in bad, "no such stream", **fields)
    states = Counter(desk.book.task(task).state for task in range(1, 15))
    assert states == {TaskState.SUCCEEDED: 6, TaskState.FAILED: 8}
    assert not desk.book.tables.quarantines()


def test_a_node_that_fails_what_succeeds_on_others_is_quarantined(desk: Desk) -> None:
    begin(desk, "a", "b")
    submit(desk, 12)
    _serve(desk, lambda order: order.node == "a")
    assert {desk.book.task(task).state for task in range(1, 13)} == {TaskState.SUCCEEDED}
    assert [(each.node, each.factory) for each in desk.book.tables.quarantines()] == [("a", "one")]
    assert dict(zip("ab", (view.quarantined for view in desk.dispatcher.views()), strict=True)) == {
        "a": ("one",),
        "b": (),
    }
    desk.ask(c.SetQuarantine("a", "one", False, "", AT))
    assert desk.dispatcher.views()[0].quarantined == ()


def test_a_node_that_does_not_see_what_others_see_is_quarantined(desk: Desk) -> None:
    """That a source is not there counts against the node once the task succeeded elsewhere, not before."""
    begin(desk, "a", "b")
    submit(desk, 9)
    for _ in range(12):
        for order in desk.orders():
            key = (order.task, order.attempt)
            if order.node == "a":
                desk.report("a", key, ReportKind.FAILED, error="not there", blame=False, cause=Cause.VIEW)
                assert not desk.book.tables.quarantines() or order.task > 3, "nobody knows yet who is right"
            else:
                desk.wish(order)
                desk.report("b", key, ReportKind.PUBLISHED)
        desk.tick(5.0, beats="ab")
    assert [(each.node, each.factory) for each in desk.book.tables.quarantines()] == [("a", "one")]
    tasks = [desk.book.task(task) for task in range(1, 10)]
    assert {(task.state, task.failures > 0) for task in tasks} == {("succeeded", True), ("succeeded", False)}


# --- nodes come and go ---


def test_a_node_that_joins_or_is_removed_is_known_at_once(desk: Desk) -> None:
    begin(desk, "a")
    desk.ask(c.PutNode(row("d"), AT))
    desk.join("d")
    assert [view.name for view in desk.dispatcher.views()] == ["a", "d"]
    desk.ask(c.RemoveNode("d", AT))
    assert [view.name for view in desk.dispatcher.views()] == ["a"]
    desk.told.clear()
    desk.beat("d")
    assert desk.told == []


def test_a_witness_only_votes(desk: Desk) -> None:
    begin(desk)
    desk.ask(c.PutNode(replace(row("w"), kind="witness"), AT))
    desk.beat("w")
    assert [member.kind for member in desk.dispatcher.members] == ["data", "data", "data", "witness"]
    submit(desk)
    desk.offer(view("w"))
    assert (desk.dispatcher.views(), desk.orders()) == ((), [])
    desk.tick(4.0)
    assert desk.dispatcher.members[3].state == "lost", "it is looked for like all others"


def test_a_paused_node_gets_nothing_new(desk: Desk) -> None:
    begin(desk, "a")
    desk.ask(c.SetNodeMode("a", NodeMode.PAUSED, AT))
    submit(desk)
    assert desk.orders() == []
    assert desk.dispatcher.members[0].state == "paused"
    desk.ask(c.SetNodeMode("a", NodeMode.UP, AT))
    assert len(desk.orders()) == 1


@pytest.mark.parametrize(
    "message",
    [
        w.WorkBeat("b", 1, 1, EPOCH, 1),
        w.Offer(1, view("b"), "", ""),
        w.Report("b", 1, 1, ReportKind.STOPPED),
        w.Seen(EPOCH, 1),
    ],
)
def test_nobody_speaks_for_another_node(desk: Desk, message: w.WorkMessage) -> None:
    begin(desk, "a", "b")
    desk.step(w.Told("a", message))
    assert desk.told == []
    assert desk.commands(c.GiveAway) == []


# --- housekeeping ---


def test_the_house_is_kept_in_steps_until_it_is_done() -> None:
    for book in books("memory"):
        desk = Desk(book, kept=Kept(jobs=1000, events=3))
        begin(desk, "a")
        for number in range(210):
            desk.book.do(c.SetNodeMode("b", (NodeMode.PAUSED, NodeMode.UP)[number % 2], AT))
        desk.tick(HOUSE_FIRST, beats="a")
        (first,) = desk.commands(c.KeepHouse)
        assert (first.events_kept, first.jobs_before) == (3, AT + 160_000 - 1000)
        desk.tick(HOUSE_NEXT, beats="a")
        assert len(desk.commands(c.KeepHouse)) == 1, "there was more to do"
        desk.tick(HOUSE_EVERY - 1, beats="a")
        assert desk.commands(c.KeepHouse) == []
        desk.refuse[c.KeepHouse] = StoreFull()
        desk.tick(1, beats="a")
        assert len(desk.commands(c.KeepHouse)) == 1
        desk.tick(HOUSE_EVERY, beats="a")
        assert len(desk.commands(c.KeepHouse)) == 1


def test_what_a_factory_may_overwrite_is_known(desk: Desk) -> None:
    begin(desk, "a")
    desk.ask(c.SaveFactory(ONE.replace('"one"', '"again"\nreplace = true', 1), AT))
    submit(desk, factory="again")
    (order,) = desk.orders()
    desk.ask(c.SubmitJobs((NewJob(order.destination, "one"),), AT))
    desk.wish(order)
    (grant,) = desk.said(w.Grant)
    assert grant.replace
    assert (grant.source, grant.spare) == (order.source, Spare(2)), "the source of job 2 came to lie there meanwhile"
