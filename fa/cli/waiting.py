"""Wait for jobs: bars on a terminal, a line per change in a pipe, and what was made at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fa.cli import tables
from fa.cli.context import Context
from fa.cli.exits import JOB_FAILED, OK, TIMEOUT
from fa.cli.nouns import JOB, OUTPUT, outputs
from fa.cli.progress import Live, bars, changes
from fa.client import calls
from fa.client.problems import Unreachable
from fa.client.text import clean

if TYPE_CHECKING:
    from fa.client.plain import Client

Watch = Callable[[Sequence[Mapping[str, Any]]], str | None]
"""Sees all jobs at each look; what it answers is shown as a line."""
FINAL = ("succeeded", "failed", "cancelled")
POLL_SECONDS = 0.5


def wait_for(context: Context, ids: Sequence[str], timeout: float | None = None) -> int:
    """Wait until all have ended; 0 when all succeeded, 7 after ``timeout`` seconds, 8 when one did not.

    On ^C, or when no node answers any more, the jobs go on, and it says how to wait for them again."""
    jobs: dict[str, dict[str, Any]] = {}
    until = None if timeout is None else time.monotonic() + timeout
    try:
        ended = _follow(context, context.client, ids, jobs, until)
    except (KeyboardInterrupt, Unreachable):
        context.say(f"The jobs go on. Wait again: fa job wait {' '.join(map(clean, ids))}")
        raise
    _tell(context, list(jobs.values()))
    if not ended:
        context.say(f"fa: not all jobs ended in time; they go on. Wait again: fa job wait {' '.join(map(clean, ids))}")
        return TIMEOUT
    return OK if all(job["state"] == "succeeded" for job in jobs.values()) else JOB_FAILED


def wait_watching(context: Context, client: Client, ids: Sequence[str], watch: Watch) -> list[dict[str, Any]]:
    """Wait until all have ended, showing how far they are, but no result; the jobs. ``watch`` sees them each time."""
    jobs: dict[str, dict[str, Any]] = {}
    _follow(context, client, ids, jobs, None, watch)
    return list(jobs.values())


def _follow(
    context: Context,
    client: Client,
    ids: Sequence[str],
    jobs: dict[str, dict[str, Any]],
    until: float | None,
    watch: Watch = lambda jobs: None,
) -> bool:
    """Ask for the jobs that have not ended until none is left, or the time is; whether all ended."""
    live = Live(sys.stderr, context.env)
    while True:
        for each in [each for each in ids if jobs.get(each, {}).get("state") not in FINAL]:
            was, jobs[each] = jobs.get(each), client.send(calls.show_job(each))
            _tell_changes(context, live, was, jobs[each])
        if note := watch(list(jobs.values())):
            live.end()
            context.print(note)
            context.flush()
        live.draw(bars(jobs.values(), live.columns))
        ended = all(job["state"] in FINAL for job in jobs.values())
        if ended or (until is not None and time.monotonic() >= until):
            live.end()
            return ended
        time.sleep(POLL_SECONDS)


def _tell_changes(context: Context, live: Live, was: dict[str, Any] | None, now: dict[str, Any]) -> None:
    if live.moves or context.option("quiet", False):
        return
    for line in changes(was, now):
        context.say(line)


def _tell(context: Context, jobs: list[dict[str, Any]]) -> None:
    """What was made: path, size, sha256; and why the others failed."""
    if context.machine:
        _tell_machine(context, jobs)
        return
    made = [output for job in jobs for output in outputs(job)]
    if made:
        for line in tables.render(OUTPUT, made, context.look):
            context.print(line)
    for job in jobs:
        for task in job["tasks"]:
            if task.get("error") and job["state"] in ("failed", "cancelled"):
                context.say(f"{JOB.ref(job)} {clean(task['product'])} {clean(task['state'])}: {task['error']}")


def _tell_machine(context: Context, jobs: list[dict[str, Any]]) -> None:
    if len(jobs) == 1:
        context.show(JOB, jobs[0], ())
    else:
        context.show_list(JOB, jobs)
