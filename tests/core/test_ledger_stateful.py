"""A random history of commands against simple invariants, on SQLite and on the twin at once, with the same answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fa.core import commands as c
from fa.core.lifecycle import ACTIVE, FINAL, JobState, TaskState, job_state
from fa.core.model import AttemptState, NewJob, NodeMode, NodeView, Output
from fa.errors import FaError
from tests.core.book import AT, Book, books, is_over, view

FACTORIES = st.sampled_from(["one", "two", "big", "none"])
PICKS = st.integers(0, 1000)
SLOTS = 3


class Histories(RuleBasedStateMachine):
    @initialize()
    def born(self) -> None:
        self.open = [books("memory"), books("sqlite")]
        self.books = [next(generator) for generator in self.open]
        self.at = AT
        self.jobs = 0
        self.orders: list[c.Order] = []
        self.published: dict[int, int] = {}  # task → attempt
        self.requests: dict[str, tuple[int, tuple[int, ...]]] = {}  # key → when, and the jobs of the answer

    def teardown(self) -> None:
        for generator in self.open:
            generator.close()

    @property
    def book(self) -> Book:
        return self.books[0]

    def do(self, command: c.Command) -> Any:
        """The value, or the error; the same from both, with the same facts."""
        results = []
        for book in self.books:
            try:
                results.append((book.do(command), book.facts))
            except FaError as error:
                results.append((type(error), error.detail))
        assert str(results[0]) == str(results[1]), command
        return results[0][0]

    # --- what may happen ---

    @rule(factory=FACTORIES, priority=st.sampled_from([None, 0, 50, 100]), key=st.sampled_from(["", "k1", "k2"]))
    def submit(self, factory: str, priority: int | None, key: str) -> None:
        new = NewJob("san:in/clip.mxf", factory, priority)
        submitted = self.do(c.SubmitJobs((new,), self.at, key=key, digest=factory))
        if isinstance(submitted, type):
            return
        if key:
            assert self.requests.setdefault(key, (self.at, submitted.jobs))[1] == submitted.jobs
        self.jobs = max(self.jobs, *submitted.jobs)

    @precondition(lambda self: self.jobs)
    @rule(pick=PICKS, action=st.sampled_from(c.JobAction))
    def act(self, pick: int, action: c.JobAction) -> None:
        self.do(c.ActOnJobs(action, (1 + pick % (self.jobs + 1),), self.at))

    @precondition(lambda self: self.jobs)
    @rule(pick=PICKS, priority=st.integers(0, 100))
    def prioritise(self, pick: int, priority: int) -> None:
        self.do(c.SetPriority((1 + pick % self.jobs,), priority, self.at))

    @rule(node=st.sampled_from("abc"), mode=st.sampled_from(NodeMode))
    def set_mode(self, node: str, mode: NodeMode) -> None:
        self.do(c.SetNodeMode(node, mode, self.at))

    def views(self) -> tuple[NodeView, ...]:
        """As a coordinator that knows everything sees them."""
        used: dict[str, list[tuple[str, int, int]]] = {name: [] for name in "abc"}
        for task in self.book.tables.active_tasks():
            used[task.node].append(("cpu", task.cost, task.priority))
        return tuple(view(name, SLOTS, used=tuple(running)) for name, running in used.items())

    @rule(limit=st.integers(1, 4))
    def dispatch(self, limit: int) -> None:
        rows = {row.name: row for row in self.book.tables.nodes()}
        orders = self.do(c.Dispatch(7, self.views(), self.at, limit)).orders
        assert len(orders) <= limit
        assert all(rows[order.node].mode is NodeMode.UP for order in orders)
        self.orders += orders

    @rule(seconds=st.sampled_from([1, 10, 400]))
    def time_passes(self, seconds: int) -> None:
        self.at += seconds * 1000

    @precondition(lambda self: self.orders)
    @rule(pick=PICKS)
    def ask_publish(self, pick: int) -> None:
        order = self.orders[pick % len(self.orders)]
        output = Output(order.destination, 5, f"{order.task}-{order.attempt}")
        granted = self.do(c.AskPublish(order.node, order.task, order.attempt, "san:.fa/part/x", output, self.at))
        assert (granted is True) == (self.book.task(order.task).state is TaskState.PUBLISHING and self.counts(order))

    def counts(self, order: c.Order) -> bool:
        return self.book.task(order.task).attempt == order.attempt

    @precondition(lambda self: self.orders)
    @rule(pick=PICKS)
    def finish(self, pick: int) -> None:
        order = self.orders[pick % len(self.orders)]
        if self.do(c.FinishAttempt(order.task, order.attempt, self.at)) is True:
            assert order.task not in self.published, "one attempt is published, and no other one ever after"
            self.published[order.task] = order.attempt

    @precondition(lambda self: self.orders)
    @rule(pick=PICKS, permanent=st.booleans(), granted=st.booleans())
    def fail(self, pick: int, permanent: bool, granted: bool) -> None:
        order = self.orders[pick % len(self.orders)]
        kind = c.Unsettle if granted else c.FailAttempt
        self.do(kind(order.task, order.attempt, "it died", permanent, self.at))

    @precondition(lambda self: self.orders)
    @rule(picks=st.lists(PICKS, max_size=3))
    def give_away(self, picks: list[int]) -> None:
        lost = tuple((order.task, order.attempt) for order in (self.orders[pick % len(self.orders)] for pick in picks))
        for task, _ in self.do(c.GiveAway(lost, "lost", self.at)):
            assert self.book.task(task).state is TaskState.PUBLISHING

    @rule()
    def keep_house(self) -> None:
        before = self.at - 10**6
        self.do(c.KeepHouse(before, 0, before, 50, limit=3))
        self.requests = {key: told for key, told in self.requests.items() if told[0] > before}

    # --- what always holds ---

    @invariant()
    def jobs_follow_from_their_tasks(self) -> None:
        states: Counter[JobState] = Counter()
        for number in range(1, self.jobs + 1):
            job, tasks = self.book.job(number), self.book.tables.tasks_of(number)
            states[job.state] += 1
            assert job.state is job_state(task.state for task in tasks)
            assert (job.finished_at is not None) == all(task.state in FINAL for task in tasks)
            assert {task.priority for task in tasks} == {job.priority}
        for book in self.books:
            assert book.tables.counts() == dict.fromkeys(JobState, 0) | states

    @invariant()
    def one_attempt_counts(self) -> None:
        for number in range(1, self.jobs + 1):
            for task in self.book.tables.tasks_of(number):
                attempts = [self.book.attempt(task.id, each) for each in range(1, task.attempt + 1)]
                open_ones = [attempt for attempt in attempts if not is_over(attempt.state)]
                assert len(open_ones) == (task.state in ACTIVE)
                assert (task.node != "") <= (task.state in ACTIVE or task.state is TaskState.SUCCEEDED)
                if open_ones:
                    assert open_ones == attempts[-1:]
                    assert (open_ones[0].state is AttemptState.PUBLISHING) == (task.state is TaskState.PUBLISHING)
                    assert open_ones[0].node == task.node
                won = [attempt for attempt in attempts if attempt.state is AttemptState.SUCCEEDED]
                published = [self.published[task.id]] if task.id in self.published else []
                assert [attempt.number for attempt in won] == published
                assert (task.state is TaskState.SUCCEEDED) == bool(published)
                assert (task.output == won[0].output) if won else task.output is None

    @invariant()
    def slots_are_never_over_committed(self) -> None:
        used: Counter[str] = Counter()
        for task in self.book.tables.active_tasks():
            used[task.node] += task.cost
        assert all(cost <= SLOTS for cost in used.values()), used

    @invariant()
    def both_stores_hold_the_same(self) -> None:
        memory, sqlite = (book.tables for book in self.books)
        assert memory.active_tasks() == sqlite.active_tasks()
        assert memory.waiting_groups() == sqlite.waiting_groups()
        for number in range(1, self.jobs + 1):
            assert memory.job(number) == sqlite.job(number)
            assert memory.tasks_of(number) == sqlite.tasks_of(number)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, derandomize=True, database=None
)  # fmt: skip


def test_a_command_that_is_refused_changes_nothing() -> None:
    for book in books("memory"):
        before = replace(book.submit(), state=JobState.QUEUED)
        for _ in range(2):
            try:
                book.do(c.FinishAttempt(1, 1, AT))
                book.do(c.SubmitJobs((NewJob("san:x", "one"), NewJob("san:x", "none")), AT, key="k"))
            except FaError:
                pass
        assert book.job(before.id) == before
        assert book.tables.counts()[JobState.QUEUED] == 1
