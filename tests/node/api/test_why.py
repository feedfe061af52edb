"""What `why` says is so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fa.core.model import Group, NodeView, Task
from fa.node.api.why import why_task
from tests.core.book import AT, OFFERS, Book, books, view

FULL = (("volume:san", "full: no room"),)  # to rename something there needs none
ELSEWHERE = frozenset(word for word in OFFERS if not word.endswith(":san"))


@pytest.fixture
def book() -> Iterator[Book]:
    yield from books("memory")


def group_of(book: Book, task: Task) -> Group:
    group = book.tables.group(task.group)
    assert group is not None
    return group


def published(book: Book, *views: NodeView) -> str:
    """Of a task whose output was granted to a."""
    (order,) = book.dispatch(view("a"))
    book.grant(order)
    task = book.task(order.task)
    return why_task(task, group_of(book, task), views).text


@pytest.mark.parametrize(
    ("views", "text"),
    [
        ((view("a"),), "runs on a"),
        (
            (view("a", up=False), view("b", offers=ELSEWHERE)),
            "a is to publish its output and is lost; no node that is there has volume san",
        ),
        (
            (view("b", offers=ELSEWHERE),),
            "a is to publish its output and is lost; no node that is there has volume san",
        ),
        ((view("a", up=False), view("b")), "a is to publish its output and is lost; b is asked to do it"),
        (
            (view("a", offers=ELSEWHERE, unhealthy=(("volume:san", "hung: no answer"),)), view("b"), view("c")),
            "a is to publish its output and has no volume san (hung: no answer); b, c are asked to do it",
        ),
        ((view("a", offers=ELSEWHERE, unhealthy=FULL),), "runs on a"),
        (
            (view("a", up=False), view("b", offers=ELSEWHERE, unhealthy=FULL)),
            "a is to publish its output and is lost; b is asked to do it",
        ),
    ],
)
def test_who_publishes(book: Book, views: tuple[NodeView, ...], text: str) -> None:
    book.submit("one")
    assert published(book, *views) == text


def test_what_is_due_is_deferred_no_more(book: Book) -> None:
    """The coordinator queues it when it looks next; it has nowhere to go meanwhile."""
    job = book.submit("one", defer_until=AT + 1000)
    (task,) = book.tables.tasks_of(job.id)
    busy = view("a", used=(("cpu", 2, 50),))
    before, after = (why_task(task, group_of(book, task), [busy], at=AT + ms) for ms in (999, 1000))
    assert before.text.startswith("is deferred until ")
    assert after.text == "waits: a has no 1 open cpu slots of 2"
