"""Dispatch, grants, ends: at most one attempt counts, and at most one is ever granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from fa.core import commands as c
from fa.core import ledger_attempts
from fa.core.commands import JobAction
from fa.core.ledger_attempts import BACKOFF_LONGEST_MS, ROOM_LONGEST_MS, Refused
from fa.core.lifecycle import JobState, TaskState
from fa.core.model import AttemptState, Cause, FactoryVersion, NewJob, NodeMode, Output, Reserve, Spare, Task
from fa.core.scheduling import still_blocked
from fa.errors import Conflict
from fa.node.active import active_of
from tests.core.book import AT, ONE, Book, view

# --- dispatch ---


def test_an_order_says_all_that_a_node_needs(book: Book) -> None:
    job = book.submit("two", priority=60)
    first, second = book.dispatch(view(boot=3))
    assert first == c.Order(
        7, 1, 1, "a", job.id, "p", "san:in/clip.mxf", "san:out/1-p.mp4", "two", 1, first.recipe, 60, 1, "cpu", 3
    )
    assert 'name = "two"' in first.recipe
    group = book.tables.group(book.task(1).group)
    assert group is not None
    assert c.Assigned(first, replace=True, group=group) in book.facts
    assert (book.task(1).state, book.task(1).node, book.task(1).attempt) == (TaskState.RUNNING, "a", 1)
    assert (book.attempt(1).state, book.attempt(1).boot, book.attempt(1).epoch) == (AttemptState.RUNNING, 3, 7)
    assert book.job(job.id).state is JobState.RUNNING
    assert [fact for fact in book.facts if isinstance(fact, c.JobChanged)] == [c.JobChanged(1, "running", "queued")]
    assert second.task == 2


def test_the_head_goes_first_highest_priority_then_oldest(book: Book) -> None:
    jobs = [book.submit(priority=priority).id for priority in (50, 80, 50, 80, 0, 100)]
    order = [order.job for order in book.dispatch(view(slots=9))]
    assert order == [jobs[5], jobs[1], jobs[3], jobs[0], jobs[2], jobs[4]]


def test_groups_are_mixed_by_priority_and_age(book: Book) -> None:
    names = ["one", "two", "one", "two", "one", "one", "one"]
    for name in names:
        book.submit(name, priority=50)
    given = [order.job for order in book.dispatch(view(slots=30))]
    assert given == sorted(given)
    assert len(given) == 9


def test_no_more_than_asked_and_no_more_than_there_is_room(book: Book) -> None:
    for _ in range(5):
        book.submit()
    assert len(book.dispatch(view(slots=4), limit=1)) == 1
    assert len(book.dispatch(view(slots=2))) == 2
    assert book.dispatch(view(slots=1, used=(("cpu", 1, 50),))) == ()
    assert book.dispatch(view(slots=2, offers=frozenset())) == ()


def test_who_fills_the_last_slot_reads_no_further(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    for factory in ("one", "one", "two"):
        book.submit(factory)
    heads, read = book.tables.heads, []

    def counted(group: int, limit: int, after: Task | None = None) -> Sequence[Task]:
        read.append(after)
        return heads(group, limit, after)

    monkeypatch.setattr(book.tables, "heads", counted)
    assert len(book.dispatch(view("a", slots=1), view("b", slots=1))) == 2
    assert [after is None for after in read].count(False) == 1, "once behind the first, never behind the last"


@pytest.mark.parametrize("mode", [NodeMode.DRAINING, NodeMode.PAUSED])
def test_a_node_that_was_told_to_drain_gets_nothing_even_if_the_view_is_old(book: Book, mode: NodeMode) -> None:
    book.submit()
    book.do(c.SetNodeMode("a", mode, AT))
    assert book.dispatch(view("a")) == ()
    assert [order.node for order in book.dispatch(view("a"), view("b"))] == ["b"]


def test_a_node_that_was_removed_gets_nothing(book: Book) -> None:
    book.submit()
    book.do(c.RemoveNode("a", AT))
    assert book.dispatch(view("a")) == ()


def test_deferred_work_waits_for_its_time(book: Book) -> None:
    book.submit(defer_until=AT + 1000)
    dispatched = book.do(c.Dispatch(7, (view(),), AT + 999))
    assert (dispatched.orders, dispatched.next_due) == ((), AT + 1000)
    assert len(book.dispatch(at=AT + 1000)) == 1


def test_many_that_are_due_at_once_wake_a_few_in_each_commit(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_attempts, "WOKEN_AT_ONCE", 2)
    for number in range(3):
        book.submit(defer_until=AT + 1 + number)
    assert len(book.dispatch(view(slots=9), at=AT + 9)) == 2
    assert len(book.dispatch(view(slots=9), at=AT + 9)) == 1


def test_one_that_is_kept_from_the_open_node_does_not_stop_those_behind_it(book: Book) -> None:
    first, second = book.submit(), book.submit()
    (order,) = book.dispatch(view("a"), limit=1)
    book.fail(order)
    full = view("b", used=(("cpu", 2, 50),))
    assert [order.job for order in book.dispatch(view("a"), full, at=AT + 10**6)] == [second.id]
    assert [order.job for order in book.dispatch(view("a"), view("b"), at=AT + 10**6)] == [first.id]


def test_a_queue_full_of_those_is_not_walked_to_its_end(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_attempts, "LOOK_PAST_MAX", 2)
    monkeypatch.setattr(ledger_attempts, "LOOK_PAST_MORE", 1)
    for _ in range(6):
        book.submit()
    for order in book.dispatch(view("a", slots=6))[:5]:
        book.fail(order)
    full = view("b", used=(("cpu", 2, 50),))
    book.do(c.GiveAway(((6, 1),), "lost", AT))
    assert book.dispatch(view("a"), full, at=AT + 10**6) == ()
    assert len(book.dispatch(view("b", slots=6), at=AT + 10**6)) == 6


def test_a_node_that_failed_many_is_not_idle_when_it_is_well_again(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its disk was away for a minute: what it failed waits for the other node, what was never tried does not."""
    asked = []

    def counted(*args: Any) -> tuple[str, ...]:
        asked.append(args)
        return still_blocked(*args)

    for _ in range(70):
        book.submit()
    for order in book.dispatch(view("a", slots=70), limit=70):
        book.fail(order)
    new = [book.submit().id for _ in range(3)]
    full = view("b", used=(("cpu", 2, 50),))
    monkeypatch.setattr(ledger_attempts, "still_blocked", counted)
    assert [order.job for order in book.dispatch(view("a", slots=4), full, at=AT + 10**6)] == new
    assert len(asked) == 2, "once for all that are kept from the same nodes, once for those that are kept from none"


