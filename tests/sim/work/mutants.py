"""Planted bugs, each a rule of the work left out: ``python -m tests.sim.work.mutants``.

Production code has no switches: a mutant replaces a function while its seeds run. What no seed finds, the checks do not
check."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from fa.core import (
    attendance,
    change,
    dispatcher,
    ledger,
    ledger_attempts,
    members,
    reporting,
    scheduling,
    worker,
)
from fa.core import commands as c
from fa.core import work as w
from fa.core.lifecycle import TRANSITIONS, TaskEvent, TaskState
from fa.core.model import Attempt, AttemptState, Task
from fa.core.runs import Runs
from fa.store.memory import MemoryTables
from tests.sim.work.files import Files
from tests.sim.work.seed import run_seed

SEEDS = 100  # enough to find each


@dataclass(frozen=True, slots=True)
class Mutant:
    """`rule`: what is left out (SAFETY.md section 3, DESIGN.md section 5)."""

    name: str
    rule: str
    plant: Callable[[], Any]


def _grant_early() -> Any:
    """R9: the grant is told before it is committed."""
    honest = reporting.Reporting.reported

    def reported(self: Any, report: w.Report, now: w.Moment) -> Any:
        effects = honest(self, report, now)
        if report.kind is w.ReportKind.WANTS_PUBLISH and report.output is not None:
            grant = w.Grant(*report.key, report.part, report.output, False, "san:in/x")
            return [w.Tell(report.node, grant), *effects]
        return effects

    return patch.object(reporting.Reporting, "reported", reported)


def _regrant_timeout() -> Any:
    """R9: a granted attempt of a lost node is given away without settling it."""

    def give_away(change_: change.Change, command: c.GiveAway) -> tuple[()]:
        for number, attempt_number in command.attempts:
            current = change_.current(number, attempt_number)
            if current:
                change_.end_attempt(current[1], AttemptState.LOST, command.at, command.reason, stop=True)
                change_.move(current[0], TaskEvent.REQUEUE, node="")
                change_.settle_job(change_.job(current[0].job), command.at)
        return ()

    def stranded(self: attendance.Attendance, now: w.Moment) -> Any:
        runs = [run for node in self._crew.runs.nodes() if self._is_away(node) for run in self._crew.runs.on(node)]
        self._help_at = now.mono + 2.0 if runs else None
        return self._crew.commit(c.GiveAway(tuple(run.key for run in runs), "lost", now.wall)) if runs else []

    return _all(
        patch.dict(ledger.RULES, {c.GiveAway: give_away}), patch.object(attendance.Attendance, "_help", stranded)
    )


def _no_dedupe() -> Any:
    """R10: a request that comes twice is carried out twice."""
    return patch.object(MemoryTables, "remembered", lambda self, key: None)


def _any_attempt() -> Any:
    """An attempt that was given away still counts."""

    def current(self: change.Change, task: int, number: int) -> tuple[Task, Attempt] | None:
        row, attempt = self.tables.task(task), self.tables.attempt(task, number)
        return (row, attempt) if row and attempt and row.state in (TaskState.RUNNING, TaskState.PUBLISHING) else None

    return patch.object(change.Change, "current", current)


def _cancel_granted() -> Any:
    """A task is cancelled while its publish is under way."""
    cancel = {(TaskState.PUBLISHING, TaskEvent.CANCEL): TaskState.CANCELLED}
    return patch.dict(TRANSITIONS, cancel)


def _never_found() -> Any:
    """Work of lost nodes is left with them."""

    def idle(self: attendance.Attendance, now: w.Moment) -> list[Any]:
        self._help_at = None
        return []

    return patch.object(attendance.Attendance, "_help", idle)


def _hasty() -> Any:
    """An order that has not arrived yet counts as vanished."""
    honest = members.trace

    def trace(beat: w.WorkBeat, runs: Any, ending: Any, now: float) -> members.Trace:
        found = honest(beat, runs, ending, now)
        there = {running.key for running in beat.running} | set(beat.reporting)
        gone = tuple(run for run in runs if run.key not in there and not run.granted)
        return replace(found, vanished=gone)

    return patch.object(attendance, "trace", trace)


def _sleeper() -> Any:
    """A coordinator that slept itself takes the others for lost."""
    honest = attendance.Attendance._look
    return patch.object(attendance.Attendance, "_look", lambda self, now, late: honest(self, now, 0.0))


def _lonely() -> Any:
    """A coordinator without a majority takes the others for lost."""

    def pause(self: attendance.Attendance, paused: bool, now: w.Moment) -> None:
        self.paused = False

    return patch.object(attendance.Attendance, "pause", pause)


def _slots_at_once() -> Any:
    """Slots count as open while the process in them is still being killed, and the node does not look either."""
    return _all(
        patch.object(Runs, "await_end", lambda self, run: None),
        patch.object(worker.Worker, "_has_room", lambda self, order: True),
    )


def _forgetful_view() -> Any:
    """A new view of the same coordinator forgets who waits for an answer, and what was given to whom."""

    def served(self: dispatcher.Dispatcher, epoch: int) -> Any:
        self._leads = True
        self._begin(epoch, self._crew.tag)
        self._crew._members.clear()
        self._loaded = True
        return []

    honest = dispatcher.Dispatcher._served
    return patch.object(
        dispatcher.Dispatcher,
        "_served",
        lambda self, epoch: served(self, epoch) if self._leads else honest(self, epoch),
    )


def _by_age_only() -> Any:
    """Priorities are not looked at."""
    honest = ledger_attempts._Heads._push

    def push(self: Any, group: int, tasks: Any) -> None:
        honest(self, group, tasks)
        self._heap = sorted((0, task, of) for _, task, of in self._heap)

    return patch.object(ledger_attempts._Heads, "_push", push)


def _no_comparison() -> Any:
    """A rename that finds no part says that it cannot happen any more, without a look at the destination."""

    def rename(self: Files, part: str, output: Any, replace_: bool) -> Any:
        if part not in self.parts:
            return w.PublishResult.GONE, "the part is gone"
        self.finals[output.path] = self.parts.pop(part)
        self._world.checks.published(output.path, self.finals[output.path])
        return w.PublishResult.PUBLISHED, ""

    return patch.object(Files, "_rename", rename)


def _reports_in_memory() -> Any:
    """What is told before it is durable; and nothing is told twice."""

    def repeat(self: worker.Worker, now: w.Moment) -> list[Any]:
        return []

    return patch.object(worker.Worker, "_repeat", repeat)


def _no_look_back() -> Any:
    """A coordinator does not load what its predecessor gave away."""

    def loaded(self: Any, event: w.ActiveLoaded, now: w.Moment) -> Any:
        return honest(self, replace(event, active=()), now)

    honest = dispatcher.Dispatcher._active_loaded
    return patch.object(dispatcher.Dispatcher, "_active_loaded", loaded)


def _one_view() -> Any:
    """What one node sees of a volume is believed at once."""
    return patch.object(ledger_attempts, "_said_another", lambda *_: True)


def _late_beats() -> Any:
    """Whatever comes, in whatever order, is believed."""
    return patch.object(attendance, "proves_nothing", lambda beat, member, since: False)


def _endless_delivery() -> Any:
    """Whose encoder has ended takes no slot, however many wait with it."""

    def holding(attempts: Any, slots: Any) -> list[Any]:
        return [(attempt, attempt.cost) for attempt in attempts if not attempt.delivering]

    return _all(patch.object(members, "holders", holding), patch.object(worker, "holders", holding))


def _endless_patience() -> Any:
    """A grant that is told again has its time again."""
    honest = attendance.Attendance.tell

    def tell(self: Any, run: Any, now: w.Moment) -> Any:
        run.granted_at = now.mono
        return honest(self, run, now)

    return patch.object(attendance.Attendance, "tell", tell)


def _urgent_elsewhere() -> Any:
    """Slots that are kept for others count as slots to wait for."""
    return patch.object(scheduling, "slots_ever", lambda node, kind, priority: scheduling.slots_of(node, kind))


MUTANTS = (
    Mutant("grant_early", "R9: a grant is told only once it is committed", _grant_early),
    Mutant("regrant_timeout", "R9: a granted attempt is settled before the task is given again", _regrant_timeout),
    Mutant("no_dedupe", "R10: a request is carried out once", _no_dedupe),
    Mutant("any_attempt", "only the last attempt counts", _any_attempt),
    Mutant("cancel_granted", "a granted publish cannot be cancelled", _cancel_granted),
    Mutant("never_found", "work of lost nodes goes back to the queue", _never_found),
    Mutant("hasty", "an order may be on its way", _hasty),
    Mutant("sleeper", "a coordinator that slept cannot tell who is lost", _sleeper),
    Mutant("lonely", "a coordinator without a majority cannot tell who is lost", _lonely),
    Mutant("slots_at_once", "slots are open when the process is gone", _slots_at_once),
    Mutant("endless_patience", "a publish that hangs is offered to others", _endless_patience),
    Mutant("urgent_elsewhere", "nobody waits for slots that are kept from it", _urgent_elsewhere),
    Mutant("endless_delivery", "behind a destination that hangs no work piles up", _endless_delivery),
    Mutant("forgetful_view", "a reign goes on in a new view", _forgetful_view),
    Mutant("by_age_only", "highest priority first", _by_age_only),
    Mutant("no_comparison", "after ENOENT the destination is compared", _no_comparison),
    Mutant("silent", "reports are repeated until they are heard", _reports_in_memory),
    Mutant("no_look_back", "a new coordinator adopts what runs", _no_look_back),
    Mutant("one_view", "what one node sees of a volume is the truth once another has seen it", _one_view),
    Mutant("late_beats", "an overtaken beat proves nothing", _late_beats),
)


def caught(mutant: Mutant, seeds: int = SEEDS) -> tuple[int, str] | None:
    """The first seed that finds it, and what it found; None when no seed does."""
    with mutant.plant():
        for seed in range(seeds):
            result = run_seed(seed)
            if result.violation:
                return seed, result.violation
    return None


@contextmanager
def _all(*patches: Any) -> Iterator[None]:
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def main() -> None:
    names = sys.argv[1:]
    for mutant in [mutant for mutant in MUTANTS if not names or mutant.name in names]:
        found = caught(mutant)
        print(f"{mutant.name:16} {'seed ' + str(found[0]) + ': ' + found[1] if found else 'NOT CAUGHT'}", flush=True)


if __name__ == "__main__":
    main()
