"""What a person does to jobs: the marked ones, or the one under the cursor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from fa.client import calls
from fa.core.lifecycle import TaskEvent, TaskState, allows
from fa.tui.boxes.confirm import Confirm
from fa.tui.boxes.menu import Entry, Menu
from fa.tui.boxes.prompt import Prompt
from fa.tui.boxes.submit import Submit, wrong_priority
from fa.tui.boxes.text import Text
from fa.tui.bulk import PAST, Deed, Sender, acting, prioritising
from fa.tui.keys import shown
from fa.tui.line import Line, Span, cell, line, say, wrapped
from fa.tui.marks import Chosen
from fa.tui.times import roughly
from fa.tui.values import Factory, Job, Result, Why, read
from fa.tui.views.job import JobView
from fa.tui.views.job_cells import lead, one_line

if TYPE_CHECKING:
    from fa.tui.desk import Desk

BACK = {"cancel": "retry", "hold": "release", "release": "hold"}  # what takes it back
ASKS = ("cancel",)  # even for one job: work is thrown away


class JobActs:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.sender = Sender(desk)

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
        if self.desk.view.name == "jobs" and self.desk.jobs.marks.jobs:
            return self.desk.jobs.marks.newest(self.desk.jobs.window.rows)
        what = self.desk.view.what()
        return [what] if isinstance(what, Job) else []

    @property
    def chosen(self) -> Chosen | None:
        """The set that is marked, where one is."""
        return self.desk.jobs.marks.chosen if self.desk.view.name == "jobs" else None

    def _one(self) -> Job | None:
        what = self.desk.view.what()
        if isinstance(what, Job):
            return what
        self.desk.toast("there is no job under the cursor")
        return None

    # cancel, retry, hold, release

    def act(self, action: str) -> None:
        if self.chosen:
            self._ask_of_chosen(acting(action), self.chosen)
            return
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
        question = f"{action.capitalize()} {_jobs(len(able))}{left}?"
        cli = acting(action).command(able)
        self._confirm(question, able, cli, send, cost(self.desk, able) if action == "cancel" else "")

    def _confirm(self, question: str, jobs: Sequence[Job], cli: str, yes: Callable[[], None], cost: str = "") -> None:
        states = Counter(job.state for job in jobs)
        summary = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        self.desk.show(Confirm(self.desk, question, [one_line(job) for job in jobs], cli, yes, cost, summary))

    def _send(self, action: str, jobs: Sequence[Job]) -> None:
        self.sender.send(acting(action), jobs, partial(self._acted, action, jobs))

    def _acted(self, action: str, jobs: Sequence[Job], bad: Sequence[Result]) -> None:
        done = self._done(jobs, bad)
        self._told(f"{_named(done)} {PAST[action]}{_refused(bad)}", BACK.get(action), done)

    def _done(self, jobs: Sequence[Job], bad: Sequence[Result]) -> list[Job]:
        """Those that were not refused. What is shown of all of them is old."""
        for job in jobs:
            self.desk.heard_job(job.id)
        refused = {result.id for result in bad}
        return [job for job in jobs if job.id not in refused]

    def _told(self, text: str, back: str | None, jobs: Sequence[Job]) -> None:
        """Say what happened, and how to take it back."""
        if back and jobs:
            self.desk.undo = (text, partial(self._send, back, list(jobs)))
            key = shown(self.desk.keymap.by_id["undo"].keys[0])
            text += f"; {key} takes it back ({back})"
        self.desk.toast(text)
        self.desk.jobs.marks.clear()

    # all that matched

    def _ask_of_chosen(self, deed: Deed, chosen: Chosen) -> None:
        """The set is the array's: it is shown by number, states and the first of it."""
        states = {name: count for name, count in msgspec.structs.asdict(chosen.kept.states).items() if count}
        summary = ", ".join(f"{count:,} {name}" for name, count in states.items())
        left = f", {len(chosen.without):,} of them taken out" if chosen.without else ""
        running = states.get("running", 0) if deed.name == "cancel" else 0
        question = f"{deed.ask.format(_jobs(chosen.count))}? All that matched: {summary}{left}."
        shown = [one_line(job) for job in chosen.kept.sample if job.id not in chosen.without]
        warning = f"What {running:,} of them have done so far is thrown away." if running else ""
        send = partial(self.sender.send_chosen, deed, chosen, partial(self._acted_on_chosen, deed, chosen))
        cli = deed.command_of(chosen)
        self.desk.show(Confirm(self.desk, question, shown, cli, send, warning, count=chosen.count))

    def _acted_on_chosen(self, deed: Deed, chosen: Chosen, bad: Sequence[Result]) -> None:
        """Which of them changed by it is not known here, so that it is not offered to take it back."""
        self.desk.undo = None
        self.desk.toast(f"{_jobs(chosen.count - len(bad))} {deed.past}{_refused(bad)}")
        self.desk.jobs.marks.clear()

    # priority

    def _nudge(self, step: int) -> None:
        jobs = list(self.chosen.kept.sample) if self.chosen else self.targets()
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
        what = _jobs(self.chosen.count) if self.chosen else _named(jobs)
        label = f"Priority of {what}: 0 to 100, low, normal, high, urgent"
        self.desk.show(Prompt(self.desk, "Priority", label, wrong_priority, partial(self._prioritise, jobs)))

    def _prioritise(self, jobs: Sequence[Job], value: int | str) -> None:
        deed = prioritising(int(value) if str(value).isdigit() else value)
        if self.chosen:
            self._ask_of_chosen(deed, self.chosen)
            return
        send = partial(self.sender.send, deed, jobs, partial(self._prioritised, deed, list(jobs)))
        if len(jobs) == 1:
            send()
        else:
            self._confirm(f"{deed.ask.format(_jobs(len(jobs)))}?", jobs, deed.command(jobs), send)

    def _prioritised(self, deed: Deed, jobs: list[Job], bad: Sequence[Result]) -> None:
        text = ""
        if done := self._done(jobs, bad):
            self.desk.undo = ("priority", partial(self._give_back, _by_priority(done)))
            text = f"; {shown(self.desk.keymap.by_id['undo'].keys[0])} takes it back"
        self.desk.toast(f"{_named(done)} {deed.past}{_refused(bad)}{text}")

    def _give_back(self, before: list[tuple[int, list[Job]]]) -> None:
        """The priorities that they had, one request for each."""
        (value, jobs), *rest = before
        then = partial(self._given_back, prioritising(value), jobs, rest)
        self.sender.send(prioritising(value), jobs, then)

    def _given_back(
        self, deed: Deed, jobs: list[Job], rest: list[tuple[int, list[Job]]], bad: Sequence[Result]
    ) -> None:
        self.desk.toast(f"{_named(self._done(jobs, bad))} {deed.past}{_refused(bad)}")
        if rest:
            self._give_back(rest)

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
        self.desk.send(calls.submit(body), self._told_submitted, partial(self.sender.stopped, 0), cli=cli)

    def _told_submitted(self, told: Any) -> None:
        job = read(Job, told)
        kept = told.get("durability") if isinstance(told, dict) else None
        self.desk.undo = ("submit", lambda: self._confirm_cancel(job))
        self.desk.toast(f"job {job.id} submitted, {kept or 'acknowledged'}; u cancels it")
        self.desk.jobs.reload()

    def _confirm_cancel(self, job: Job) -> None:
        send = partial(self._send, "cancel", [job])
        self._confirm(f"Cancel job {job.id}?", [job], acting("cancel").command([job]), send)

    def _bulk(self) -> None:
        jobs, chosen = self.targets(), self.chosen
        if not jobs:
            self.desk.toast("mark jobs with Space first")
            return
        entries = [self._entry(action, [] if chosen else jobs) for action in PAST]
        entries.append(Entry("priority", self._ask_priority, "P", "set the priority"))
        entries.append(Entry("unmark", self.desk.jobs.marks.clear, "U", "forget the marks"))
        self.desk.show(Menu(self.desk, _jobs(chosen.count) if chosen else _named(jobs), entries))

    def _entry(self, action: str, jobs: Sequence[Job]) -> Entry:
        """Of a set (no jobs here) only the array knows what can be done to it."""
        found = self.desk.keymap.by_id[f"job.{action}"]
        able = sum(can(job, action) for job in jobs)
        reason = self.desk.denied(found) or (f"none of them can be {PAST[action]}" if jobs and not able else "")
        told = f"{able} of {len(jobs)}" if jobs else found.help
        return Entry(action, partial(self.act, action), shown(found.keys[0]), told, reason)


def can(job: Job, action: str) -> bool:
    """Whether the life of a task allows it for any task of the job (`fa.core.lifecycle`)."""
    states = [task.state for task in job.tasks] or [job.state]
    known = {state.value for state in TaskState}
    return any(allows(TaskState(state), TaskEvent(action)) for state in states if state in known)


def _named(jobs: Sequence[Job]) -> str:
    return f"job {jobs[0].id}" if len(jobs) == 1 else _jobs(len(jobs))


def _jobs(count: int) -> str:
    return f"{count:,} job{'' if count == 1 else 's'}"


def _refused(bad: Sequence[Result]) -> str:
    return f"; {len(bad):,} not: {bad[0].detail or bad[0].code}" if bad else ""


def _by_priority(jobs: Sequence[Job]) -> list[tuple[int, list[Job]]]:
    found: dict[int, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.priority, []).append(job)
    return sorted(found.items())


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
