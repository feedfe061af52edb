"""What people do to several jobs: by their ids, or to a set that was selected before."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import partial

from fa.core.commands import ActOnJobs, JobAction, SetPriority
from fa.core.model import Job, Role
from fa.core.query import parse
from fa.errors import FaError
from fa.node.api import given as g
from fa.node.api import shapes as s
from fa.node.api.call import Answer, Call
from fa.node.api.jobs import priority_of
from fa.node.api.problems import BadBody
from fa.node.api.render import job_shape, stamp
from fa.node.api.route import Route
from fa.node.api.selections import KEPT_SECONDS
from fa.node.clock import monotonic

IN_ONE_ANSWER = 5_000  # of a selection; the next request goes on behind them
BEGUN_SECONDS = 5.0  # after this no further command of a request is begun: nodes on the way wait for 30
PATIENCE_SECONDS = 30.0
IN_ONE_COMMAND = 250  # of those: the store does nothing else meanwhile, so that others wait for milliseconds

Make = Callable[[tuple[int, ...]], ActOnJobs | SetPriority]


async def select(call: Call) -> Answer:
    """The set is that of one acknowledged snapshot, of the epoch in which it was asked for."""
    seq, epoch = call.gateway.hub.head, call.gateway.standing().epoch
    found = await call.gateway.readers.select(parse(call.body.q, call.at))
    name = call.services.selections.keep(found.ids, call.who.name, epoch)
    states = s.Counts(**{state.value: jobs for state, jobs in found.states.items()})
    progress = call.gateway.progress()
    sample = [job_shape(row.job, row.tasks, progress) for row in found.sample]
    until = stamp(call.at + int(KEPT_SECONDS * 1000))
    return Answer(s.SelectionShape(name, len(found.ids), states, sample, seq, until), 201)


async def act(call: Call, action: s.BulkAction) -> Answer:
    rule = JobAction(action)
    return await _carry_out(call, action, lambda jobs: ActOnJobs(rule, jobs, call.at, call.who.name))


async def prioritise(call: Call) -> Answer:
    priority = priority_of(call.body.priority)
    assert priority is not None, "the body has one"
    return await _carry_out(call, "priority", lambda jobs: SetPriority(jobs, priority, call.at, call.who.name))


async def _carry_out(call: Call, name: s.BulkAction, make: Make) -> Answer:
    body: g.Chosen = call.body
    if (body.ids is None) is (not body.selection):
        raise BadBody([("", "names either ids or a selection")])
    if body.ids is None:
        return Answer(await _selected(call, name, make))
    if body.after or body.without:
        raise BadBody([("", "names ids; after and without are for selections")])
    return Answer(s.Results(name, await _command(call, make, tuple(dict.fromkeys(body.ids)))))


async def _selected(call: Call, name: s.BulkAction, make: Make) -> s.Results:
    """A part of a selection, in commands that are small. What stops it half way is told by the next request; this one
    tells what was done."""
    at, total = call.body.after, len(_set(call))
    end, spared = min(at + IN_ONE_ANSWER, total), frozenset(call.body.without)
    late = monotonic() + BEGUN_SECONDS
    results: list[s.Result] = []
    while at < end:
        try:
            part = _set(call)[at : min(at + IN_ONE_COMMAND, end)]  # looked up anew: the epoch may have ended
            results += await _command(call, make, tuple(job for job in part if job not in spared))
        except FaError:
            if not results:
                raise
            break
        at += len(part)
        if monotonic() > late:
            break
    return s.Results(name, results, at if at < total else None)


def _set(call: Call) -> array[int]:
    return call.services.selections.find(call.body.selection, call.who.name, call.gateway.standing().epoch)


async def _command(call: Call, make: Make, wanted: tuple[int, ...]) -> list[s.Result]:
    done = await call.ask(make(wanted)) if wanted else None
    return [] if done is None else [_result(number, done.value[number]) for number in wanted]


def _result(number: int, result: Job | FaError) -> s.Result:
    if isinstance(result, FaError):
        return s.Result(number, False, code=result.code, detail=str(result))
    return s.Result(number, True, state=result.state.value)


_SUMMARIES: dict[s.BulkAction, str] = {
    "cancel": "Cancel several jobs or a selection, each for itself",
    "retry": "Retry several jobs or a selection, each for itself",
    "hold": "Hold several jobs or a selection, each for itself",
    "release": "Release several jobs or a selection, each for itself",
}


def _actions() -> list[Route]:
    return [
        Route(
            "POST", f"/v1/jobs:{action}", Role.OPERATOR, summary, partial(act, action=action), s.Results, body=g.Chosen,
            # Retrying twice is not the same as once: in between it may have failed again.
            repeatable=action != "retry", patience_seconds=PATIENCE_SECONDS,
        )
        for action, summary in _SUMMARIES.items()
    ]  # fmt: skip


ROUTES = (
    Route(
        "POST", "/v1/selections", Role.OPERATOR, "Select all jobs that match, as they are now", select,
        s.SelectionShape, 201, body=g.Select,
    ),
    *_actions(),
    Route(
        "POST", "/v1/jobs:priority", Role.OPERATOR, "Give several jobs or a selection a priority", prioritise,
        s.Results, body=g.ChosenPriority, patience_seconds=PATIENCE_SECONDS,
    ),
)  # fmt: skip
