"""SQLite and the in-memory twin go through the same random history, rollbacks included, compared at each step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fa.core.lifecycle import JobState, TaskState
from fa.core.model import AttemptState, Task
from fa.core.tables import Remembered
from fa.store.memory import MemoryTables
from fa.store.tables import SqliteTables
from tests.store.conftest import new_store
from tests.store.make import GROUP, JOB, OUTPUT, TASK, attempt_of

priorities = st.sampled_from([0, 25, 50, 100])
moments = st.none() | st.integers(0, 5)
picks = st.integers(0, 1_000)


class Twins(RuleBasedStateMachine):
    @initialize()
    def born(self) -> None:
        self.connection = new_store()
        self.memory = MemoryTables()
        self.both = (SqliteTables(self.connection), self.memory)
        self.marks: list[int] = []

    def teardown(self) -> None:
        self.connection.close()

    def ask(self, method: str, *arguments: Any) -> Any:
        """One question to both; one answer."""
        real, twin = (getattr(tables, method)(*arguments) for tables in self.both)
        assert real == twin, method
        return twin

    def jobs(self) -> int:
        return sum(self.memory.counts().values())

    def pick(self, pick: int) -> Task | None:
        """Some task of some job."""
        tasks = self.ask("tasks_of", 1 + pick % max(1, self.jobs()))
        return tasks[pick % len(tasks)] if tasks else None

    @rule(priority=priorities)
    def submit(self, priority: int) -> None:
        self.ask("add_job", replace(JOB, priority=priority))

    @precondition(lambda self: self.jobs())
    @rule(pick=picks, cost=st.integers(1, 3), priority=priorities, deferred=moments, state=st.sampled_from(TaskState))
    def add_task(self, pick: int, cost: int, priority: int, deferred: int | None, state: TaskState) -> None:
        job = 1 + pick % self.jobs()
        group = self.ask("group_id", replace(GROUP, cost=cost))
        ordinal = len(self.ask("tasks_of", job))
        self.ask("add_task", replace(TASK, job=job, ordinal=ordinal, group=group, priority=priority, state=state,
                                     deferred_until=deferred))  # fmt: skip

    @rule(pick=picks, state=st.sampled_from(TaskState), priority=priorities, deferred=moments)
    def save_task(self, pick: int, state: TaskState, priority: int, deferred: int | None) -> None:
        if task := self.pick(pick):
            output = OUTPUT if state is TaskState.SUCCEEDED else None
            self.ask("save_task", replace(task, state=state, priority=priority, deferred_until=deferred, output=output))

    @precondition(lambda self: self.jobs())
    @rule(pick=picks, state=st.sampled_from(JobState), finished=moments)
    def save_job(self, pick: int, state: JobState, finished: int | None) -> None:
        job = self.ask("job", 1 + pick % self.jobs())
        self.ask("save_job", replace(job, state=state, finished_at=finished))

    @rule(pick=picks, state=st.sampled_from(AttemptState))
    def attempt(self, pick: int, state: AttemptState) -> None:
        if task := self.pick(pick):
            new = attempt_of(task, 1 + pick % 2, state=state)
            known = self.ask("attempt", task.id, new.number)
            self.ask("save_attempt" if known else "add_attempt", new)

    @rule(at=st.integers(0, 5), limit=st.integers(0, 3))
    def wake(self, at: int, limit: int) -> None:
        self.ask("wake_deferred", at, limit)

    @rule(key=st.sampled_from("abcd"), at=st.integers(0, 5))
    def remember(self, key: str, at: int) -> None:
        self.ask("remember", Remembered(key, "digest", (at,), at))

    @rule(at=st.integers(0, 5), limit=st.integers(0, 3))
    def forget(self, at: int, limit: int) -> None:
        self.ask("forget_before", at, limit)

    @precondition(lambda self: len(self.marks) < 3)
    @rule()
    def savepoint(self) -> None:
        self.connection.execute(f"SAVEPOINT s{len(self.marks)}")
        self.marks.append(self.memory.mark())

    @precondition(lambda self: self.marks)
    @rule()
    def rollback(self) -> None:
        self.memory.rollback(self.marks.pop())
        self.connection.execute(f"ROLLBACK TO s{len(self.marks)}")
        self.connection.execute(f"RELEASE s{len(self.marks)}")

    @invariant()
    def agree(self) -> None:
        for question in ("counts", "waiting_groups", "active_tasks", "next_deferred"):
            self.ask(question)
        for group in (1, 2, 3):
            heads = self.ask("heads", group, 3)
            for head in heads[:1]:
                self.ask("heads", group, 2, head)
        for key in "abcd":
            self.ask("remembered", key)

    @invariant()
    def a_copy_answers_alike(self) -> None:
        copy = self.memory.copy()
        for question in ("counts", "waiting_groups", "active_tasks", "next_deferred"):
            assert getattr(copy, question)() == getattr(self.memory, question)()


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None)
