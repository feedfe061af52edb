"""What a person does to jobs: the marked ones, or the one under the cursor."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fa.client import calls
from fa.core.lifecycle import TaskEvent, TaskState, allows
from fa.errors import FaError
from fa.tui.boxes.confirm import Confirm
from fa.tui.boxes.menu import Entry, Menu
from fa.tui.boxes.prompt import Prompt
from fa.tui.boxes.submit import Submit, wrong_priority
from fa.tui.boxes.text import Text
from fa.tui.keys import shown
from fa.tui.line import Line, Span, cell, line, say, wrapped
from fa.tui.times import roughly
from fa.tui.values import Factory, Job, Result, Why, read, read_list
from fa.tui.views.job import JobView
from fa.tui.views.job_cells import lead, one_line

if TYPE_CHECKING:
    from fa.tui.desk import Desk

PAST = {"cancel": "cancelled", "retry": "queued again", "hold": "held", "release": "released"}
BACK = {"cancel": "retry", "hold": "release", "release": "hold"}  # what takes it back
ASKS = ("cancel",)  # even for one job: work is thrown away
PRIORITIES_MAX = 1000  # these are set one by one


class JobActs:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def handlers(self) -> dict[str, Callable[[], None]]:
        return {
            **{f"job.{action}": partial(self.act, action) for action in PAST},
            "job.raise": lambda: self._nudge(10),
            "job.lower": lambda: self._nudge(-10),
            "job.prio": self._ask_priority,
            "job.why": self._why,
            "job.log": lambda: self._open("Log"),
            "job.attempts": lambda: self._open("Attempts"),
            "job.submit": self._submit,
            "bulk": self._bulk,
        }

    # which jobs

    def targets(self) -> list[Job]:
        """The marked jobs; without marks the one under the cursor."""
        if self.desk.view.name == "jobs" and self.desk.jobs.marks:
            newest = {job.id: job for job in self.desk.jobs.window.rows}
            return [newest.get(job.id, job) for job in self.desk.jobs.marks.values()]
        what = self.desk.view.what()
        return [what] if isinstance(what, Job) else []

    def _one(self) -> Job | None:
        what = self.desk.view.what()
        if isinstance(what, Job):
            return what
        self.desk.toast("there is no job under the cursor")
        return None

    # cancel, retry, hold, release

    def act(self, action: str) -> None:
        jobs = self.targets()
        able = [job for job in jobs if can(job, action)]
        if not able:
            state = jobs[0].state if jobs else ""
            self.desk.toast(
                f"a job that is {state} cannot be {PAST[action]}" if state else "there is no job here", "warn"
            )
            return
        send = partial(self._send, action, able)
        if len(jobs) == 1 and action not in ASKS:
            send()
            return
        left = f"; {len(jobs) - len(able)} of {len(jobs)} cannot be" if len(able) < len(jobs) else ""
        question = f"{action.capitalize()} {len(able):,} job{'s' if len(able) != 1 else ''}{left}?"
        self._confirm(question, able, command(action, able), send, cost(self.desk, able) if action == "cancel" else "")

    def _confirm(self, question: str, jobs: Sequence[Job], cli: str, yes: Callable[[], None], cost: str = "") -> None:
        states = Counter(job.state for job in jobs)
        summary = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        self.desk.show(Confirm(self.desk, question, [one_line(job) for job in jobs], cli, yes, cost, summary))

    def _send(self, action: str, jobs: Sequence[Job]) -> None:
        """A thousand in a request, the next when the last was answered: a failure stops there, and says how far it
        came."""
        self._send_part(action, jobs, 0, [])

    def _send_part(self, action: str, jobs: Sequence[Job], sent: int, bad: list[Result]) -> None:
        ids = [job.id for job in jobs[sent : sent + calls.BATCH_MAX]]
        call = calls.act_on_job(ids[0], action) if len(jobs) == 1 else calls.act_on_jobs(ids, action)
        cli = "" if sent else command(action, jobs)
        self.desk.send(
            call, partial(self._acted_part, action, jobs, sent + len(ids), bad), partial(self._stopped, sent), cli=cli
        )

    def _acted_part(self, action: str, jobs: Sequence[Job], sent: int, bad: list[Result], told: Any) -> None:
        bad += [result for result in read_list(Result, told) if not result.ok] if len(jobs) > 1 else []
        if sent < len(jobs):
            self.desk.toast(f"{sent:,} of {len(jobs):,} {PAST[action]}")
            self._send_part(action, jobs, sent, bad)
        else:
            self._acted(action, jobs, bad)

    def _stopped(self, sent: int, error: FaError) -> None:
        self._failed(error, f"{sent:,} were done. " if sent else "")

    def _acted(self, action: str, jobs: Sequence[Job], bad: Sequence[Result]) -> None:
        refused = {result.id for result in bad}
        done = [job for job in jobs if job.id not in refused]
        self._renew(jobs)
        text = f"{_named(done)} {PAST[action]}"
        if bad:
            text += f"; {len(bad)} not: {bad[0].detail or bad[0].code}"
        self._told(text, BACK.get(action), done)

    def _told(self, text: str, back: str | None, jobs: Sequence[Job]) -> None:
        """Say what happened, and how to take it back."""
        if back and jobs:
            self.desk.undo = (text, partial(self._send, back, list(jobs)))
            key = shown(self.desk.keymap.by_id["undo"].keys[0])
            text += f"; {key} takes it back ({back})"
        self.desk.toast(text)
        self.desk.jobs.marks.clear()

    def _failed(self, error: FaError, before: str = "") -> None:
        text = f"{before}{error.detail} {error.hint}".strip()
        if error.code in ("unreachable", "unavailable", "timeout"):
            text += " It may have been done nevertheless: look before you repeat it."
        self.desk.toast(text, "warn")

    def _renew(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.desk.heard_job(job.id)

    # priority

    def _nudge(self, step: int) -> None:
        jobs = self.targets()
        if not jobs:
            self.desk.toast("there is no job here")
            return
        value = max(0, min(100, jobs[0].priority + step))
        self._prioritise(jobs, value)

    def _ask_priority(self) -> None:
        jobs = self.targets()
        if not jobs:
            self.desk.toast("there is no job here")
            return
        label = f"Priority of {_named(jobs)}: 0 to 100, low, normal, high, urgent"
        self.desk.show(Prompt(self.desk, "Priority", label, wrong_priority, partial(self._prioritise, jobs)))

    def _prioritise(self, jobs: Sequence[Job], value: int | str) -> None:
        if len(jobs) > PRIORITIES_MAX:
            self.desk.toast(f"priorities are set one by one, of {PRIORITIES_MAX:,} jobs at most", "warn")
            return
        wanted = int(value) if str(value).isdigit() else value
        cli = shlex.join(["fa", "job", "prio", str(wanted), *(str(job.id) for job in jobs)])
        send = partial(self._send_priority, list(jobs), wanted, cli)
        if len(jobs) == 1:
            send()
        else:
            self._confirm(f"Give {len(jobs)} jobs priority {wanted}?", jobs, cli, send)

    def _send_priority(self, jobs: list[Job], value: int | str, cli: str) -> None:
        """One after the other: a refusal stops at the job that it is about."""
        job, *rest = jobs
        call = calls.set_priority(job.id, value)
        self.desk.send(call, partial(self._prioritised, job, rest, value, cli), self._failed, cli="" if rest else cli)

    def _prioritised(self, job: Job, rest: list[Job], value: int | str, cli: str, told: Any) -> None:
        self.desk.jobs.window.put(read(Job, told))
        self._renew([job])
        if rest:
            self._send_priority(rest, value, cli)
            return
        before = job.priority
        self.desk.undo = ("priority", lambda: self._prioritise([job], before))
        self.desk.toast(f"job {job.id} has priority {value}; u gives it {before} again")

    # why, log, submit, bulk

    def _why(self) -> None:
        job = self._one()
        if job:
            self.why_of(job.id)

    def why_of(self, number: int) -> None:
        found: list[Why] = []
        trouble: list[str] = []
        self.desk.show(Text(self.desk, f"Why job {number}", lambda scene, room: why_lines(found, trouble, room)))
        self.desk.send(
            calls.why(number), lambda told: found.append(read(Why, told)), lambda error: trouble.append(str(error))
        )

    def _open(self, tab: str) -> None:
        job = self._one()
        if job:
            self.desk.push(JobView(self.desk, job, tab))

    def _submit(self) -> None:
        what = self.desk.view.what()
        factory = what.name if isinstance(what, Factory) else ""
        self.desk.world.old |= {"factories", "volumes", "monitors"}
        self.desk.ask_for({"factories", "volumes", "monitors"})
        self.desk.show(Submit(self.desk, self._submitted, factory))

    def _submitted(self, body: dict[str, Any], cli: str) -> None:
        self.desk.send(calls.submit(body), self._told_submitted, self._failed, cli=cli)

    def _told_submitted(self, told: Any) -> None:
        job = read(Job, told)
        kept = told.get("durability") if isinstance(told, dict) else None
        self.desk.undo = ("submit", lambda: self._confirm_cancel(job))
        self.desk.toast(f"job {job.id} submitted, {kept or 'acknowledged'}; u cancels it")
        self.desk.jobs.reload()

    def _confirm_cancel(self, job: Job) -> None:
        send = partial(self._send, "cancel", [job])
        self._confirm(f"Cancel job {job.id}?", [job], command("cancel", [job]), send)

    def _bulk(self) -> None:
        jobs = self.targets()
        if not jobs:
            self.desk.toast("mark jobs with Space first")
            return
        entries = [self._entry(action, jobs) for action in PAST]
        entries.append(Entry("priority", self._ask_priority, "P", "set the priority"))
        entries.append(Entry("unmark", self.desk.jobs.marks.clear, "U", "forget the marks"))
        self.desk.show(Menu(self.desk, f"{_named(jobs)}", entries))

    def _entry(self, action: str, jobs: Sequence[Job]) -> Entry:
        found = self.desk.keymap.by_id[f"job.{action}"]
        able = sum(can(job, action) for job in jobs)
        reason = self.desk.denied(found) or ("" if able else f"none of them can be {PAST[action]}")
        return Entry(action, partial(self.act, action), shown(found.keys[0]), f"{able} of {len(jobs)}", reason)


def can(job: Job, action: str) -> bool:
    """Whether the life of a task allows it for any task of the job (`fa.core.lifecycle`)."""
    states = [task.state for task in job.tasks] or [job.state]
    known = {state.value for state in TaskState}
    return any(allows(TaskState(state), TaskEvent(action)) for state in states if state in known)


def command(action: str, jobs: Sequence[Job]) -> str:
    return shlex.join(["fa", "job", action, *(str(job.id) for job in jobs)])


def _named(jobs: Sequence[Job]) -> str:
    return f"job {jobs[0].id}" if len(jobs) == 1 else f"{len(jobs):,} jobs"


def cost(desk: Desk, jobs: Sequence[Job]) -> str:
    """The work that a cancel throws away, from what is done and what is left of each running attempt."""
    lost = 0.0
    for job in jobs:
        now = desk.world.progress_of(lead(job))
        if job.state == "running" and now.eta is not None and 0.0 < now.progress < 1.0:
            lost += now.eta * now.progress / (1.0 - now.progress)
    return f"{roughly(lost)} of work is thrown away." if lost else ""


def why_lines(found: Sequence[Why], trouble: Sequence[str], room: int) -> list[Line]:
    """Per node, why a job is not running there."""
    if trouble:
        return wrapped(trouble[0], room, "warn")
    if not found:
        return [line(Span("asking the array…", "dim"))]
    why = found[0]
    rows = wrapped(f"{why.state}: {why.text}", room, "warn" if why.never else "title")
    for task in why.tasks:
        rows += [line(Span("")), *wrapped(f"{task.product}  {task.state}: {task.text}", room, "title")]
        for node in task.nodes:
            style = "done" if node.why is None else "dim" if node.passes else "warn"
            rows.append(line(Span("  "), cell(node.node, 10, "title"), say(node.text, style)))
    return rows
