"""Housekeeping: what the store forgets, a little in each commit, so that no commit is long and no segment large."""

from __future__ import annotations

from fa.core.change import Change
from fa.core.commands import KeepHouse


def keep_house(change: Change, command: KeepHouse) -> bool:
    """Delete at most `limit` rows of each kind; True when some kind may have more."""
    tables, limit = change.tables, command.limit
    went = (
        tables.forget_before(command.requests_before, limit),
        tables.delete_finished_jobs(command.jobs_before, limit),
        tables.delete_cleared_alerts(command.alerts_before, limit),
        tables.delete_old_events(command.events_kept, limit),
        tables.delete_stray_arrivals(limit),
        tables.delete_notices(command.alerts_before, limit),
    )
    return limit in went
