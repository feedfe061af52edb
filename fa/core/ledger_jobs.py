"""Submitting jobs, and what people do to them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from fa.core.blueprint import Blueprint
from fa.core.change import Change
from fa.core.commands import (
    ActOnJobs,
    JobAction,
    JobsSubmitted,
    Reprioritised,
    SetPriority,
    SubmitJobs,
    TasksReady,
)
from fa.core.lifecycle import ACTIVE, JobState, TaskEvent, TaskState, allows
from fa.core.losses import released
from fa.core.model import AttemptState, FactoryVersion, Group, Job, NewJob, Task
from fa.core.places import Place, parse_place
from fa.core.recipe_path import DestinationError, destination_values, render_destination
from fa.core.tables import Remembered
from fa.errors import Conflict, FaError, Invalid, NotFound, Unprocessable

JOBS_PER_REQUEST_MAX = 1000


@dataclass(frozen=True, slots=True)
class Submitted:
    """Ids in the order of the request. `replayed`: the key was seen before, these are the jobs it made then.

    `rows` are the new jobs with their tasks, so that who submitted is answered without reading; none when replayed."""

    jobs: tuple[int, ...]
    replayed: bool = False
    rows: tuple[tuple[Job, tuple[Task, ...]], ...] = ()


def submit(change: Change, command: SubmitJobs) -> Submitted:
    """All jobs or none. A key that was used before gives the same jobs again (SAFETY.md R10)."""
    if command.key and (before := change.tables.remembered(command.key)):
        if before.digest != command.digest:
            raise Unprocessable(
                f"The idempotency key {command.key[:80]!r} was used before with another body.",
                hint="Use a new key for a new request.",
            )
        return Submitted(before.jobs, replayed=True)
    if not 0 < len(command.jobs) <= JOBS_PER_REQUEST_MAX:
        raise Invalid(f"A request holds 1 to {JOBS_PER_REQUEST_MAX} jobs, this one {len(command.jobs)}.")
    clock, offered = _clock(command.at // 1000), _Offered(change)
    rows = tuple(_submit_one(change, new, command, clock, offered) for new in command.jobs)
    ids = tuple(job.id for job, _ in rows)
    if command.key:
        change.tables.remember(Remembered(command.key, command.digest, ids, command.at))
    change.fact(TasksReady())
    change.fact(JobsSubmitted(ids))
    return Submitted(ids, rows=rows)


class _Offered:
    """What one request finds in the tables: read once, however many jobs are of the same factory."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._factories: dict[str, tuple[FactoryVersion, Blueprint]] = {}
        self._groups: dict[Group, int] = {}

    def factory(self, name: str) -> tuple[FactoryVersion, Blueprint]:
        """Raises `NotFound`, `Conflict` for a disabled one, `RecipeError`."""
        if name not in self._factories:
            row = self._change.tables.factory(name)
            if row is None:
                raise NotFound(f"There is no factory {name[:80]!r}.", hint="`fa factories` lists them.")
            blueprint = self._change.recipes.of(row)
            if not blueprint.factory.enabled:
                raise Conflict(
                    f"Factory {row.name} is disabled.", hint="Set enabled = true in its recipe and apply it."
                )
            self._factories[name] = row, blueprint
        return self._factories[name]

    def group(self, group: Group) -> int:
        if group not in self._groups:
            self._groups[group] = self._change.tables.group_id(group)
        return self._groups[group]


def _submit_one(
    change: Change, new: NewJob, command: SubmitJobs, clock: Mapping[str, str], offered: _Offered
) -> tuple[Job, tuple[Task, ...]]:
    source = parse_place(new.source)
    row, blueprint = offered.factory(new.factory)
    recipe = blueprint.factory
    priority = recipe.priority if new.priority is None else new.priority
    _check_priority(priority)
    job = Job(
        0, row.name, row.version, str(source), JobState.QUEUED, priority, command.at,
        new.subject, new.description, command.by, command.monitor,
    )  # fmt: skip
    job = replace(job, id=change.tables.add_job(job))
    values = destination_values(source.path, job=job.id, factory=job.factory, subject=job.subject, **clock)
    deferred = new.defer_until if new.defer_until and new.defer_until > command.at else None
    tasks = []
    for ordinal, product in enumerate(recipe.products):
        group = offered.group(blueprint.group(ordinal, source.volume))
        volume, path = render_destination(product.destination, values | {"product": product.name})
        _check_spares(source, Place(volume, path))
        task = Task(
            0, job.id, ordinal, product.name, TaskState.QUEUED, priority, group, product.cost, f"{volume}:{path}",
            deferred_until=deferred,
        )  # fmt: skip
        tasks.append(replace(task, id=change.tables.add_task(task)))
    return job, tuple(tasks)


def _check_spares(source: Place, destination: Place) -> None:
    """No source is ever overwritten, whatever its factory may replace. The node looks at the files again."""
    if destination.covers(source):
        what = "the source itself" if destination == source else f"a folder in which the source {source} lies"
        raise DestinationError(f"The destination {destination} is {what}.", hint="Deliver to another place.")


