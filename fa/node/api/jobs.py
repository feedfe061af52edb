"""`/v1/jobs`: list, show, submit, and what people do to jobs."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256

from fa.core.commands import ActOnJobs, JobAction, SetPriority, SubmitJobs
from fa.core.ledger_jobs import Submitted
from fa.core.model import PRIORITIES, Job, NewJob, Role, Task
from fa.core.query import parse
from fa.errors import FaError, Invalid, NotFound
from fa.node.api import given as g
from fa.node.api import shapes as s
from fa.node.api.call import Answer, Call
from fa.node.api.paging import LIMIT_MAX, links
from fa.node.api.problems import BadBody
from fa.node.api.render import attempt_shape, job_fields, job_shape
from fa.node.api.route import Route
from fa.node.gateway import Progress
from fa.store.orders import NEWEST, ORDERS
from fa.store.readers import Place

_KEY = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}", re.ASCII)


def job_id(text: str) -> int:
    """The number of a job from a path; what cannot be one is not found."""
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19):
        raise NotFound(f"There is no job {text[:40]!r}.", hint="Jobs have numbers; `fa jobs` lists them.")
    return int(text)


async def listing(call: Call) -> Answer:
    asked: g.JobsQuery = call.query
    seq = call.gateway.hub.head  # before the list is read: what happens meanwhile is watched, perhaps twice, never lost
    place = Place(min(asked.limit, LIMIT_MAX), asked.after or None, asked.before or None, _sort(asked.sort))
    page = await call.gateway.readers.jobs(parse(asked.q, call.at), place)
    progress = call.gateway.progress()
    items = [job_shape(row.job, row.tasks, progress) for row in page.items]
    answer = s.Page[s.JobShape](items, page.next, page.prev, seq)
    return Answer(answer, headers=links(call, page.next, page.prev))


def _sort(sort: str) -> str:
    """The orders that an index has: they cost nothing at any length. Others do not exist."""
    if sort and sort not in ORDERS:
        raise BadBody([("/sort", f"is one of {', '.join(ORDERS)}: filter with q for the rest")])
    return sort or NEWEST


async def show(call: Call) -> Answer:
    row = await call.gateway.readers.job(job_id(call.names["id"]))
    if row is None:
        raise NotFound(f"There is no job {call.names['id'][:40]}.", hint="`fa jobs` lists them.")
    products = {task.id: task.product for task in row.tasks}
    history = [attempt_shape(attempt, products.get(attempt.task, "")) for attempt in row.attempts]
    fields = job_fields(row.job, row.tasks, call.gateway.progress())
    return Answer(s.JobDetail(**fields, attempts=history))  # type: ignore[arg-type]


# --- submitting ---


async def submit(call: Call) -> Answer:
    items, durability, headers = await _submit(call, [call.body])
    return Answer(s.SubmittedJob(**items[0], durability=durability), 201, headers)  # type: ignore[arg-type]


async def submit_batch(call: Call) -> Answer:
    items, durability, headers = await _submit(call, call.body.jobs)
    jobs = [s.JobShape(**fields) for fields in items]  # type: ignore[arg-type]
    return Answer(s.SubmittedBatch(jobs, durability), 201, headers)


async def _submit(call: Call, given: Sequence[g.SubmitJob]) -> tuple[list[dict[str, object]], str, dict[str, str]]:
    jobs = tuple(_new_job(job, call.at, index) for index, job in enumerate(given))
    key = idempotency_key(call)
    digest = sha256(call.route.path.encode() + b"\0" + call.raw).hexdigest() if key else ""
    done = await call.ask(SubmitJobs(jobs, call.at, call.who.name, key, digest))
    submitted: Submitted = done.value
    rows = submitted.rows
    progress: Mapping[int, Progress] = {}
    if submitted.replayed:  # they may have come far since
        rows, progress = await _made_before(call, submitted.jobs), call.gateway.progress()
    headers = {"Idempotency-Replayed": "true"} if submitted.replayed else {}
    if len(submitted.jobs) == 1:
        headers["Location"] = f"/v1/jobs/{submitted.jobs[0]}"
    return [job_fields(job, tasks, progress) for job, tasks in rows], done.durability, headers


async def _made_before(call: Call, jobs: Sequence[int]) -> tuple[tuple[Job, tuple[Task, ...]], ...]:
    """Raises `NotFound` when some are not kept any more: a site may keep keys longer than jobs."""
    views = await call.gateway.readers.jobs_of(jobs)
    if len(views) < len(jobs):
        missing = min(set(jobs) - {view.job.id for view in views})
        raise NotFound(f"This key made job {missing}, which is over and was deleted since.", hint="Use a new key.")
    return tuple((view.job, view.tasks) for view in views)


def idempotency_key(call: Call) -> str:
    key = call.headers.get("Idempotency-Key", call.own_key)
    if key and not _KEY.fullmatch(key):
        raise Invalid("The Idempotency-Key is not 1 to 255 printable ASCII characters.", hint="A UUID is a good one.")
    return key


def _new_job(job: g.SubmitJob, now: int, index: int) -> NewJob:
    defer_until = None
    if job.defer_until is not None:
        defer_until = _moment(job.defer_until, index)
    elif job.defer is not None:
        defer_until = now + int(job.defer * 1000)
    return NewJob(job.source, job.factory, priority_of(job.priority), job.subject, job.description, defer_until)


def _moment(text: str, index: int) -> int:
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            raise ValueError("no time zone")
        return int(when.astimezone(UTC).timestamp() * 1000)  # in UTC there may be no such year
    except (ValueError, OverflowError):
        sentence = "is not a time with its zone, as in 2026-05-01T22:00:00Z"
        raise BadBody([(f"/jobs/{index}/defer_until" if index else "/defer_until", sentence)]) from None


def priority_of(given: int | str | None) -> int | None:
    return PRIORITIES[given] if isinstance(given, str) else given


# --- acting ---


async def change(call: Call) -> Answer:
    number = job_id(call.names["id"])
    priority = priority_of(call.body.priority)
    assert priority is not None, "the body has one"
    done = await call.ask(SetPriority((number,), priority, call.at, call.who.name))
    return await _after(call, number, done.value[number])


async def act(call: Call, action: JobAction) -> Answer:
    number = job_id(call.names["id"])
    done = await call.ask(ActOnJobs(action, (number,), call.at, call.who.name))
    return await _after(call, number, done.value[number])


async def _after(call: Call, number: int, result: Job | FaError) -> Answer:
    if isinstance(result, FaError):
        raise result
    rows = await call.gateway.readers.jobs_of((number,))
    return Answer(job_shape(rows[0].job, rows[0].tasks, call.gateway.progress()))


_SUMMARIES = {
    JobAction.CANCEL: "Cancel a job; running encodes are killed",
    JobAction.RETRY: "Run what failed or was cancelled again",
    JobAction.HOLD: "Keep a job in the queue from starting",
    JobAction.RELEASE: "Let a held job start",
}


def _actions() -> list[Route]:
    routes = []
    for action, summary in _SUMMARIES.items():
        # Retrying twice is not the same as once: in between it may have failed again.
        repeatable = action is not JobAction.RETRY
        handler, path = functools.partial(act, action=action), f"/v1/jobs/{{id}}/{action}"
        routes.append(Route("POST", path, Role.OPERATOR, summary, handler, s.JobShape, repeatable=repeatable))
    return routes


ROUTES = (
    Route("GET", "/v1/jobs", Role.VIEWER, "List jobs, newest first", listing, s.Page[s.JobShape], query=g.JobsQuery),
    Route(
        "POST", "/v1/jobs", Role.OPERATOR, "Submit a job", submit, s.SubmittedJob, 201,
        body=g.SubmitJob, repeatable=False, keyed=True,
    ),
    Route(
        "POST", "/v1/jobs:batch", Role.OPERATOR, "Submit up to 1,000 jobs, all or none", submit_batch, s.SubmittedBatch,
        201, body=g.SubmitBatch, repeatable=False, keyed=True, batch=True,
    ),
    Route("GET", "/v1/jobs/{id}", Role.VIEWER, "Show a job with its attempts", show, s.JobDetail),
    Route("PATCH", "/v1/jobs/{id}", Role.OPERATOR, "Change the priority", change, s.JobShape, body=g.PatchJob),
    *_actions(),
)  # fmt: skip
