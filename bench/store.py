"""What the job store costs on this machine: `python bench/store.py [--jobs 1000000]`.

Prints microseconds of CPU per job of submit, dispatch and finish, through the ledger and for the SQL alone; the time of
pages and searches; and how much dearer a dispatch is with a long queue than with a short one (1.0 = not at all)."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from fa.core.commands import AskPublish, Command, Dispatch, FinishAttempt, SaveFactory, SubmitJobs
from fa.core.ledger import Ledger
from fa.core.lifecycle import JobState, TaskState
from fa.core.model import Attempt, AttemptState, Group, Job, NewJob, NodeView, Output, Task
from fa.core.query import parse
from fa.replication.connection import POSITION_TABLE, open_writer
from fa.store.migrations import migrate
from fa.store.orders import NEWEST
from fa.store.readers import Place, Readers
from fa.store.tables import SqliteTables

RECIPE = """
name = "proxy"
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:out/{source.stem}-{job}-{product}.mp4"
"""
AT = 1_700_000_000_000
ROUNDS = 9
BATCH = 200
QUERIES = [
    "",
    "state:queued",
    "state:failed",
    "factory:proxy",
    "id:<1000",
    "clip-0000500",
    "mxf",
    "nowhere-at-all",
    "zq",
]
SORTED = [("", "-priority"), ("state:queued", "-priority"), ("pri:>50", "priority"), ("", "-finished"), ("", "factory"),
          ("clip-0000500", "-priority")]  # fmt: skip


def new_store(path: Path) -> sqlite3.Connection:
    connection = open_writer(path)
    connection.execute("PRAGMA synchronous = OFF")  # the cost of SQL, not of this disk
    with transaction(connection):
        connection.execute(POSITION_TABLE)
        migrate(connection)
        Ledger(SqliteTables(connection)).apply(SaveFactory(RECIPE, AT))
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("COMMIT")


def fill(connection: sqlite3.Connection, jobs: int) -> None:
    """Queue `jobs` jobs of one task each, by SQL; counters and the index of free text as the tables keep them."""
    ledger = Ledger(SqliteTables(connection))
    with transaction(connection):
        ledger.apply(SubmitJobs((NewJob("san:in/first.mxf", "proxy"),), AT))
        have, group = connection.execute(
            "SELECT (SELECT max(id) FROM job), (SELECT max(group_id) FROM task)"
        ).fetchone()
        numbers = f"WITH RECURSIVE n(i) AS (SELECT {have + 1} UNION ALL SELECT i + 1 FROM n WHERE i < {jobs})"
        connection.execute(
            f"{numbers} INSERT INTO job (factory, factory_version, source, state, priority, submitted_at, subject) "
            "SELECT 'proxy', 1, printf('san:in/2026/news/clip-%07d_v2.mxf', i), 'queued', 50, ? + i, 'evening' FROM n",
            (AT,),
        )
        connection.execute(
            "INSERT INTO task (job_id, ordinal, product, state, priority, group_id, cost, destination) "
            "SELECT id, 0, 'proxy', 'queued', 50, ?, 1, 'san:out/clip-' || id || '.mp4' FROM job WHERE id > ?",
            (group, have),
        )
        for last in range(100_000, jobs + 100_000, 100_000):
            connection.execute(
                "INSERT INTO job_text (rowid, source, subject, description) SELECT id, source, subject, description "
                "FROM job WHERE id > (SELECT upto FROM job_text_mark) AND id <= ?",
                (last,),
            )
            connection.execute("UPDATE job_text_mark SET upto = min(?, (SELECT max(id) FROM job))", (last,))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def per_item(connection: sqlite3.Connection, step: Callable[[int], Any]) -> float:
    """Median over rounds of microseconds of CPU per item, in transactions of BATCH items."""
    rounds = []
    for number in range(ROUNDS):
        with transaction(connection):
            start = time.thread_time()
            for item in range(number * BATCH, (number + 1) * BATCH):
                step(item)
            rounds.append((time.thread_time() - start) / BATCH * 1e6)
    return median(rounds)


def through_ledger(connection: sqlite3.Connection) -> dict[str, float]:
    ledger = Ledger(SqliteTables(connection))
    nodes = (NodeView("a", (("cpu", BATCH * ROUNDS * 2),), offers=frozenset(_offers(connection))),)
    orders: list[Any] = []

    def submit(item: int) -> None:
        ledger.apply(SubmitJobs((NewJob(f"san:in/new/clip-{item}.mxf", "proxy"),), AT))

    def dispatch(item: int) -> None:
        if item % 50 == 0:
            orders.extend(ledger.apply(Dispatch(1, nodes, AT, limit=50)).value.orders)

    def finish(item: int) -> None:
        order = orders[item]
        output = Output(order.destination, 1, "00" * 32)
        commands: list[Command] = [
            AskPublish("a", order.task, order.attempt, f"san:.fa/part/{order.task}", output, AT),
            FinishAttempt(order.task, order.attempt, AT),
        ]
        for command in commands:
            ledger.apply(command)

    return {step.__name__: per_item(connection, step) for step in (submit, dispatch, finish)}


def _offers(connection: sqlite3.Connection) -> set[str]:
    tables = SqliteTables(connection)
    return {need for group in tables.waiting_groups() for need in group.requires}


def sql_alone(connection: sqlite3.Connection) -> dict[str, float]:
    """The same without the rules and the recipe: what the tables themselves cost."""
    tables = SqliteTables(connection)
    group = Group(0, "bench", "cpu", 1, ("encoder:libx264", "volume:san"))
    heads: list[Task] = []

    def submit(item: int) -> None:
        job = tables.add_job(Job(0, "proxy", 1, f"san:in/b/clip-{item}.mxf", JobState.QUEUED, 50, AT, "evening"))
        needs = tables.group_id(group)
        tables.add_task(Task(0, job, 0, "proxy", TaskState.QUEUED, 50, needs, 1, f"san:out/clip-{job}.mp4"))

    def dispatch(item: int) -> None:
        if not heads:
            heads.extend(tables.heads(tables.group_id(group), 4))
        task = heads.pop(0)
        tables.save_task(replace(task, state=TaskState.RUNNING, attempt=1, node="a"))
        tables.add_attempt(Attempt(task.id, 1, "a", 1, AttemptState.RUNNING, AT))
        job = tables.job(task.job)
        assert job is not None
        tables.tasks_of(job.id)
        tables.save_job(replace(job, state=JobState.RUNNING))

    return {step.__name__: per_item(connection, step) for step in (submit, dispatch)}


async def pages(path: Path) -> dict[str, float]:
    """Milliseconds of the first page of 100 jobs, tasks included, by query; the median of several."""

    async def open_gate(txid: int) -> None:
        return None

    readers = await Readers.open(path, open_gate)
    took = {}
    for text, sort in [*((text, NEWEST) for text in QUERIES), *SORTED]:
        rounds = []
        for _ in range(5):
            start = time.perf_counter()
            await readers.jobs(parse(text, AT), Place(100, sort=sort))
            rounds.append((time.perf_counter() - start) * 1e3)
        took[f"{text or '(all)'} {'' if sort == NEWEST else sort}"] = median(rounds)
    await readers.close()
    return took


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--jobs", type=int, default=1_000_000, help="length of the longest queue")
    longest = arguments.parse_args().jobs
    dispatch = {}
    for jobs in (1_000, longest // 10, longest):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "fa.db"
            connection = new_store(path)
            fill(connection, jobs)
            ledger, sql = through_ledger(connection), sql_alone(connection)
            dispatch[jobs] = ledger["dispatch"]
            print(f"\n{jobs:,} queued jobs, {path.stat().st_size >> 20} MB")
            print("  us per job, through the ledger: " + ", ".join(f"{step} {us:.0f}" for step, us in ledger.items()))
            print("  us per job, SQL alone:          " + ", ".join(f"{step} {us:.0f}" for step, us in sql.items()))
            for text, ms in asyncio.run(pages(path)).items():
                print(f"  first page of {text:24} {ms:8.1f} ms")
            connection.close()
    print(
        f"\na dispatch with {longest:,} queued jobs costs {dispatch[longest] / dispatch[1_000]:.2f} of one with 1,000"
    )


if __name__ == "__main__":
    main()
