from __future__ import annotations

import sqlite3

import pytest

from fa.core.lifecycle import JobState
from fa.core.query import parse
from fa.errors import Unprocessable
from fa.store.search import contains
from fa.store.selecting import SAMPLE, select
from fa.store.tables import SqliteTables
from fa.store.text import text_of_bytes
from tests.store.make import add_job


@pytest.fixture
def store(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.create_function("contains", 2, contains, deterministic=True)
    connection.text_factory = text_of_bytes
    return connection


def test_all_that_match_the_newest_first(store: sqlite3.Connection) -> None:
    states = [JobState.FAILED if number % 3 else JobState.HELD for number in range(40)]
    ids = [add_job(SqliteTables(store), state=state).id for state in states]
    found = select(store, parse("state:failed,held", 0))
    assert list(found.ids) == ids[::-1]
    assert found.states == {JobState.FAILED: 26, JobState.HELD: 14}
    assert [view.job.id for view in found.sample] == ids[::-1][:SAMPLE]
    assert list(select(store, parse("state:held id:<20", 0)).ids) == [each for each in ids[::3] if each < 20][::-1]
    none = select(store, parse("state:running", 0))
    assert (list(none.ids), none.states, none.sample) == ([], {}, ())


@pytest.mark.parametrize("name", ["'; DROP TABLE job; --", "%d", "🎬 ünï", "broken \udcff\udc80 utf-8"])
def test_by_any_name(store: sqlite3.Connection, name: str) -> None:
    job = add_job(SqliteTables(store), subject=name)
    add_job(SqliteTables(store), subject="other")
    assert list(select(store, parse(f'subject:"{name}"', 0)).ids) == [job.id]


def test_never_a_part_of_what_was_meant(store: sqlite3.Connection) -> None:
    for _ in range(4):
        add_job(SqliteTables(store))
    assert len(select(store, parse("", 0), most=4).ids) == 4
    with pytest.raises(Unprocessable, match="More than 3 jobs match"):
        select(store, parse("", 0), most=3)
