"""What the coordinator reads of the store: when it begins to serve as much as there are slots in the array, whatever is
queued; later, a page at a time, what nodes that watch folders have to know."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from fa.core.afterwards import order_of
from fa.core.arrivals import pack_keys, stat_key
from fa.core.blueprint import Recipes
from fa.core.monitor import read_monitor
from fa.core.tables import Tables
from fa.core.watch_messages import KnownPage
from fa.core.work import Active, ActiveLoaded, DueLoaded, KnownLoaded, LoadDue, LoadKnown
from fa.store.tables import SqliteTables


def load_active(connection: sqlite3.Connection) -> ActiveLoaded:
    """Runs in the writer's thread, between group commits."""
    return active_of(SqliteTables(connection))


def active_of(tables: Tables) -> ActiveLoaded:
    active, recipes = [], Recipes()
    for task in tables.active_tasks():
        attempt, job, group = tables.attempt(task.id, task.attempt), tables.job(task.job), tables.group(task.group)
        assert attempt and job and group, "an active task has an attempt, a job and a group"
        version = tables.factory(job.factory, job.factory_version)
        assert version, "a job's factory version is never deleted before the job"
        recipe = recipes.read(version)
        replaces, spare = recipe is not None and recipe.replace, tables.spare(task.destination)
        active.append(Active(task, attempt, group, replaces, job.source, spare))
    return ActiveLoaded(
        tuple(active), tuple(tables.nodes()), tuple(tables.quarantines()), tuple(tables.monitors())
    )  # fmt: skip


KNOWN_PAGE = 2000  # arrivals read at once: a few milliseconds of the writer's thread


def known_page(connection: sqlite3.Connection, monitor: int, after: int) -> KnownPage:
    """What a node that begins to watch is told of the files that are submitted."""
    rows = SqliteTables(connection).arrivals_known(monitor, after, KNOWN_PAGE)
    keys = pack_keys(stat_key(path, size, mtime_ns, ctime_ns) for _, path, size, mtime_ns, ctime_ns in rows)
    return KnownPage(monitor, after, keys, rows[-1][0] if len(rows) == KNOWN_PAGE else None)


def due_orders(connection: sqlite3.Connection, effect: LoadDue) -> DueLoaded:
    """What is to be done about files whose jobs are over; nothing is for those whose monitor is gone or unreadable."""
    tables = SqliteTables(connection)
    due = tables.arrivals_due(effect.after, effect.limit)
    orders = []
    for brief in due:
        arrival, row = tables.arrival(brief.id), tables.monitor(brief.monitor)
        monitor = read_monitor(row.text) if row else None
        if arrival and monitor:
            orders.append(order_of(tables, arrival, monitor))
    full = len(due) == effect.limit and effect.limit > 1
    return DueLoaded(tuple(orders), due[-1].id if full else None)


Query = Callable[[Callable[[sqlite3.Connection], Any], Callable[[Any], Any]], None]


def questions(query: Query) -> dict[type, Callable[[Any], None]]:
    """Who carries out what the coordinator asks of the store about monitors."""

    def known(effect: LoadKnown) -> None:
        page = partial(known_page, monitor=effect.monitor, after=effect.after)
        query(page, lambda found: KnownLoaded(effect.node, found))

    def due(effect: LoadDue) -> None:
        query(partial(due_orders, effect=effect), lambda loaded: loaded)

    return {LoadKnown: known, LoadDue: due}
