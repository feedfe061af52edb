"""What only the in-memory twin can do: go back, ship its changes, be copied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fa.core.lifecycle import JobState, TaskState
from fa.store.memory import MemoryTables
from tests.store.make import add_job, add_queued, add_task


def test_rollback_takes_back_rows_ids_and_the_queue() -> None:
    tables = MemoryTables()
    task = add_queued(tables)
    mark = tables.mark()
    tables.save_task(replace(task, state=TaskState.RUNNING))
    lost = add_queued(tables)
    tables.put_fact("epoch", "2")
    tables.rollback(mark)
    assert tables.heads(task.group, 9) == [task]
    assert tables.active_tasks() == []
    assert tables.job(lost.job) is None
    assert tables.fact("epoch") is None
    assert add_queued(tables).id == lost.id


def test_changes_bring_another_store_up_to_date() -> None:
    tables, other = MemoryTables(), MemoryTables()
    task = add_queued(tables)
    other.apply(tables.changes())
    mark = tables.mark()
    tables.save_task(replace(task, state=TaskState.RUNNING))
    tables.put_fact("epoch", "2")
    changes = tables.changes(mark)
    assert [key for _, key, _ in changes] == [task.id, "epoch"]
    other.apply(changes)
    assert other.active_tasks() == tables.active_tasks() != []
    assert other.fact("epoch") == "2"
    assert add_job(other).id == add_job(tables).id


def test_a_copy_is_independent() -> None:
    tables = MemoryTables()
    job = add_job(tables)
    copy = tables.copy()
    copy.save_job(replace(job, state=JobState.FAILED))
    assert tables.job(job.id) == job
    assert copy.counts()[JobState.FAILED] == 1
    assert tables.counts()[JobState.FAILED] == 0


def test_what_was_submitted_never_changes() -> None:
    tables = MemoryTables()
    job = add_job(tables)
    task = add_task(tables, job)
    with pytest.raises(AssertionError):
        tables.save_job(replace(job, source="san:other"))
    with pytest.raises(AssertionError):
        tables.save_task(replace(task, destination="san:other"))
