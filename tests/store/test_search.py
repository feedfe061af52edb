"""What a query finds. Each is asked of a store whose jobs are in the index of free text, and of one whose are not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fa.core.lifecycle import JobState, TaskState
from fa.core.model import Job
from fa.core.query import parse
from fa.errors import Invalid
from fa.store import pages, search
from fa.store.orders import NEWEST, ORDERS, Order
from fa.store.pages import Place, read_jobs
from fa.store.queries import SQL
from fa.store.search import contains, like
from fa.store.tables import SqliteTables
from tests.store.conftest import new_store
from tests.store.make import add_job, add_task, attempt_of

NOW = 1_000_000_000
Ask = Callable[[str], list[int]]


def searchable() -> sqlite3.Connection:
    connection = new_store()
    connection.create_function("contains", 2, contains, deterministic=True)
    return connection


def fill(tables: SqliteTables) -> None:
    """Seven jobs, 1 to 7."""
    rows = [
        {"source": "san:in/EP01_v2.mxf", "subject": "Evening News", "priority": 25},
        {"source": "san:in/EP02_100%.mxf", "subject": "evening", "state": JobState.RUNNING, "monitor": "ingest-b"},
        {"source": "nas:x/a_b[1].mov", "factory": "prores-hq", "state": JobState.FAILED},
        {"source": "nas:x/aXb.mov", "factory": "prores", "description": "Été à la plage", "priority": 75},
        {"source": "nas:x/caf\udce9.mxf", "factory": "prores", "state": JobState.SUCCEEDED},
        {"source": "san:in/'\"; --*.mxf", "subject": "back\\slash", "state": JobState.HELD, "submitted_by": "op"},
        {"source": "san:in/zero.mxf", "subject": "0\x00after", "submitted_at": NOW - 60_000},
    ]
    for row in rows:
        add_job(tables, **{"monitor": "", "description": "", "subject": "", **row})
    for job, node in ((2, "tx01"), (3, "tx02"), (3, "tx01"), (4, "a?")):
        task = add_task(tables, tables.job(job), ordinal=len(tables.tasks_of(job)), state=TaskState.RUNNING)
        tables.add_attempt(attempt_of(task, node=node))


@pytest.fixture(params=["indexed", "tail"])
def ask(request: pytest.FixtureRequest) -> Ask:
    connection = searchable()
    fill(SqliteTables(connection))
    if request.param == "indexed":
        connection.execute(SQL["index_jobs"], (7,))
        connection.execute(SQL["mark_indexed"], (7,))
    request.addfinalizer(connection.close)
    return lambda text: [view.job.id for view in read_jobs(connection, parse(text, NOW), Place()).items]


@pytest.mark.parametrize(
    ("text", "jobs"),
    [
        ("", [7, 6, 5, 4, 3, 2, 1]),
        ("state:run", [2]),
        ("source:*\udce9* \udce9", [5]),
        ("source:*\udce9* é", []),
        ("state:run,fail,done", [5, 3, 2]),
        ("-state:queued", [6, 5, 3, 2]),
        ("state:cncl", []),
        ("-state:queued,held,running,succeeded,failed,cancelled", []),
        ("state:run,fail state:fail,held", [3]),
        ("factory:prores", [5, 4]),
        ("factory:prores,prores-hq", [5, 4, 3]),
        ("factory:prores*", [5, 4, 3]),
        ("-factory:prores*", [7, 6, 2, 1]),
        ('factory:"prores*"', []),
        ("factory:prores factory:proxy", []),
        ("factory:PRORES", []),
        ("state:done factory:prores", [5]),
        ("node:tx01", [3, 2]),
        ("node:tx0?", [3, 2]),
        ("node:tx02,nobody", [3]),
        ("-node:tx01", [7, 6, 5, 4, 1]),
        ('node:"a?"', [4]),
        ("state:fail node:tx01", [3]),
        ("monitor:ingest-b", [2]),
        ("-monitor:ingest*", [7, 6, 5, 4, 3, 1]),
        ("by:op", [6]),
        ("pri:<50", [1]),
        ("pri:low,high", [4, 1]),
        ("-pri:>=50", [1]),
        ("id:2", [2]),
        ("id:2,6", [6, 2]),
        ("id:<3", [2, 1]),
        ("-id:<6", [7, 6]),
        ("since:1h", [7]),
        ("until:1h", [6, 5, 4, 3, 2, 1]),
        # free text
        ("evening", [2, 1]),
        ("EVENING", [2, 1]),
        ('"evening news"', [1]),
        ("evening -news", [2]),
        ("vening ews", [1]),
        ("EP", [2, 1]),
        ("mxf", [7, 6, 5, 2, 1]),
        ("mxf state:queued", [7, 1]),
        ("100%", [2]),
        ("%", [2]),
        ("_", [3, 2, 1]),
        ("a_b", [3]),
        ("b[1]", [3]),
        ("été", [4]),
        ("ÉTÉ", [4]),
        ("caf", [5]),
        ("caf\udce9", [5]),
        ("\udce9", [5]),
        ('"\'\\"; --"', [6]),
        ("back\\slash", [6]),
        ("0\x00after", [7]),
        ("nowhere", []),
        ("long" * 240, []),
        # source and subject: a part, or a whole pattern
        ("source:ep0", [2, 1]),
        ("source:san:*EP0*", [2, 1]),
        ("source:EP0*", []),
        ("source:*[1].mov", [3]),
        ("source:*caf?.mxf", [5]),
        ("source:\udce9", [5]),
        ('source:"*"', [6]),
        ("subject:\\", [6]),
        ("subject:evening,slash", [6, 2, 1]),
        ("-source:mxf", [4, 3]),
    ],
)
def test_finds(ask: Ask, text: str, jobs: list[int]) -> None:
    assert ask(text) == jobs


def test_like_takes_its_own_wildcards_as_text() -> None:
    assert like("100%_\\") == "100\\%\\_\\\\"


# --- pages ---


@pytest.fixture
def twenty() -> Iterator[sqlite3.Connection]:
    """Jobs 1 to 20; every third failed, every fourth succeeded."""
    connection = searchable()
    tables = SqliteTables(connection)
    for number in range(1, 21):
        state = JobState.FAILED if number % 3 == 0 else JobState.SUCCEEDED if number % 4 == 0 else JobState.QUEUED
        add_job(tables, state=state, source=f"san:in/clip-{number:02}.mxf")
    yield connection
    connection.close()


QUERIES = ["", "state:failed", "state:fail,done", "clip", "clip state:fail", "factory:proxy", "id:>4"]


@pytest.mark.parametrize("text", QUERIES)
@pytest.mark.parametrize("sort", ["-id", "id"])
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_pages_lead_through_all_and_back(twenty: sqlite3.Connection, text: str, sort: str, limit: int) -> None:
    query = parse(text, NOW)
    whole = read_jobs(twenty, query, Place(sort=sort)).items
    assert len(whole) > 3
    page = read_jobs(twenty, query, Place(limit, sort=sort))
    assert page.prev is None
    walked = [page]
    while page.next:
        page = read_jobs(twenty, query, Place(limit, after=page.next, sort=sort))
        walked.append(page)
    assert [view for page in walked for view in page.items] == list(whole)
    for earlier in reversed(walked[:-1]):
        page = read_jobs(twenty, query, Place(limit, before=page.prev, sort=sort))
        assert page.items == earlier.items
    assert page.prev is None


# --- orders ---


@pytest.fixture
def mixed() -> Iterator[sqlite3.Connection]:
    """Forty jobs with few priorities, factories and times, so that many are equal."""
    connection = searchable()
    tables = SqliteTables(connection)
    for number in range(1, 41):
        ended = JobState.FAILED if number % 3 == 0 else JobState.SUCCEEDED
        state = ended if number % 2 else JobState.QUEUED
        finished = NOW + number // 5 * 1000 if state is ended else None
        row = {"priority": number * 7 % 4 * 25, "factory": f"f{number % 3}", "finished_at": finished}
        add_job(tables, state=state, source=f"san:in/clip-{number:02}.mxf", **row)
    yield connection
    connection.close()


EXPECTED: dict[str, Callable[[Job], tuple[object, int]]] = {
    "id": lambda job: (0, job.id),
    "priority": lambda job: (job.priority, -job.id),
    "finished": lambda job: (job.finished_at, job.id),
    "factory": lambda job: (job.factory, job.id),
    "state": lambda job: (job.state.value, job.id),
}


@pytest.mark.parametrize("sort", [word for name in EXPECTED for word in (name, f"-{name}")])
@pytest.mark.parametrize("text", ["", "state:failed", "-state:queued", "clip-1", "factory:f1", "pri:>=50", "pri:25,75"])
@pytest.mark.parametrize("many", [False, True])
def test_every_order_leads_through_all_and_back(
    mixed: sqlite3.Connection, sort: str, text: str, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "STATES_WALKED_MAX", 0 if many else 1000)
    query = parse(text, NOW)
    jobs = [view.job for view in read_jobs(mixed, query, Place(500)).items]
    wanted = [job for job in jobs if "finished" not in sort or job.finished_at is not None]
    wanted.sort(key=EXPECTED[sort.removeprefix("-")], reverse=sort.startswith("-"))
    assert len(wanted) > 3
    walked = [read_jobs(mixed, query, Place(3, sort=sort))]
    while walked[-1].next:
        walked.append(read_jobs(mixed, query, Place(3, after=walked[-1].next, sort=sort)))
    assert [view.job for page in walked for view in page.items] == wanted
    page = walked[-1]
    for earlier in reversed(walked[:-1]):
        page = read_jobs(mixed, query, Place(3, before=page.prev, sort=sort))
        assert page.items == earlier.items
    assert page.prev is None


def test_a_job_that_is_changed_does_not_shift_a_page(mixed: sqlite3.Connection) -> None:
    first = read_jobs(mixed, parse("", NOW), Place(5, sort="-priority"))
    before = read_jobs(mixed, parse("", NOW), Place(5, after=first.next, sort="-priority")).items
    tables = SqliteTables(mixed)
    tables.save_job(replace(first.items[-1].job, priority=0))
    assert read_jobs(mixed, parse("", NOW), Place(5, after=first.next, sort="-priority")).items == before


@pytest.mark.parametrize("sort", [word for word in ORDERS if not ORDERS[word].by_id])
@pytest.mark.parametrize("text", ["", "state:queued", "factory:f1", "pri:>=50", "pri:25,75", "source:clip"])
@pytest.mark.parametrize("past", [None, (50, 7)])
def test_an_order_is_the_walk_of_its_index(
    mixed: sqlite3.Connection, sort: str, text: str, past: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "STATES_WALKED_MAX", 0)
    steps = plan(mixed, text, ORDERS[sort], past).splitlines()
    assert any(ORDERS[sort].index in step for step in steps)
    for step, following in pairwise(steps):
        assert not following.startswith("USE TEMP B-TREE") or step.startswith("SCAN (subquery"), steps


def test_new_jobs_do_not_shift_a_page(twenty: sqlite3.Connection) -> None:
    first = read_jobs(twenty, parse("", NOW), Place(5))
    before = read_jobs(twenty, parse("", NOW), Place(5, after=first.next)).items
    add_job(SqliteTables(twenty))
    assert read_jobs(twenty, parse("", NOW), Place(5, after=first.next)).items == before


def test_a_cursor_outlives_the_clock(twenty: sqlite3.Connection) -> None:
    page = read_jobs(twenty, parse("until:1s", NOW), Place(5))
    assert page.next
    assert read_jobs(twenty, parse("until:1s", NOW + 5_000), Place(5, after=page.next)).items


def test_a_cursor_of_something_else_is_refused(twenty: sqlite3.Connection) -> None:
    query = parse("state:queued", NOW)
    cursor = read_jobs(twenty, query, Place(2)).next
    for other, place in (
        (parse("state:failed", NOW), Place(2, after=cursor)),
        (query, Place(2, after=cursor, sort="id")),
        (query, Place(2, after=cursor, before=cursor)),
        (query, Place(2, after="nonsense")),
        (query, Place(2, after="é\ud800")),
        (query, Place(2, before="")),
        (query, Place(0)),
        (query, Place(501)),
    ):
        with pytest.raises(Invalid):
            read_jobs(twenty, other, place)


def test_views_carry_their_tasks_in_order(connection: sqlite3.Connection) -> None:
    tables = SqliteTables(connection)
    job, other = add_job(tables), add_job(tables)
    second, first = add_task(tables, job, ordinal=1), add_task(tables, job, ordinal=0)
    assert [(view.job, view.tasks) for view in pages.views_of(connection, [job.id, 99, other.id])] == [
        (job, (first, second)),
        (other, ()),
    ]


# --- how it is walked ---


def plan(
    connection: sqlite3.Connection, text: str, order: Order = ORDERS[NEWEST], past: tuple[int, int] | None = None
) -> str:
    counts = {JobState(state): jobs for state, jobs in connection.execute(SQL["counts"])}
    sql = search.page(parse(text, NOW), search.Span(101, order, past), counts)
    return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql.text}", sql.parameters))


@pytest.mark.parametrize("text", [*QUERIES, "node:tx01", "pri:50", "source:clip", "factory:pro* -monitor:x", "évé"])
def test_no_page_sorts_jobs(twenty: sqlite3.Connection, text: str) -> None:
    """A sort would read all matches first. What is merged are pages, which are short."""
    steps = plan(twenty, text).splitlines()
    for step, following in pairwise(steps):
        assert not following.startswith("USE TEMP B-TREE") or step.startswith("SCAN (subquery"), steps


def test_rare_states_are_walked_instead_of_a_common_text(twenty: sqlite3.Connection) -> None:
    assert "job_by_state" in plan(twenty, "clip state:failed")
    twenty.execute("UPDATE counter SET jobs = ? WHERE state = 'failed'", (search.STATES_WALKED_MAX + 1,))
    assert "job_text" in plan(twenty, "clip state:failed")


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(needle=st.text(min_size=1, max_size=6), before=st.text(max_size=3), after=st.text(max_size=3))
def test_what_is_in_the_text_is_found(needle: str, before: str, after: str) -> None:
    if not needle.strip() or "\x00" in before + needle + after:
        return
    connection = searchable()
    tables = SqliteTables(connection)
    add_job(tables, subject=before + needle + after)
    query = replace(parse("x", NOW), terms=(search.Contains(needle),))
    for _ in range(2):
        assert len(read_jobs(connection, query, Place()).items) == 1
        connection.execute(SQL["index_jobs"], (1,))
        connection.execute(SQL["mark_indexed"], (1,))
    connection.close()
