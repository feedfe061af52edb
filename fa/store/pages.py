"""Pages of the list of jobs, and the cursors that lead from one to the next.

A page is cut by key (the id, which is the order of submission, or what an index has), so it costs the same anywhere in
a million jobs, and jobs that come or go never shift it. A cursor is opaque and belongs to one query and one order; it
never expires."""

from __future__ import annotations

import json
import sqlite3
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, TypeVar

from fa.core.lifecycle import JobState
from fa.core.model import Attempt, Job, Task
from fa.core.query import Query
from fa.errors import Invalid
from fa.store import rows
from fa.store.orders import NEWEST, ORDERS, Key
from fa.store.queries import SQL
from fa.store.search import Span, Sql, page
from fa.store.text import with_raw_bytes

T = TypeVar("T")
LIMIT_MAX = 500


@dataclass(frozen=True, slots=True)
class JobView:
    """A job with its tasks in the order of products; `attempts` only where one job was asked for."""

    job: Job
    tasks: tuple[Task, ...]
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next` and `prev` are cursors for `after` and `before`, None where the list ends. `txid`: of the snapshot."""

    items: tuple[T, ...]
    next: str | None = None
    prev: str | None = None
    txid: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is: behind the job of `after`, or in front of that of `before`; the first page without either."""

    limit: int = 100
    after: str | None = None
    before: str | None = None
    sort: str = NEWEST


def read_jobs(connection: sqlite3.Connection, query: Query, place: Place) -> Page[JobView]:
    """Raises `Invalid` for a cursor of another query, or a limit out of bounds."""
    span = _span(query, place)
    found = execute(connection, page(query, span, counts_of(connection))).fetchall()
    more, found = len(found) > place.limit, found[: place.limit]
    if place.before is not None:
        found.reverse()
    views = views_of(connection, [job for job, _ in found])
    if not views:
        return Page(())
    to_first, to_last = (_cursor(query, place, key, job) for job, key in (found[0], found[-1]))
    if place.before is not None:
        return Page(views, next=to_last, prev=to_first if more else None)
    return Page(views, next=to_last if more else None, prev=to_first if place.after is not None else None)


def views_of(connection: sqlite3.Connection, ids: Sequence[int]) -> tuple[JobView, ...]:
    """Jobs with their tasks, in the order of `ids`; ids that are none are left out."""
    wanted = (rows.list_of(ids),)
    jobs = {row[0]: rows.job_of(row) for row in connection.execute(SQL["jobs_by_id"], wanted).fetchall()}
    tasks: dict[int, list[Task]] = {job: [] for job in jobs}
    for row in connection.execute(SQL["tasks_of_jobs"], wanted).fetchall():
        tasks[row[1]].append(rows.task_of(row))
    return tuple(JobView(jobs[job], tuple(tasks[job])) for job in ids if job in jobs)


def _span(query: Query, place: Place) -> Span:
    """One more than asked for, to see whether the list goes on."""
    if not 1 <= place.limit <= LIMIT_MAX:
        raise Invalid(f"A page holds 1 to {LIMIT_MAX} jobs, not {place.limit}.")
    if place.after is not None and place.before is not None:
        raise Invalid("A page is either after or before a cursor, not both.")
    cursor = place.before if place.before is not None else place.after
    past = None if cursor is None else _place_of(query, place, cursor)
    order = ORDERS[place.sort]
    return Span(place.limit + 1, order if place.before is None else order.turned(), past)


def counts_of(connection: sqlite3.Connection) -> dict[JobState, int]:
    return {JobState(state): jobs for state, jobs in connection.execute(SQL["counts"]).fetchall()}


def execute(connection: sqlite3.Connection, sql: Sql) -> sqlite3.Cursor:
    """Also where a parameter is a name that is no UTF-8."""
    try:
        return connection.execute(sql.text, sql.parameters)
    except UnicodeEncodeError:
        return connection.execute(*with_raw_bytes(sql.text, sql.parameters))


# --- cursors ---


def _cursor(query: Query, place: Place, key: Key, job: int) -> str:
    told = json.dumps([_mark(query, place), job, key], separators=(",", ":"))
    return urlsafe_b64encode(told.encode()).decode().rstrip("=")


def _place_of(query: Query, place: Place, cursor: str) -> tuple[Key, int]:
    try:
        mark, job, key = json.loads(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (NotBase64, ValueError, TypeError, RecursionError):
        raise Invalid("This cursor is none that a list gave.", hint="Start again without after= and before=.") from None
    if mark != _mark(query, place) or not _is_id(job) or not (_is_id(key) or isinstance(key, str)):
        raise Invalid("This cursor is of another query or order.", hint="Start again without after= and before=.")
    return key, job


def _is_id(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _mark(query: Query, place: Place) -> str:
    asked = f"{place.sort} {query.text}".encode("utf-8", "surrogateescape")
    return blake2b(asked, digest_size=6).hexdigest()
