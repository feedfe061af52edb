"""Submitting, and what people do to jobs afterwards; on SQLite and on the twin alike."""

from __future__ import annotations

import pytest

from fa.core import commands as c
from fa.core.commands import JobAction, SubmitJobs
from fa.core.ledger_jobs import JOBS_PER_REQUEST_MAX
from fa.core.lifecycle import JobState, TaskState
from fa.core.model import AttemptState, NewJob
from fa.core.recipe_path import DestinationError
from fa.errors import Conflict, FaError, Invalid, NotFound, Unprocessable
from tests.core.book import AT, ONE, Book

CLIP = NewJob("san:in/clip.mxf", "one")


def test_a_job_has_a_task_for_each_product(book: Book) -> None:
    command = SubmitJobs((NewJob("san:in/a b.mxf", "two", None, "subject", "words"),), AT, "operator:ann", monitor="m")
    submitted = book.do(command)
    (job,) = submitted.jobs
    row = book.job(job)
    assert (row.factory, row.factory_version, row.source, row.state) == ("two", 1, "san:in/a b.mxf", JobState.QUEUED)
    assert (row.priority, row.submitted_at, row.subject, row.description) == (75, AT, "subject", "words")
    assert (row.submitted_by, row.monitor) == ("operator:ann", "m")
    tasks = book.tables.tasks_of(job)
    assert [(task.product, task.destination) for task in tasks] == [("p", "san:out/1-p.mp4"), ("q", "san:out/1-q.mp4")]
    assert submitted.rows == ((row, tuple(tasks)),)
    group = book.tables.group(tasks[0].group)
    assert group is not None
    assert {"source:san", "volume:san", "encoder:libx264"} <= set(group.requires)
    assert c.TasksReady() in book.facts


def test_a_destination_may_say_when_and_what(book: Book) -> None:
    text = ONE.replace('"one"', '"when"').replace("{job}", "{date}/{time}/{factory}/{subject}/{source.stem}")
    book.do(c.SaveFactory(text, AT))
    job = book.submit("when", subject="../Abend\n")
    (task,) = book.tables.tasks_of(job.id)
    assert task.destination == "san:out/2023-11-14/221320/when/__Abend_/clip-p.mp4"


@pytest.mark.parametrize(
    ("destination", "source", "why"),
    [
        ("san:in/{source.stem}.mxf", "san:in/clip.mxf", "is the source itself"),
        ("san:in", "san:in/clip.mxf", "is a folder in which the source san:in/.*clip.mxf lies"),
        ("san:in", "san:in/a/b/clip.mxf", "is a folder in which the source san:in/.*clip.mxf lies"),
        ("san:in/{source.stem}.mp4", "san:in/clip.mxf", ""),
        ("san:i", "san:in/clip.mxf", ""),
        ("nas:in/clip.mxf", "san:in/clip.mxf", ""),
    ],
)
def test_no_source_is_a_destination_of_its_own_job(book: Book, destination: str, source: str, why: str) -> None:
    text = ONE.replace('"one"', '"over"\nreplace = true').replace("san:out/{job}-{product}.mp4", destination)
    book.do(c.SaveFactory(text, AT))
    request = SubmitJobs((NewJob(source, "over"),), AT)
    if not why:
        assert len(book.do(request).jobs) == 1
        return
    with pytest.raises(DestinationError, match=why):
        book.do(request)
    assert book.tables.counts()[JobState.QUEUED] == 0


def test_a_request_may_come_twice_and_is_carried_out_once(book: Book) -> None:
    first = book.do(SubmitJobs((CLIP, CLIP), AT, key="k", digest="d"))
    again = book.do(SubmitJobs((CLIP, CLIP), AT + 1, key="k", digest="d"))
    assert again.jobs == first.jobs
    assert again.replayed
    assert not again.rows
    assert book.tables.counts()[JobState.QUEUED] == 2
    with pytest.raises(Unprocessable, match="was used before with another body"):
        book.do(SubmitJobs((CLIP,), AT, key="k", digest="other"))


@pytest.mark.parametrize(
    ("new", "error", "why"),
    [
        (NewJob("clip.mxf", "one"), Invalid, "names no volume"),
        (NewJob("san:x", "on"), NotFound, "no factory 'on'"),
        (NewJob("san:x", "one", 101), Invalid, "101 is not between"),
        (NewJob("san:x", "one", -1), Invalid, "-1 is not between"),
        (NewJob("san:x", "off"), Conflict, "off is disabled"),
    ],
)
def test_what_cannot_be_submitted(book: Book, new: NewJob, error: type[FaError], why: str) -> None:
    book.do(c.SaveFactory(ONE.replace('"one"', '"off"\nenabled = false', 1), AT))
    with pytest.raises(error, match=why):
        book.do(SubmitJobs((CLIP, new), AT, key="k"))
    assert sum(book.tables.counts().values()) == 0, "all jobs of a request, or none"
    assert book.tables.remembered("k") is None


@pytest.mark.parametrize("count", [0, JOBS_PER_REQUEST_MAX + 1])
def test_a_request_holds_a_bounded_number_of_jobs(book: Book, count: int) -> None:
    with pytest.raises(Invalid, match="1 to 1000 jobs"):
        book.do(SubmitJobs((CLIP,) * count, AT))


def test_jobs_can_be_deferred(book: Book) -> None:
    for defer, waits in ((AT + 1, True), (AT, False), (None, False)):
        job = book.submit(defer_until=defer)
        assert (book.tables.tasks_of(job.id)[0].deferred_until is not None) is waits


