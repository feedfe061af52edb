"""What nodes report of their attempts, and what follows: each report becomes a command, at most once at a time, and is
acknowledged when that was carried out or came too late to matter."""

from __future__ import annotations

from dataclasses import replace

from fa.core import commands as c
from fa.core import work as w
from fa.core.crew import Crew, Effects
from fa.core.ledger import Outcome
from fa.core.ledger_attempts import Refused
from fa.core.model import Cause
from fa.core.runs import Runs
from fa.core.work import Key, Moment, Report, ReportKind
from fa.errors import Conflict, FaError

SHARE_WITHIN = 0.03  # seconds that the news of a published output may wait for a commit to share


class Reporting:
    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._in_flight: set[tuple[Key, ReportKind]] = set()
        self._waiting: list[Report] = []
        self._share_at: float | None = None

    @property
    def deadline(self) -> float | None:
        return self._share_at

    def reported(self, report: Report, now: Moment) -> Effects:
        flight = (report.key, report.kind)
        if flight in self._in_flight:
            return []
        if report.kind is ReportKind.WANTS_PUBLISH:
            self._release(report)
        command = command_of(report, self._crew.runs, now.wall)
        if isinstance(command, c.FailAttempt) and command.permanent and command.blame:
            command = self._doubted(report, command)
        if command is None:
            return [_heard(report)]
        self._in_flight.add(flight)
        if report.kind is ReportKind.PUBLISHED and self._crew.runs.shares(report.key):
            self._waiting.append(report)
            self._share_at = self._share_at or now.mono + SHARE_WITHIN
            return []
        return self._commit(report, command)

    def share(self, effects: Effects, now: Moment) -> Effects:
        """Nobody's slot waits for the news that an output is published: while others run, it goes with what is
        committed anyway, or alone after a moment."""
        if self._share_at is None:
            return []
        if now.mono < self._share_at and not any(isinstance(effect, w.Commit) for effect in effects):
            return []
        waiting, self._waiting, self._share_at = self._waiting, [], None
        more: Effects = []
        for report in waiting:
            more += self._commit(report, c.FinishAttempt(report.task, report.attempt, now.wall))
        return more

    def _doubted(self, report: Report, command: c.FailAttempt) -> c.FailAttempt:
        """What a program of its node said, where another node can be asked what its own says."""
        run = self._crew.runs.get(report.key)
        if run is None or not self._crew.able_elsewhere(run):
            return command
        return replace(command, permanent=False, blame=False, cause=Cause.VERDICT)

    def _commit(self, report: Report, command: c.Command) -> Effects:
        return self._crew.commit(command, lambda done, _: self._carried(report, done.result))

    def _release(self, report: Report) -> None:
        """Its encoder has ended: there is room for the next."""
        run = self._crew.runs.get(report.key)
        if run is not None and run.node == report.node and not run.delivering:
            run.encoded = self._crew.wanted = True

    def _carried(self, report: Report, result: Outcome | FaError) -> Effects:
        """A grant is answered by itself, a refused one by `Stop`. After trouble of the store the node reports again."""
        self._in_flight.discard((report.key, report.kind))
        if isinstance(result, Refused):
            return [w.Tell(report.node, w.Stop(*report.key, result.detail))]
        settled = isinstance(result, Outcome | Conflict)
        return [_heard(report)] if settled and report.kind is not ReportKind.WANTS_PUBLISH else []


def command_of(report: Report, runs: Runs, at: int) -> c.Command | None:
    """None for what needs none: it is known, or nobody could have reported it."""
    task, attempt = report.key
    run = runs.get(report.key)
    if report.kind is ReportKind.PUBLISHED:
        return c.FinishAttempt(task, attempt, at)
    if report.kind is ReportKind.UNSETTLED:
        return c.Unsettle(task, attempt, report.error, report.permanent, at, report.cause)
    if report.kind is ReportKind.WANTS_PUBLISH and report.output is not None:
        return c.AskPublish(report.node, task, attempt, report.part, report.output, at)
    if run is not None and run.node != report.node:
        return None  # only its own node can say so
    if report.kind is ReportKind.FAILED:
        return c.FailAttempt(task, attempt, report.error, report.permanent, at, report.blame, report.cause)
    if report.kind is ReportKind.STOPPED and run is not None:  # by itself, as orphans do
        return c.GiveAway((report.key,), f"{report.node} stopped it", at)
    return None


def _heard(report: Report) -> w.Tell:
    return w.Tell(report.node, w.Heard(*report.key, report.kind))
