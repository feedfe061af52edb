"""What the coordinator reads of the store for nodes that watch folders."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fa.core.arrivals import Arrival, Fate, MonitorRow, stat_key, unpack_keys
from fa.core.work import DueLoaded, KnownLoaded, LoadDue, LoadKnown
from fa.node import active
from fa.node.active import due_orders, known_page, questions
from fa.store.tables import SqliteTables
from tests.store.conftest import new_store

TEXT = 'name = "in"\nfolder = "san:in"\nfactories = ["one"]\nafter = "move:done/"\n'
ARRIVAL = Arrival(0, 1, "in/a", 10, 20, "ab", 30, 1_000, Fate.SUCCEEDED)


@pytest.fixture
def store() -> Iterator[sqlite3.Connection]:
    connection = new_store()
    tables = SqliteTables(connection)
    tables.add_monitor(MonitorRow(0, "in", 1, TEXT, True, "", 0, "", 1))
    for number in range(5):
        tables.add_arrival(replace(ARRIVAL, path=f"in/{number}\udcff"))
    yield connection
    connection.close()


def test_known_files_come_as_keys_page_by_page(store: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active, "KNOWN_PAGE", 2)
    keys, after = [], 0
    while True:
        page = known_page(store, 1, after)
        assert page.after == after
        keys += unpack_keys(page.keys)
        if page.next is None:
            break
        after = page.next
    assert keys == [stat_key(f"in/{number}\udcff", 10, 20, 30) for number in range(5)]
    assert known_page(store, 9, 0).keys == b""


def test_what_is_due_comes_as_orders(store: sqlite3.Connection) -> None:
    loaded = due_orders(store, LoadDue(0, 3))
    first = loaded.orders[0]
    assert (first.arrival, first.path, first.move) == (1, "in/0\udcff", "done")
    assert (len(loaded.orders), loaded.more) == (3, 3)
    assert due_orders(store, LoadDue(3, 3)).more is None
    one = due_orders(store, LoadDue(3, 1))
    assert ([order.arrival for order in one.orders], one.more) == ([4], None)


def test_a_monitor_of_a_later_version_holds_no_other_back(store: sqlite3.Connection) -> None:
    tables = SqliteTables(store)
    other = tables.add_monitor(MonitorRow(0, "new", 1, 'color = "red"', True, "", 0, "", 1))
    tables.add_arrival(replace(ARRIVAL, monitor=other))
    assert len(due_orders(store, LoadDue(0, 9)).orders) == 5


def test_questions_are_answered_as_events(store: sqlite3.Connection) -> None:
    answers: list[Any] = []
    asks = questions(lambda question, answer: answers.append(answer(question(store))))
    asks[LoadKnown](LoadKnown("b", 1, 0))
    asks[LoadDue](LoadDue(0, 2))
    known, due = answers
    assert isinstance(known, KnownLoaded) and (known.node, known.page.monitor) == ("b", 1)
    assert isinstance(due, DueLoaded) and len(due.orders) == 2
