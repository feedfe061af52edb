"""Rows for the tests of the store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fa.core.lifecycle import JobState, TaskState
from fa.core.model import Attempt, AttemptState, Group, Job, Output, Task
from fa.core.tables import Tables

JOB = Job(0, "proxy", 1, "san:in/clip.mxf", JobState.QUEUED, 50, 1_000, "news", "evening", "operator:3f2a", "news-in")
TASK = Task(0, 0, 0, "proxy", TaskState.QUEUED, 50, 0, 1, "san:out/clip.mp4")
GROUP = Group(0, "proxy", "cpu", 1, ("encoder:libx264", "volume:san"))
OUTPUT = Output("san:out/clip.mp4", 123_456_789_012, "ab" * 32)
HOSTILE = ["'; DROP TABLE job; --", "-rf %d {x}", "a\nb\tc", "🎬 ünï", "\x00nul", "broken \udcff\udc80 utf-8", ""]


def add_job(tables: Tables, **fields: Any) -> Job:
    job = replace(JOB, **fields)
    return replace(job, id=tables.add_job(job))


def add_task(tables: Tables, job: Job, **fields: Any) -> Task:
    fields.setdefault("group", tables.group_id(GROUP))
    task = replace(TASK, job=job.id, **fields)
    return replace(task, id=tables.add_task(task))


def add_queued(tables: Tables, **fields: Any) -> Task:
    """A job of its own with one task."""
    return add_task(tables, add_job(tables), **fields)


def attempt_of(task: Task, number: int = 1, node: str = "a", **fields: Any) -> Attempt:
    return replace(Attempt(task.id, number, node, 3, AttemptState.RUNNING, 2_000, boot=7), **fields)