@lru_cache(maxsize=64)
def _clock(second: int) -> Mapping[str, str]:
    """What a destination may say of the time of submission, in UTC; many are submitted in one second."""
    when = datetime.fromtimestamp(second, UTC)
    return {"date": f"{when:%Y-%m-%d}", "time": f"{when:%H%M%S}"}


def _check_priority(priority: int) -> None:
    if not 0 <= priority <= 100:
        raise Invalid(f"Priority {priority} is not between 0 and 100.")


def act(change: Change, command: ActOnJobs) -> dict[int, Job | FaError]:
    """Each job for itself: its row afterwards, or why not. Repeating an action that already holds is no error."""
    rule = _ACTIONS[command.action]
    results: dict[int, Job | FaError] = {}
    for job in command.jobs:
        try:
            results[job] = rule(change, change.job(job), command)
        except FaError as error:  # every rule looks before it writes, so nothing of this job was changed
            results[job] = error
    return results


def _cancel(change: Change, job: Job, command: ActOnJobs) -> Job:
    tasks = change.tables.tasks_of(job.id)
    if job.state is JobState.CANCELLED:
        return job
    stoppable = [task for task in tasks if allows(task.state, TaskEvent.CANCEL)]
    if not stoppable:
        raise _nothing_to_cancel(job, tasks)
    released(change, job.id, stoppable, command.at)
    for task in stoppable:
        _stop_attempt(change, task, command.at)
        change.move(task, TaskEvent.CANCEL, node="", error=f"cancelled by {command.by or 'an operator'}")
    change.note(command.at, "job.cancelled", "info", f"job/{job.id}", f"cancelled by {command.by or 'an operator'}")
    return change.settle_job(job, command.at)


def _nothing_to_cancel(job: Job, tasks: Sequence[Task]) -> Conflict:
    if any(task.state is TaskState.PUBLISHING for task in tasks):
        return Conflict(
            f"The output of job {job.id} is being published at this moment; that cannot be taken back.",
            hint="Look again in a moment: it will have succeeded, or can then be cancelled.",
        )
    return Conflict(f"Job {job.id} is {job.state}: there is nothing left to cancel.")


def _stop_attempt(change: Change, task: Task, at: int) -> None:
    current = change.current(task.id, task.attempt) if task.state in ACTIVE else None
    if current:
        change.end_attempt(current[1], AttemptState.CANCELLED, at, stop=True)


def _retry(change: Change, job: Job, command: ActOnJobs) -> Job:
    again = [task for task in change.tables.tasks_of(job.id) if allows(task.state, TaskEvent.RETRY)]
    if not again:
        raise Conflict(f"Job {job.id} is {job.state}: only failed and cancelled work can be retried.")
    for task in again:
        change.move(task, TaskEvent.RETRY, failures=0, blocked=(), deferred_until=None, error="", node="", output=None)
    change.fact(TasksReady())
    change.note(command.at, "job.retried", "info", f"job/{job.id}", f"retried by {command.by or 'an operator'}")
    return change.settle_job(job, command.at)


def _hold(change: Change, job: Job, command: ActOnJobs) -> Job:
    return _hold_or_release(change, job, command, TaskEvent.HOLD, TaskState.HELD, "waits in the queue")


def _release(change: Change, job: Job, command: ActOnJobs) -> Job:
    released = _hold_or_release(change, job, command, TaskEvent.RELEASE, TaskState.QUEUED, "is held")
    change.fact(TasksReady())
    return released


def _hold_or_release(
    change: Change, job: Job, command: ActOnJobs, event: TaskEvent, after: TaskState, before: str
) -> Job:
    tasks = change.tables.tasks_of(job.id)
    movable = [task for task in tasks if allows(task.state, event)]
    if not movable and not any(task.state is after for task in tasks):
        raise Conflict(f"Job {job.id} is {job.state}: nothing of it {before}.")
    released(change, job.id, movable, command.at)
    for task in movable:
        change.move(task, event)
    if movable:
        done = "held" if after is TaskState.HELD else "released"
        change.note(command.at, f"job.{done}", "info", f"job/{job.id}", f"{done} by {command.by or 'an operator'}")
    return change.settle_job(job, command.at)


_ACTIONS: dict[JobAction, Callable[[Change, Job, ActOnJobs], Job]] = {
    JobAction.CANCEL: _cancel,
    JobAction.RETRY: _retry,
    JobAction.HOLD: _hold,
    JobAction.RELEASE: _release,
}


def set_priority(change: Change, command: SetPriority) -> dict[int, Job | FaError]:
    """Takes effect in the queue at once; running work keeps running."""
    _check_priority(command.priority)
    results: dict[int, Job | FaError] = {}
    for number in command.jobs:
        try:
            results[number] = _set_priority_of(change, change.job(number), command.priority)
            text = f"priority {command.priority} by {command.by or 'an operator'}"
            change.note(command.at, "job.priority", "info", f"job/{number}", text)
        except NotFound as error:
            results[number] = error
    change.fact(TasksReady())
    return results


def _set_priority_of(change: Change, job: Job, priority: int) -> Job:
    changed = replace(job, priority=priority)
    change.tables.save_job(changed)
    for task in change.tables.tasks_of(job.id):
        change.tables.save_task(replace(task, priority=priority))
        if task.state in ACTIVE:
            change.fact(Reprioritised(task.id, priority))
    return changed