# --- publish ---


def test_a_grant_is_for_one_attempt_and_one_file(book: Book) -> None:
    book.submit()
    (order,) = book.dispatch()
    assert book.grant(order)
    made = Output(order.destination, 5, "ab")
    assert book.facts == [c.Granted("a", 1, 1, "san:.fa/part/1-1", made)]
    assert (book.task(1).state, book.attempt(1).state) == (TaskState.PUBLISHING, AttemptState.PUBLISHING)
    assert (book.attempt(1).output, book.attempt(1).part) == (made, "san:.fa/part/1-1")
    assert book.grant(order), "asked again, answered again"
    assert len(book.facts) == 1
    with pytest.raises(Refused, match="granted another file"):
        book.grant(order, sha="cd")


def test_who_may_replace_is_told_whose_source_it_must_spare(book: Book) -> None:
    """What fa delivered there last is known, so that a chain of factories can be run again."""
    (place,) = [book.submit("two").id and "san:out/1-p.mp4"]
    (other,) = book.do(c.SubmitJobs((NewJob(place, "one"),), AT)).jobs
    first, _, of_other = book.dispatch(view(slots=9))
    assert (first.destination, first.spare, of_other.spare) == (place, Spare(other), None)
    book.grant(first)
    assert [fact.spare for fact in book.facts] == [Spare(other)]
    assert [active.spare for active in active_of(book.tables).active] == [Spare(other), None, None]
    book.finish(first)
    delivered = Output(place, 5, "ab")
    assert book.tables.spare(place) == Spare(other, delivered)
    book.grant(of_other)
    book.finish(of_other)
    assert [active.spare for active in active_of(book.tables).active] == [None]
    assert book.do(c.SubmitJobs((NewJob(of_other.destination, "one"),), AT)).jobs == (3,)
    assert book.tables.spare(of_other.destination) == Spare(3), "who does not replace needs no proof of what is its own"


