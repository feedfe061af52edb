"""What is done to jobs, as requests: to one, to some by their ids, to a set that the array keeps."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fa.client import calls
from fa.client.calls import Call
from fa.errors import FaError, SelectionGone
from fa.tui.marks import Chosen
from fa.tui.values import Job, Result, Results, read

if TYPE_CHECKING:
    from fa.tui.desk import Desk

PAST = {"cancel": "cancelled", "retry": "queued again", "hold": "held", "release": "released"}
Then = Callable[[list[Result]], None]  # those that were refused


@dataclass(frozen=True, slots=True)
class Deed:
    """`ask` has a hole for the jobs; `words` begin the equal command."""

    name: str
    ask: str
    past: str
    words: tuple[str, ...]
    one: Callable[[int], Call]
    some: Callable[[list[int]], Call]
    chosen: Callable[[str, int, Sequence[int]], Call]

    def command(self, jobs: Sequence[Job]) -> str:
        return shlex.join([*self.words, *(str(job.id) for job in jobs)])

    def command_of(self, chosen: Chosen) -> str:
        return shlex.join([*self.words, *chosen.command])


def acting(action: str) -> Deed:
    return Deed(
        action,
        f"{action.capitalize()} {{}}",
        PAST[action],
        ("fa", "job", action),
        lambda job: calls.act_on_job(job, action),
        lambda jobs: calls.act_on_jobs(jobs, action),
        lambda selection, after, without: calls.act_on_selection(selection, action, after, without),
    )


def prioritising(value: int | str) -> Deed:
    return Deed(
        "priority",
        f"Give {{}} priority {value}",
        f"given priority {value}",
        ("fa", "job", "prio", str(value)),
        lambda job: calls.set_priority(job, value),
        lambda jobs: calls.set_priorities(jobs, value),
        lambda selection, after, without: calls.set_priority_of_selection(selection, value, after, without),
    )


class Sender:
    """One request after the other: a failure stops there, and says how far it came."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def send(self, deed: Deed, jobs: Sequence[Job], then: Then) -> None:
        self._ids(deed, jobs, 0, [], then)

    def _ids(self, deed: Deed, jobs: Sequence[Job], sent: int, bad: list[Result], then: Then) -> None:
        ids = [job.id for job in jobs[sent : sent + calls.BATCH_MAX]]
        call = deed.one(ids[0]) if len(jobs) == 1 else deed.some(ids)
        cli = "" if sent else deed.command(jobs)
        done = partial(self._ids_done, deed, jobs, sent + len(ids), bad, then)
        self.desk.send(call, done, partial(self.stopped, sent), cli=cli)

    def _ids_done(self, deed: Deed, jobs: Sequence[Job], sent: int, bad: list[Result], then: Then, told: Any) -> None:
        if len(jobs) > 1:
            bad += [result for result in read(Results, told).items if not result.ok]
        else:
            self.desk.jobs.window.put(read(Job, told))
        if sent < len(jobs):
            self.desk.toast(f"{sent:,} of {len(jobs):,} {deed.past}")
            self._ids(deed, jobs, sent, bad, then)
        else:
            then(bad)

    def send_chosen(self, deed: Deed, chosen: Chosen, then: Then) -> None:
        self._part(deed, chosen, 0, [], then)

    def _part(self, deed: Deed, chosen: Chosen, after: int, bad: list[Result], then: Then) -> None:
        call = deed.chosen(chosen.kept.selection, after, sorted(chosen.without))
        cli = "" if after else deed.command_of(chosen)
        done = partial(self._part_done, deed, chosen, bad, then)
        self.desk.send(call, done, partial(self._part_failed, after), cli=cli)

    def _part_done(self, deed: Deed, chosen: Chosen, bad: list[Result], then: Then, told: Any) -> None:
        results = read(Results, told)
        bad += [result for result in results.items if not result.ok]
        for result in results.items:
            if self.desk.jobs.window.place(result.id) is not None:
                self.desk.heard_job(result.id)
        if results.next is None:
            then(bad)
        else:
            self.desk.toast(f"{results.next:,} of {chosen.kept.count:,} {deed.past}")
            self._part(deed, chosen, results.next, bad, then)

    def _part_failed(self, after: int, error: FaError) -> None:
        if isinstance(error, SelectionGone):
            self.desk.jobs.marks.clear()
        self.stopped(after, error)

    def stopped(self, sent: int, error: FaError) -> None:
        text = f"{sent:,} were done. {error.detail} {error.hint}" if sent else f"{error.detail} {error.hint}"
        if error.code in ("unreachable", "unavailable", "timeout"):
            text += " It may have been done nevertheless: look before you repeat it."
        self.desk.toast(text.strip(), "warn")
