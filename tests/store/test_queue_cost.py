"""However long the queue, a round of dispatch, a slot that opens, a lost node and a take-over cost the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from fa.core import commands as c
from fa.core.model import NewJob
from fa.node.active import active_of
from fa.store.tables import SqliteTables
from tests.core.book import AT, Book, books, view

SHORT, LONG, AT_ONCE = 100, 3000, 100
VIEWS = tuple(view(name, slots=4) for name in "abc")


def steps(connection: sqlite3.Connection, work: Callable[[], object]) -> int:
    """What SQLite does for it, in instructions of its virtual machine."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(step, 1)
    work()
    connection.set_progress_handler(None, 0)
    return count


def submit(book: Book, jobs: int) -> None:
    """Of two factories, and of each as many that are deferred."""
    for _ in range(jobs // AT_ONCE):
        for factory in ("one", "big"):
            for due in (None, AT + 10**9):
                book.do(c.SubmitJobs((NewJob("san:in/x", factory, defer_until=due),) * (AT_ONCE // 4), AT))


def costs(book: Book, jobs: int) -> Iterator[tuple[str, int]]:
    assert isinstance(book.tables, SqliteTables)
    connection: sqlite3.Connection = book.tables._cursor.connection
    submit(book, jobs)
    orders: list[c.Order] = []

    yield "a round", steps(connection, lambda: orders.extend(book.dispatch(*VIEWS)))
    assert len(orders) >= 6, "the nodes are full"
    first, second, third, *_ = orders
    yield "a grant", steps(connection, lambda: book.grant(first))
    yield "an end", steps(connection, lambda: book.finish(first))
    yield "a failure", steps(connection, lambda: book.fail(second))
    yield "a loss", steps(connection, lambda: book.do(c.GiveAway(((third.task, 1),), "a was lost", AT)))
    one_open = view("a", used=(("cpu", 1, 50),))
    yield "an open slot", steps(connection, lambda: orders.extend(book.dispatch(one_open, VIEWS[1])))
    yield "a take-over", steps(connection, lambda: active_of(book.tables))


def test_what_dispatch_costs_does_not_grow_with_the_queue() -> None:
    short, long = (dict(costs(book, jobs)) for jobs in (SHORT, LONG) for book in books("sqlite"))
    assert min(short.values()) > 50
    grown = {what: (cost, long[what]) for what, cost in short.items() if long[what] > 1.05 * cost}
    assert not grown