@pytest.mark.parametrize(
    "wrong",
    [
        {"node": "b"},
        {"attempt": 2},
        {"task": 99},
        {"output": Output("san:out/other.mp4", 5, "ab")},
        {"part": "san:out/1-1"},
        {"part": "nas:.fa/part/1-1"},
    ],
)
def test_nobody_else_and_nothing_else_is_granted(book: Book, wrong: dict[str, object]) -> None:
    book.submit()
    (order,) = book.dispatch()
    ask = c.AskPublish("a", 1, 1, "san:.fa/part/1-1", Output(order.destination, 5, "ab"), AT)
    with pytest.raises(Refused):
        book.do(replace(ask, **wrong))
    assert book.task(1).state is TaskState.RUNNING


def test_finished_means_published_once(book: Book) -> None:
    job = book.submit()
    (order,) = book.dispatch()
    with pytest.raises(Conflict, match="Only a granted attempt"):
        book.finish(order)
    book.grant(order)
    assert book.finish(order)
    assert c.AttemptOver("a", 1, 1, "succeeded") in book.facts
    assert book.task(1).output == Output(order.destination, 5, "ab")
    assert (book.job(job.id).state, book.job(job.id).finished_at) == (JobState.SUCCEEDED, AT + 9)
    assert not book.finish(order)
    assert not book.fail(order)
    with pytest.raises(Refused):
        book.grant(order)


# --- failures ---


def test_a_passing_failure_is_tried_again_later_and_elsewhere(book: Book) -> None:
    job = book.submit()
    (order,) = book.dispatch(view("a"))
    assert book.fail(order, at=AT + 100)
    task = book.task(1)
    assert (task.state, task.node, task.error, task.failures) == (TaskState.QUEUED, "", "it died", 1)
    assert (task.blocked, task.deferred_until) == (("a",), AT + 5_100)
    assert c.AttemptOver("a", 1, 1, "failed", blame=True) in book.facts
    assert book.job(job.id).state is JobState.QUEUED
    assert book.dispatch(view("a"), view("b"), at=AT + 5_099) == ()
    (again,) = book.dispatch(view("a"), view("b"), at=AT + 5_100)
    assert (again.node, again.attempt) == ("b", 2)
    assert not book.fail(order), "a report of the first attempt comes late and changes nothing"
    assert book.task(1).state is TaskState.RUNNING


def test_where_there_is_no_other_node_the_same_one_tries_again(book: Book) -> None:
    book.submit()
    for name in "ab":
        (order,) = book.dispatch(view(name), at=AT + 10**6)
        book.fail(order)
    assert book.task(1).blocked == ("a", "b")
    (order,) = book.dispatch(view("a"), view("b"), view("c", offers=frozenset()), at=AT + 10**6)
    assert order.node == "a"


def test_after_as_many_as_the_factory_allows_it_is_over(book: Book) -> None:
    job = book.submit("two")
    for attempt in (1, 2):
        order = book.dispatch(view(), limit=1, at=AT + 10**9)[0]
        assert (order.task, order.attempt) == (1, attempt)
        book.fail(order)
    assert (book.task(1).state, book.task(1).failures) == (TaskState.FAILED, 2)
    assert book.job(job.id).state is JobState.QUEUED, "the other product goes on"
    (other,) = book.dispatch()
    book.fail(other, permanent=True)
    assert book.job(job.id).state is JobState.FAILED
    (noted,) = [fact for fact in book.facts if isinstance(fact, c.Noted) and fact.kind == "job.failed"]
    assert noted.text == "san:in/clip.mxf: p: it died; q: it died"


