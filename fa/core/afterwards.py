"""What is done about a file once its jobs are over: whether it is due, and where to. No source is touched before its
outputs are published, and a file whose jobs are retried is not touched until they are over again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from fa.core.arrivals import Arrival, Fate
from fa.core.lifecycle import JobState
from fa.core.monitor import Monitor
from fa.core.tables import Tables
from fa.core.watch_messages import AfterOrder

_OVER = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


def judge_arrival(tables: Tables, job: int) -> Arrival | None:
    """A job that came through a monitor has changed: let the fate of its file follow. The arrival, if that is another
    one now: due, or open again as a job is retried."""
    number = tables.arrival_of_job(job)
    arrival = None if number is None else tables.arrival(number)
    if arrival is None or arrival.fate is Fate.OVER:
        return None
    fate = _fate(tables, arrival)
    if fate is arrival.fate:
        return None
    changed = replace(arrival, fate=fate)
    tables.save_arrival(changed)
    return changed


def _fate(tables: Tables, arrival: Arrival) -> Fate:
    states = [job.state for job in map(tables.job, arrival.jobs) if job is not None]
    if not all(state in _OVER for state in states):
        return Fate.OPEN
    return Fate.SUCCEEDED if all(state is JobState.SUCCEEDED for state in states) else Fate.FAILED


def order_of(tables: Tables, arrival: Arrival, monitor: Monitor) -> AfterOrder:
    """What its owner is told to do."""
    move = monitor.after if arrival.fate is Fate.SUCCEEDED else monitor.after_failure
    answer = _answer(tables, arrival) if arrival.answer else ""
    a = arrival
    return AfterOrder(a.id, a.monitor, a.path, a.size, a.mtime_ns, move, answer)


def _answer(tables: Tables, arrival: Arrival) -> str:
    """The answer to a ticket, as JSON (docs/monitors.md, "Tickets")."""
    jobs = [_job(tables, job) for job in arrival.jobs]
    state = "refused" if not jobs else arrival.fate.value
    document = {"ticket": arrival.path.rpartition("/")[2], "state": state, "error": arrival.error or None, "jobs": jobs}
    return json.dumps(document, indent=2)


def _job(tables: Tables, number: int) -> dict[str, Any]:
    job = tables.job(number)
    if job is None:
        return {"id": number, "state": "forgotten"}
    tasks = tables.tasks_of(number)
    outputs = [{"product": t.product, "path": t.output.path, "bytes": t.output.bytes, "sha256": t.output.sha256}
               for t in tasks if t.output]  # fmt: skip
    errors = [f"{task.product}: {task.error}" for task in tasks if task.error]
    return {
        "id": job.id, "state": job.state.value, "factory": job.factory, "source": job.source,
        "outputs": outputs, "error": "; ".join(errors) or None,
    }  # fmt: skip
