"""What keeps the store small, a little at a time: each call deletes at most `limit` rows inside the writer's
transaction, so that no group commit grows long and no segment large. 0 = there is nothing (more) to do."""

from __future__ import annotations

import sqlite3

from fa.store.queries import SQL
from fa.store.rows import list_of

EVENTS_KEPT = 100_000
ROWS_PER_STEP = 200


def delete_finished_jobs(connection: sqlite3.Connection, before: int, limit: int = ROWS_PER_STEP) -> int:
    """Delete the jobs that finished before `before` (ms), the longest finished first, with all that hangs on them."""
    jobs = [row[0] for row in connection.execute(SQL["finished_before"], (before, limit)).fetchall()]
    wanted = (list_of(jobs),)
    for name in ("unindex_jobs", "delete_attempts", "delete_tasks", "delete_deliveries", "delete_jobs"):
        connection.execute(SQL[name], wanted)
    return len(jobs)


def delete_old_events(connection: sqlite3.Connection, keep: int = EVENTS_KEPT, limit: int = ROWS_PER_STEP) -> int:
    """Delete the oldest events beyond the newest `keep`."""
    return connection.execute(SQL["delete_events"], (keep, limit)).rowcount


def delete_cleared_alerts(connection: sqlite3.Connection, before: int, limit: int = ROWS_PER_STEP) -> int:
    """Delete alerts that were over before `before` (ms)."""
    return connection.execute(SQL["delete_alerts"], (before, limit)).rowcount