def test_waits_grow_and_are_bounded(book: Book) -> None:
    book.do(c.SaveFactory(ONE.replace('"one"', '"stubborn"\nattempts = 9', 1), AT))
    book.submit("stubborn")
    waits, at = [], AT
    for _ in range(8):
        (order,) = book.dispatch(at=at)
        book.fail(order, at=at)
        waits.append((book.task(1).deferred_until or 0) - at)
        at += waits[-1]
    assert waits == [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, BACKOFF_LONGEST_MS, BACKOFF_LONGEST_MS]


@pytest.mark.parametrize(("permanent", "blame"), [(True, True), (False, False)])
def test_what_is_not_the_nodes_fault_is_not_held_against_it(book: Book, permanent: bool, blame: bool) -> None:
    book.submit()
    (order,) = book.dispatch()
    book.fail(order, permanent=permanent, blame=blame)
    assert c.AttemptOver("a", 1, 1, "failed", blame=False, final=permanent) in book.facts


# --- what a node sees of a volume, and volumes that are full ---


def test_what_one_node_sees_of_a_volume_is_the_truth_once_another_sees_it(book: Book) -> None:
    job = book.submit()
    for name in "ab":
        (order,) = book.dispatch(view(name), at=AT + 10**9)
        assert book.task(1).state is TaskState.RUNNING, "one node may be wrong"
        assert book.fail(order, cause=Cause.VIEW)
        over = c.AttemptOver(name, 1, order.attempt, "failed", doubt=True, final=name == "b")
        assert over in book.facts, "nobody is blamed yet"
    assert (book.task(1).state, book.task(1).failures, book.task(1).error) == (TaskState.FAILED, 2, "it died")
    assert book.job(job.id).state is JobState.FAILED


REFUSED = "ffmpeg refused the recipe: {}. Correct the factory."
BROKEN = "The source is not media that can be opened: {}. Replace it and submit again."


def verdict(book: Book, name: str, words: str, of: int = 1) -> Task:
    """The program of this node says it of the task."""
    (order,) = book.dispatch(view(name, slots=1), at=AT + 10**9)
    assert order.task == of
    book.do(c.FailAttempt(of, order.attempt, words, False, AT + 10**9, False, Cause.VERDICT))
    return book.task(of)


def test_what_a_program_says_is_for_ever_once_that_of_another_node_says_the_same(book: Book) -> None:
    job = book.submit()
    task = verdict(book, "a", REFUSED.format("Unknown encoder 'x'"))
    assert (task.state, task.failures, task.blocked, task.deferred_until) == (TaskState.QUEUED, 0, ("a",), None)
    assert c.AttemptOver("a", 1, 1, "failed", doubt=True) in book.facts, "nobody is blamed yet"
    assert c.TasksReady() in book.facts
    task = verdict(book, "b", REFUSED.format("Unrecognized option 'y'"))
    assert (task.state, task.failures) == (TaskState.FAILED, 1)
    assert c.AttemptOver("b", 1, 2, "failed", doubt=True, final=True) in book.facts
    assert book.job(job.id).state is JobState.FAILED


def test_each_node_is_asked_once_before_another_verdict_uses_up_an_attempt(book: Book) -> None:
    book.do(c.SaveFactory(ONE.replace('"one"', '"once"\nattempts = 1', 1), AT))
    book.submit("once")
    assert verdict(book, "a", REFUSED.format("x")).state is TaskState.QUEUED, "this counts as no try"
    assert verdict(book, "b", BROKEN.format("x")).state is TaskState.QUEUED
    assert verdict(book, "a", REFUSED.format("x")).state is TaskState.FAILED, "a alone says so, but that was a try"


def test_the_same_node_twice_or_other_words_prove_nothing(book: Book) -> None:
    book.do(c.SaveFactory(ONE.replace('"one"', '"stubborn"\nattempts = 4', 1), AT))
    book.submit("stubborn")
    for name, words in (("a", "not there"), ("a", "not there"), ("b", "read-only")):
        (order,) = book.dispatch(view(name), at=AT + 10**9)
        book.do(c.FailAttempt(1, order.attempt, words, False, AT, cause=Cause.VIEW))
        assert book.task(1).state is TaskState.QUEUED
    (order,) = book.dispatch(view("a"), at=AT + 10**9)
    book.do(c.FailAttempt(1, order.attempt, "not there", False, AT, cause=Cause.VIEW))
    assert book.task(1).state is TaskState.FAILED, "but it is tried no more often than anything else"