def test_a_factory_that_was_rolled_back_leaves_nothing_behind(book: Book) -> None:
    """A version may come twice with different texts, when the commit of the first was lost."""
    mark = book._mark()
    book.do(c.SaveFactory(ONE + "cost = 2\n", AT))
    book.submit()
    book._back(mark)
    book.do(c.SaveFactory(ONE + "cost = 4\n", AT))
    assert book.tables.tasks_of(book.submit().id)[0].cost == 4


# --- cancel ---


def test_cancel_stops_what_runs_and_what_waits(book: Book) -> None:
    job = book.submit("two")
    (order,) = book.dispatch(limit=1)
    result = book.act(JobAction.CANCEL, job.id)
    assert result[job.id] == book.job(job.id)
    assert book.job(job.id).state is JobState.CANCELLED
    assert book.job(job.id).finished_at == AT + 5
    assert book.states(job.id) == [TaskState.CANCELLED] * 2
    assert book.task(order.task).error == "cancelled by operator:ann"
    assert book.attempt(order.task).state is AttemptState.CANCELLED
    assert c.AttemptOver("a", order.task, 1, "cancelled", stop=True) in book.facts
    assert "job.cancelled" in book.events()
    assert book.act(JobAction.CANCEL, job.id)[job.id] == book.job(job.id), "it is cancelled: what was wanted holds"


def test_what_is_being_published_cannot_be_cancelled(book: Book) -> None:
    job = book.submit()
    (order,) = book.dispatch()
    book.grant(order)
    refused = book.act(JobAction.CANCEL, job.id)[job.id]
    assert isinstance(refused, Conflict)
    assert "is being published at this moment" in refused.detail
    assert book.states(job.id) == [TaskState.PUBLISHING]
    book.finish(order)
    assert "succeeded: there is nothing left to cancel" in book.act(JobAction.CANCEL, job.id)[job.id].detail


def test_cancel_takes_what_it_can(book: Book) -> None:
    """One output is being published, the other one waits: the one that waits is cancelled."""
    job = book.submit("two")
    (order,) = book.dispatch(limit=1)
    book.grant(order)
    assert book.act(JobAction.CANCEL, job.id)[job.id].state is JobState.RUNNING
    book.finish(order)
    assert book.states(job.id) == [TaskState.SUCCEEDED, TaskState.CANCELLED]
    assert book.job(job.id).state is JobState.CANCELLED


def test_a_late_wish_to_publish_after_a_cancel_is_refused(book: Book) -> None:
    job = book.submit()
    (order,) = book.dispatch()
    book.act(JobAction.CANCEL, job.id)
    with pytest.raises(Conflict, match="does not count any more"):
        book.grant(order)


# --- retry, hold, release ---


def test_retry_gives_what_failed_its_old_place(book: Book) -> None:
    first, second = book.submit(), book.submit()
    (order,) = book.dispatch(limit=1)
    book.fail(order, permanent=True)
    assert book.job(first.id).state is JobState.FAILED
    retried = book.act(JobAction.RETRY, first.id)[first.id]
    assert (retried.state, retried.finished_at) == (JobState.QUEUED, None)
    assert (book.task(order.task).failures, book.task(order.task).error) == (0, "")
    assert "job.retried" in book.events()
    assert [(order.job, order.attempt) for order in book.dispatch()] == [(first.id, 2), (second.id, 1)]


def test_only_what_ended_badly_can_be_retried(book: Book) -> None:
    job = book.submit()
    assert "only failed and cancelled" in book.act(JobAction.RETRY, job.id)[job.id].detail
    book.act(JobAction.CANCEL, job.id)
    assert book.act(JobAction.RETRY, job.id)[job.id].state is JobState.QUEUED


def test_held_jobs_wait_until_they_are_released(book: Book) -> None:
    job = book.submit()
    for _ in range(2):
        assert book.act(JobAction.HOLD, job.id)[job.id].state is JobState.HELD
    assert book.dispatch() == ()
    for _ in range(2):
        assert book.act(JobAction.RELEASE, job.id)[job.id].state is JobState.QUEUED
    assert c.TasksReady() in book.facts
    assert len(book.dispatch()) == 1
    assert "nothing of it waits in the queue" in book.act(JobAction.HOLD, job.id)[job.id].detail
    assert "nothing of it is held" in book.act(JobAction.RELEASE, job.id)[job.id].detail


def test_each_job_is_answered_for_itself(book: Book) -> None:
    job = book.submit()
    results = book.act(JobAction.HOLD, job.id, 99)
    assert results[job.id].state is JobState.HELD
    assert isinstance(results[99], NotFound)


# --- priority ---


def test_priority_counts_at_once_in_the_queue_and_where_it_runs(book: Book) -> None:
    low, high = book.submit(), book.submit()
    (order,) = book.dispatch(limit=1)
    results = book.do(c.SetPriority((high.id, low.id, 99), 90, AT))
    assert [book.job(job).priority for job in (low.id, high.id)] == [90, 90]
    assert isinstance(results[99], NotFound)
    assert [fact for fact in book.facts if isinstance(fact, c.Reprioritised)] == [c.Reprioritised(order.task, 90)]
    third = book.submit()
    book.do(c.SetPriority((third.id,), 100, AT))
    assert [order.job for order in book.dispatch()] == [third.id, high.id]


def test_priorities_are_0_to_100(book: Book) -> None:
    with pytest.raises(Invalid, match="101 is not between"):
        book.do(c.SetPriority((book.submit().id,), 101, AT))
