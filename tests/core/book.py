"""A job store to try commands on: the real ledger on SQLite, or on the in-memory twin, each command all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fa.core import commands as c
from fa.core.ledger import Ledger
from fa.core.lifecycle import TaskState
from fa.core.model import Attempt, AttemptState, Job, NewJob, NodeMode, NodeRow, NodeView, Output, Task
from fa.core.recipe import known_encoders, known_filters
from fa.core.tables import Tables
from fa.errors import FaError
from fa.store.memory import MemoryTables
from fa.store.tables import SqliteTables
from tests.store.conftest import new_store

AT = 1_700_000_000_000  # ms
OFFERS = frozenset(
    {"volume:san", "source:san", "volume:nas"}
    | {f"encoder:{name}" for name in known_encoders()}
    | {f"filter:{name}" for name in known_filters()}
)
PRODUCT = '[[products]]\nname = "{0}"\npreset = "h264-mp4"\ndestination = "san:out/{{job}}-{{product}}.mp4"\n'
ONE = f'name = "one"\n{PRODUCT.format("p")}'
TWO = f'name = "two"\npriority = "high"\nattempts = 2\nreplace = true\n{PRODUCT.format("p")}{PRODUCT.format("q")}'
BIG = f'name = "big"\n{PRODUCT.format("p")}cost = 2\n'


def view(name: str = "a", slots: int = 2, **fields: Any) -> NodeView:
    fields.setdefault("offers", OFFERS)
    return NodeView(name, (("cpu", slots),), **fields)


def row(name: str, mode: NodeMode = NodeMode.UP) -> NodeRow:
    return NodeRow(name, mode, f"https://{name}:7001", AT, index=ord(name[0]) - 97)


class Book:
    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.facts: list[Any] = []
        self._ledger = Ledger(tables)

    def do(self, command: c.Command) -> Any:
        """The command's value, its facts in `facts`; when it raises nothing was changed."""
        mark = self._mark()
        try:
            outcome = self._ledger.apply(command)
        except FaError:
            self._back(mark)
            raise
        self.facts = list(outcome.facts)
        return outcome.value

    def _mark(self) -> int:
        if isinstance(self.tables, MemoryTables):
            return self.tables.mark()
        assert isinstance(self.tables, SqliteTables)
        self.tables._cursor.execute("SAVEPOINT command")
        return 0

    def _back(self, mark: int) -> None:
        if isinstance(self.tables, MemoryTables):
            self.tables.rollback(mark)
        elif isinstance(self.tables, SqliteTables):
            self.tables._cursor.execute("ROLLBACK TO command")

    # --- short ways ---

    def submit(self, factory: str = "one", **fields: Any) -> Job:
        (job,) = self.do(c.SubmitJobs((NewJob("san:in/clip.mxf", factory, **fields),), AT)).jobs
        return self.job(job)

    def job(self, job: int) -> Job:
        found = self.tables.job(job)
        assert found is not None
        return found

    def task(self, task: int) -> Task:
        found = self.tables.task(task)
        assert found is not None
        return found

    def attempt(self, task: int, number: int = 1) -> Attempt:
        found = self.tables.attempt(task, number)
        assert found is not None
        return found

    def states(self, job: int) -> list[TaskState]:
        return [task.state for task in self.tables.tasks_of(job)]

    def dispatch(self, *views: NodeView, at: int = AT, limit: int = 64) -> tuple[c.Order, ...]:
        orders: tuple[c.Order, ...] = self.do(c.Dispatch(7, views or (view(),), at, limit)).orders
        return orders

    def grant(self, order: c.Order, sha: str = "ab") -> bool:
        made = Output(order.destination, 5, sha)
        part = f"san:.fa/part/{order.task}-{order.attempt}"
        granted: bool = self.do(c.AskPublish(order.node, order.task, order.attempt, part, made, AT))
        return granted

    def finish(self, order: c.Order) -> bool:
        finished: bool = self.do(c.FinishAttempt(order.task, order.attempt, AT + 9))
        return finished

    def fail(self, order: c.Order, permanent: bool = False, at: int = AT, **fields: Any) -> bool:
        failed: bool = self.do(c.FailAttempt(order.task, order.attempt, "it died", permanent, at, **fields))
        return failed

    def act(self, action: c.JobAction, *jobs: int) -> dict[int, Any]:
        results: dict[int, Any] = self.do(c.ActOnJobs(action, jobs, AT + 5, "operator:ann"))
        return results

    def events(self) -> list[str]:
        return [fact.kind for fact in self.facts if isinstance(fact, c.Noted)]


def books(backend: str) -> Iterator[Book]:
    """A book with three factories and the nodes a, b and c."""
    connection = new_store() if backend == "sqlite" else None
    book = Book(SqliteTables(connection) if connection else MemoryTables())
    for text in (ONE, TWO, BIG):
        book.do(c.SaveFactory(text, AT))
    for name in "abc":
        book.do(c.PutNode(row(name), AT))
    yield book
    if connection:
        connection.close()


def is_over(state: AttemptState) -> bool:
    return state not in (AttemptState.RUNNING, AttemptState.PUBLISHING)