def test_what_was_seen_before_a_person_retried_it_does_not_count(book: Book) -> None:
    job = book.submit()
    for name in "ab":
        book.fail(*book.dispatch(view(name), at=AT + 10**9), cause=Cause.VIEW)
    book.act(JobAction.RETRY, job.id)
    book.fail(*book.dispatch(view("a")), cause=Cause.VIEW)
    assert (book.task(1).state, book.task(1).failures) == (TaskState.QUEUED, 1)


def test_a_full_volume_is_nobodys_fault_and_uses_up_no_attempt(book: Book) -> None:
    job = book.submit()
    waits, at = [], AT
    for _ in range(8):
        (order,) = book.dispatch(at=at)
        book.fail(order, at=at, cause=Cause.ROOM)
        assert c.AttemptOver("a", 1, order.attempt, "failed") in book.facts
        waits.append((book.task(1).deferred_until or 0) - at)
        at += waits[-1]
    task = book.task(1)
    assert (task.state, task.failures, task.blocked, task.error) == (TaskState.QUEUED, 0, (), "it died")
    assert waits[:3] == [5_000, 10_000, 20_000] and waits[-1] == ROOM_LONGEST_MS
    assert book.job(job.id).state is JobState.QUEUED


def test_a_publish_that_one_node_may_not_do_is_for_another(book: Book) -> None:
    book.submit()
    (order,) = book.dispatch()
    book.grant(order)
    assert book.do(c.Unsettle(1, 1, "permission denied", False, AT, Cause.VIEW))
    assert (book.task(1).state, book.task(1).blocked) == (TaskState.QUEUED, ("a",))
    assert c.AttemptOver("a", 1, 1, "failed", doubt=True) in book.facts


def test_jobs_of_a_recipe_that_cannot_be_read_any_more_still_end(book: Book) -> None:
    """An earlier fa took it, this one does not: its work must not fail in circles."""
    job = book.submit()
    broken = FactoryVersion("one", 2, "not a recipe", AT)
    book.tables.add_factory(broken)
    row = replace(job, factory_version=2)
    row = replace(row, id=book.tables.add_job(row))
    task = replace(book.task(1), job=row.id)
    task = replace(task, id=book.tables.add_task(task))
    order = next(order for order in book.dispatch() if order.task == task.id)
    assert [fact.replace for fact in book.facts if isinstance(fact, c.Assigned) and fact.order == order] == [False]
    assert book.fail(order)
    assert book.task(task.id).state is TaskState.FAILED


# --- nodes that are lost, publishes that are settled ---


def test_lost_attempts_go_back_to_their_old_place_and_are_no_failures(book: Book) -> None:
    first = book.submit()
    book.submit()
    (order,) = book.dispatch(limit=1)
    assert book.do(c.GiveAway(((1, 1), (1, 1), (77, 1)), "a was lost", AT)) == ()
    assert c.AttemptOver("a", 1, 1, "lost", stop=True) in book.facts
    task = book.task(1)
    assert (task.state, task.failures, task.blocked, task.deferred_until) == (TaskState.QUEUED, 0, (), None)
    assert (book.attempt(1).state, book.attempt(1).error) == (AttemptState.LOST, "a was lost")
    assert book.job(first.id).state is JobState.QUEUED
    with pytest.raises(Refused):
        book.grant(order)
    assert [order.job for order in book.dispatch(view("b", slots=1))] == [first.id]


def lose(book: Book, reason: str = "{} was lost", at: int = AT) -> Task:
    """Run the task on the next of two nodes, which is lost meanwhile."""
    name = "ab"[book.task(1).attempt % 2]
    (order,) = book.dispatch(view(name), at=at)
    book.do(c.GiveAway(((1, order.attempt),), reason.format(name), at))
    return book.task(1)


