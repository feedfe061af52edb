"""All jobs that match, as their ids: the fixed set that a selection stands for."""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from dataclasses import dataclass

from fa.core.lifecycle import JobState
from fa.core.query import Query
from fa.errors import Unprocessable
from fa.store.pages import JobView, counts_of, execute, views_of
from fa.store.search import Span, Sql, page

SELECTED_MAX = 1_000_000  # eight bytes each
SAMPLE = 10


@dataclass(frozen=True, slots=True)
class Selected:
    """The ids, the newest first; how many are in which state; and the first of them whole."""

    ids: array[int]
    states: dict[JobState, int]
    sample: tuple[JobView, ...]


def select(connection: sqlite3.Connection, query: Query, most: int = SELECTED_MAX) -> Selected:
    """Raises `Unprocessable` when more than `most` jobs match: never a part of what was meant."""
    found = page(query, Span(most + 1), counts_of(connection))
    states, ids = Counter[str](), array("q")
    for job, state in execute(connection, _with_states(found)):  # never as a list of rows: there may be a million
        ids.append(job)
        states[state] += 1
    if len(ids) > most:
        raise Unprocessable(f"More than {most:,} jobs match.", hint="Narrow it down: until:, state:, factory:.")
    return Selected(ids, {JobState(state): jobs for state, jobs in states.items()}, views_of(connection, ids[:SAMPLE]))


def _with_states(found: Sql) -> Sql:
    text = f"SELECT found.id, job.state FROM ({found.text}) AS found CROSS JOIN job ON job.id = found.id"
    return Sql(text, found.parameters)
