"""One command's change while it is being made: the tables, and the facts that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fa.core.afterwards import judge_arrival
from fa.core.alarms import Notice, NoticeWritten
from fa.core.blueprint import Recipes
from fa.core.commands import AttemptOver, Fact, JobChanged, Noted
from fa.core.lifecycle import FINAL, JobState, TaskEvent, TaskState, job_state, next_state
from fa.core.model import Attempt, AttemptState, Event, FactoryVersion, Job, Task
from fa.core.monitor_commands import AfterDue
from fa.core.recipe_values import Factory
from fa.core.tables import Tables
from fa.errors import NotFound


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command gave: `value` for whoever asked, `facts` for whoever remembers or shows."""

    value: Any
    facts: tuple[Fact, ...] = ()


class Change:
    def __init__(self, tables: Tables, recipes: Recipes) -> None:
        self.tables = tables
        self.recipes = recipes
        self.facts: list[Fact] = []

    def fact(self, fact: Fact) -> None:
        self.facts.append(fact)

    def note(self, at: int, kind: str, severity: str, subject: str, text: str) -> None:
        """Write a line of history."""
        event = self.tables.add_event(Event(at, kind, severity, subject, text))
        self.fact(Noted(event, at, kind, severity, subject, text))

    def notify(self, at: int, kind: str, severity: str, subject: str, text: str, targets: tuple[str, ...] = ()) -> None:
        """Write something to be sent to people: to `targets`, or to whom the array's alerts go."""
        notice = self.tables.add_notice(Notice(0, at, kind, severity, subject, text, targets))
        self.fact(NoticeWritten(notice))

    def job(self, job: int) -> Job:
        row = self.tables.job(job)
        if row is None:
            raise NotFound(f"There is no job {job}.", hint="`fa jobs` lists them.")
        return row

    def current(self, task: int, number: int) -> tuple[Task, Attempt] | None:
        """The task and attempt, if that attempt is the one that counts: the last one, and not over."""
        row = self.tables.task(task)
        attempt = self.tables.attempt(task, number)
        if row is None or attempt is None or row.attempt != number:
            return None
        if attempt.state not in (AttemptState.RUNNING, AttemptState.PUBLISHING):
            return None
        return row, attempt

    def factory_of(self, job: Job) -> FactoryVersion:
        row = self.tables.factory(job.factory, job.factory_version)
        assert row is not None, "a job's factory version is never deleted before the job"
        return row

    def recipe_of(self, job: Job) -> Factory | None:
        """None where this version of fa cannot read it any more."""
        return self.recipes.read(self.factory_of(job))

    def move(self, task: Task, event: TaskEvent, **also: Any) -> Task:
        """Take the task along one arrow of its drawing; raises `IllegalTransition` where there is none."""
        moved = replace(task, state=next_state(task.state, event), **also)
        self.tables.save_task(moved)
        return moved

    def end_attempt(
        self,
        attempt: Attempt,
        state: AttemptState,
        at: int,
        error: str = "",
        *,
        stop: bool = False,
        blame: bool = False,
        doubt: bool = False,
        final: bool = False,
    ) -> None:
        """`stop`: its node may still run it and is told to kill it. `blame`, `doubt`, `final`: see `AttemptOver`."""
        self.tables.save_attempt(replace(attempt, state=state, finished_at=at, error=error))
        self.fact(AttemptOver(attempt.node, attempt.task, attempt.number, state.value, stop, blame, doubt, final))

    def begin_job(self, job: Job) -> Job:
        """A task of it was given to a node: whatever the others do, it runs."""
        if job.state is JobState.RUNNING:
            return job
        return self._save_state(job, JobState.RUNNING, None)

    def settle_job(self, job: Job, at: int) -> Job:
        """Let the job's state follow from its tasks, and say so if it changed."""
        tasks = self.tables.tasks_of(job.id)
        state = job_state(task.state for task in tasks)
        if state is job.state:
            return job
        done = all(task.state in FINAL for task in tasks)
        settled = self._save_state(job, state, at if done else None)
        if job.monitor and (due := judge_arrival(self.tables, job.id)):
            self.fact(AfterDue(due))
        if state is JobState.FAILED:
            self._note_failure(settled, tasks, at)
        if done:
            self._notify_end(settled, tasks, at)
        return settled

    def _save_state(self, job: Job, state: JobState, finished_at: int | None) -> Job:
        changed = replace(job, state=state, finished_at=finished_at)
        self.tables.save_job(changed)
        self.fact(JobChanged(job.id, state.value, job.state.value))
        return changed

    def _note_failure(self, job: Job, tasks: Sequence[Task], at: int) -> None:
        self.note(at, "job.failed", "error", f"job/{job.id}", _failure(job, tasks))

    def _notify_end(self, job: Job, tasks: Sequence[Task], at: int) -> None:
        """Whom the factory names is told; nobody is when a person cancelled the job."""
        recipe = self.recipe_of(job)
        if recipe is None:
            return
        if job.state is JobState.SUCCEEDED and recipe.notify.on_success:
            made = ", ".join(task.output.path for task in tasks if task.output)
            text = f"{job.factory}: {job.source} is done: {made}"
            self.notify(at, "job.succeeded", "info", f"job/{job.id}", text, recipe.notify.on_success)
        elif job.state is JobState.FAILED and recipe.notify.on_failure:
            text = f"{job.factory}: {_failure(job, tasks)}"
            self.notify(at, "job.failed", "error", f"job/{job.id}", text, recipe.notify.on_failure)


def _failure(job: Job, tasks: Sequence[Task]) -> str:
    errors = [f"{task.product}: {task.error}" for task in tasks if task.state is TaskState.FAILED]
    return f"{job.source}: {'; '.join(errors)}"