def test_a_task_that_loses_its_node_each_time_is_held(book: Book) -> None:
    """It may be what kills them; a hold loses nothing, and a person who releases it has seen the alert."""
    job, at, waits = book.submit(), AT, []
    for reason in ("{} was lost", "{} no longer runs it", "{} was lost", "{} was lost"):
        task = lose(book, reason, at)
        waits.append((task.deferred_until or at) - at)
        at = task.deferred_until or at
        assert (task.state, task.failures, task.blocked) == (TaskState.QUEUED, 0, ())
    assert waits == [0, 5_000, 10_000, 20_000]
    task = lose(book, at=at)
    assert (task.state, task.deferred_until, book.job(job.id).state) == (TaskState.HELD, None, JobState.HELD)
    told = "its node was lost each of the last 5 times it ran; release it with `fa job release 1` when you know why"
    (alert,) = book.tables.open_alerts()
    assert (alert.kind, alert.subject) == ("job.losses", "job/1") and told in alert.text and told == task.error
    assert book.dispatch(at=at) == ()

    book.act(JobAction.RELEASE, job.id)
    assert book.tables.open_alerts() == []
    assert [lose(book, at=at + 10**6 * n).state for n in range(5)] == ["queued"] * 4 + ["held"], "as often again"
    book.act(JobAction.CANCEL, job.id)
    assert book.tables.open_alerts() == []


def test_what_is_not_the_loss_of_a_node_does_not_count_as_one(book: Book) -> None:
    """Nodes that are stopped in order, volumes in trouble; and any other end starts the count anew."""
    book.submit()
    for _ in range(12):
        assert lose(book, "{} stopped it").deferred_until is None
    for n in range(3):
        assert lose(book, at=AT + 10**6 * n).state is TaskState.QUEUED
        assert lose(book, "volume san on {} is in trouble", at=AT + 10**6 * n + 10**5).state is TaskState.QUEUED
    (order,) = book.dispatch(at=AT + 10**8)
    book.fail(order, at=AT + 10**8)
    assert [lose(book, at=AT + 10**9 + 10**6 * n).state for n in range(5)] == ["queued"] * 4 + ["held"]


def test_a_granted_attempt_is_not_given_away_it_must_be_settled(book: Book) -> None:
    book.submit()
    (order,) = book.dispatch()
    book.grant(order)
    assert book.do(c.GiveAway(((1, 1),), "a was lost", AT)) == ((1, 1),)
    assert book.task(1).state is TaskState.PUBLISHING
    with pytest.raises(Conflict, match="is settled, not failed"):
        book.fail(order)


@pytest.mark.parametrize(("permanent", "after"), [(False, TaskState.QUEUED), (True, TaskState.FAILED)])
def test_a_publish_that_did_not_happen_is_settled_once(book: Book, permanent: bool, after: TaskState) -> None:
    book.submit()
    (order,) = book.dispatch()
    unsettle = c.Unsettle(1, 1, "the part is gone", permanent, AT)
    with pytest.raises(Conflict, match="Only a granted attempt can be settled"):
        book.do(unsettle)
    book.grant(order)
    assert book.do(unsettle)
    assert (book.task(1).state, book.task(1).failures) == (after, 1)
    assert c.AttemptOver("a", 1, 1, "failed", blame=False, final=permanent) in book.facts
    assert not book.do(unsettle)
    assert not book.finish(order)


def test_a_large_task_holds_a_node_back_until_it_fits(book: Book) -> None:
    big = book.submit("big", priority=90)
    book.submit(priority=10)
    busy = view("a", slots=2, used=(("cpu", 1, 50),))
    assert book.dispatch(busy) == ()
    assert [order.job for order in book.dispatch(view("a", slots=2))] == [big.id]


def test_reserved_slots_are_for_urgent_work(book: Book) -> None:
    normal, urgent = book.submit(), book.submit(priority=90)
    node = view("a", slots=2, reserve=(Reserve(75, 1),))
    assert [order.job for order in book.dispatch(node)] == [urgent.id, normal.id]
    book.submit()
    assert book.dispatch(replace(node, used=(("cpu", 1, 50),))) == ()


def test_cancelled_work_of_a_held_job_is_not_dispatched(book: Book) -> None:
    job = book.submit()
    book.act(JobAction.HOLD, job.id)
    book.act(JobAction.CANCEL, job.id)
    assert book.job(job.id).state is JobState.CANCELLED
    assert book.dispatch() == ()
