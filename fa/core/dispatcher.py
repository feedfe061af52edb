"""The coordinator's side of the work: who gets what, and what follows from what the store has carried out.

It decides on acknowledged state only: every change of the store is a `Commit`, and what follows from it (an order to a
node, a grant, an answer to a person) is emitted when `Carried` says that every copy of the in-sync set has it. Who is
there is `attendance`, what nodes report `reporting`, what is remembered of both `crew`."""

from __future__ import annotations

from dataclasses import dataclass

from fa.core import commands as c
from fa.core import work as w
from fa.core.asking import Asking
from fa.core.attendance import Attendance
from fa.core.crew import Crew, Effects
from fa.core.health import Verdict
from fa.core.ledger import Outcome
from fa.core.ledger_attempts import Dispatched
from fa.core.members import Member, bounded
from fa.core.model import AttemptState, Group, NodeMode, NodeRow, NodeView
from fa.core.monitor_commands import AfterDue, MonitorChanged, MonitorGone
from fa.core.monitor_desk import MonitorDesk
from fa.core.position import EMPTY
from fa.core.reporting import Reporting
from fa.core.runs import Run
from fa.core.scheduling import has_room
from fa.core.work import Key, Moment, Report, Running
from fa.errors import Unavailable

AFTER_TROUBLE = 1.0  # seconds until dispatch is tried again after the store refused it
DEFERRED_LOOK = 60.0  # seconds: deferred work is due by wall clock, and that may be set
HOUSE_FIRST, HOUSE_EVERY, HOUSE_NEXT = 60.0, 600.0, 1.0  # seconds after taking over, between rounds, between steps
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Kept:
    """How long the store remembers, in ms; idempotency keys as FACES.md section 6 says."""

    requests: int = 7 * DAY_MS
    jobs: int = 365 * DAY_MS  # after they finished
    alerts: int = 30 * DAY_MS  # after they were over
    events: int = 100_000  # lines

    def command(self, at: int) -> c.KeepHouse:
        return c.KeepHouse(at - self.requests, at - self.jobs, at - self.alerts, self.events)


class Dispatcher:
    def __init__(self, name: str, *, lost_after: float = 3.0, kept: Kept | None = None) -> None:
        self._name = name
        self._lost_after = lost_after
        self._kept = kept or Kept()
        self._leads = False
        self._begin(0, 0)

    def _begin(self, epoch: int, tag: int) -> None:
        """Know nothing yet. Tags go on: what comes late for an earlier reign is nobody's."""
        self._crew = Crew(epoch, tag)
        self._attendance = Attendance(self._crew, self._lost_after)
        self._reporting = Reporting(self._crew)
        self._asking = Asking(self._crew)
        self.monitors = MonitorDesk(self._crew)
        self._loaded = False
        self._dispatching = False
        self._due_at: float | None = None
        self._house_at: float | None = None

    # --- what others may look at ---

    @property
    def members(self) -> tuple[Member, ...]:
        return self._crew.members

    def views(self) -> tuple[NodeView, ...]:
        """The nodes as dispatch sees them now, by name."""
        return self._crew.views()

    def runs_on(self, node: str) -> tuple[Key, ...]:
        return tuple(run.key for run in self._crew.runs.on(node))

    def progress(self) -> dict[int, Running]:
        """By task, of the attempts that count."""
        return self._crew.progress()

    @property
    def deadline(self) -> float | None:
        """When to be woken (monotonic seconds)."""
        if not self._loaded:
            return None
        times = (
            self._attendance.deadline, self._due_at, self._house_at, self.monitors.deadline, self._reporting.deadline,
        )  # fmt: skip
        return min((time for time in times if time is not None), default=None)

    # --- the one door ---

    def step(self, event: w.WorkEvent, now: Moment) -> Effects:
        effects = self._handle(event, now)
        effects += self._dispatch(now)
        return effects + self._reporting.share(effects, now)

    def _handle(self, event: w.WorkEvent, now: Moment) -> Effects:
        match event:
            case w.Served(epoch):
                return self._served(epoch)
            case w.Deposed():
                self._leads = False
                self._begin(0, self._crew.tag)
                return []
            case w.Paused(paused):
                self._attendance.pause(paused, now)
                self._crew.wanted = True
                return []
            case w.Asked(request) if not self._leads:
                return [w.Answer(request, Unavailable(), EMPTY)]
            case _ if not self._leads:
                return []
            case w.Asked(request, command):
                return self._asking.asked(request, command)
            case w.GaveUp(request):
                return self._asking.gave_up(request)
            case w.ActiveLoaded() if not self._loaded:  # a question that failed is repeated
                return self._active_loaded(event, now)
            case w.Carried():
                return self._carried(event, now)
            case w.Told(sender, message) if self._loaded:
                return self._told(sender, message, now)
            case w.KnownLoaded() | w.DueLoaded() if self._loaded:
                return self.monitors.step(event, now)
            case w.Tick() if self._loaded:
                return self._tick(now)
            case _:
                return []

    def _served(self, epoch: int) -> Effects:
        """A reign begins; or goes on in a new view, with all that is on its way to the store."""
        if self._leads:
            self._crew.epoch = epoch
            return []
        paused = self._attendance.paused
        self._leads = True
        self._begin(epoch, self._crew.tag)
        self._attendance.paused = paused
        return [w.LoadActive()]

    def _active_loaded(self, event: w.ActiveLoaded, now: Moment) -> Effects:
        for row in event.nodes:
            self._crew.know(row, now)
        for active in event.active:
            task, attempt = active.task, active.attempt
            run = Run(
                task.id, attempt.number, attempt.node, attempt.boot, task.cost, active.group.slot_class, task.priority,
                None, now.mono, part=attempt.part, output=attempt.output, granted_at=now.mono,
                replace=active.replace, source=active.source, spare=active.spare, group=active.group,
            )  # fmt: skip
            self._crew.runs.add(run)
        for quarantine in event.quarantines:
            self._crew.health.quarantine(quarantine.node, quarantine.factory)
        self._loaded = True
        self._house_at = now.mono + HOUSE_FIRST
        self._attendance.begin(now)
        return self.monitors.loaded(event.monitors, now)

    # --- what was carried out, and what follows ---

    def _carried(self, done: w.Carried, now: Moment) -> Effects:
        then = self._crew.carried(done.tag)
        if then is None:
            return []
        effects: Effects = []
        if isinstance(done.result, Outcome):
            for fact in done.result.facts:
                effects += self._learn(fact, now)
            if isinstance(done.result.value, NodeRow):
                effects += self._attendance.known(done.result.value, now)
        return effects + then(done, now)

    def _learn(self, fact: c.Fact, now: Moment) -> Effects:
        crew = self._crew
        match fact:
            case c.TasksReady():
                crew.wanted = True
            case c.Assigned():
                return self._assigned(fact, now)
            case c.Granted():
                return self._granted(fact, now)
            case c.AttemptOver():
                return self._attempt_over(fact, now)
            case c.Reprioritised(task, priority):
                run = crew.runs.of_task(task)
                if run:
                    run.priority = priority
            case c.Quarantined(node, factory, on):
                crew.health.quarantine(node, factory) if on else crew.health.release(node, factory)
                crew.wanted = True
            case MonitorChanged() | MonitorGone() | AfterDue():
                return self.monitors.learn(fact, now)
            case _:
                pass
        return []

    def _assigned(self, fact: c.Assigned, now: Moment) -> Effects:
        order = fact.order
        run = Run(
            order.task, order.attempt, order.node, order.boot, order.cost, order.slot_class, order.priority,
            order, replace=fact.replace, source=order.source, group=fact.group,
        )  # fmt: skip
        self._crew.runs.add(run)
        self._attendance.look_after(run, now)
        return self._attendance.tell(run, now)

    def _granted(self, fact: c.Granted, now: Moment) -> Effects:
        run = self._crew.runs.get((fact.task, fact.attempt))
        if run is None:
            return []
        run.granted_at = run.granted_at if run.granted else now.mono  # a wish may be repeated, and is granted again
        run.part, run.output, run.spare = fact.part, fact.output, fact.spare
        self._attendance.look_after(run, now)
        return self._attendance.tell(run, now)

    def _attempt_over(self, fact: c.AttemptOver, now: Moment) -> Effects:
        key = (fact.task, fact.attempt)
        run = self._crew.runs.end(key)
        self._crew.wanted = True
        effects = self._judge(fact, run.group, now) if run and run.group else []
        if not fact.stop:
            return effects
        if run:
            self._crew.runs.await_end(run)
        return [*effects, w.Tell(fact.node, w.Stop(*key, fact.state))]

    def _judge(self, fact: c.AttemptOver, group: Group, now: Moment) -> Effects:
        health = self._crew.health
        verdicts: tuple[Verdict, ...] = ()
        if fact.state == AttemptState.SUCCEEDED:
            verdicts = health.succeeded(fact.node, group, fact.task)
        elif fact.blame or (fact.doubt and not fact.final):
            verdicts = health.failed(fact.node, group, fact.task, fact.final)
        elif fact.final:
            health.forget(group, fact.task)
        effects: Effects = []
        for verdict in verdicts:
            effects += self._crew.commit(c.SetQuarantine(verdict.node, verdict.factory, True, verdict.reason, now.wall))
        return effects

    # --- messages and time ---

    def _told(self, sender: str, message: w.WorkMessage, now: Moment) -> Effects:
        member = self._crew.member(sender)
        match message:
            case _ if member is None:
                return []
            case w.WorkBeat(node) if node == sender:
                return self._attendance.beat(member, message, now)
            case w.Offer(_, view) if view.name == sender:
                return self._attendance.offered(member, bounded(message), now)
            case Report(node) if node == sender:
                return self._reporting.reported(message, now)
            case w.WatchBeat() | w.WantKnown() | w.Sightings() | w.AfterDone():
                return self.monitors.told(member, message, now)
            case _:
                return []

    def _tick(self, now: Moment) -> Effects:
        effects = self._attendance.tick(now) + self.monitors.tick(now)
        if self._due_at is not None and now.mono >= self._due_at:
            self._due_at, self._crew.wanted = None, True
        if self._house_at is not None and now.mono >= self._house_at:
            self._house_at = None
            effects += self._crew.commit(self._kept.command(now.wall), self._house_kept)
        return effects

    def _house_kept(self, done: w.Carried, now: Moment) -> Effects:
        more = isinstance(done.result, Outcome) and done.result.value
        self._house_at = now.mono + (HOUSE_NEXT if more else HOUSE_EVERY)
        return []

    # --- dispatch ---

    def _dispatch(self, now: Moment) -> Effects:
        if not self._loaded or not self._crew.wanted or self._dispatching or self._attendance.paused:
            return []
        self._crew.wanted = False
        views = tuple(view for view in self.views() if view.up and view.mode is NodeMode.UP)
        if not any(map(has_room, views)):
            return []  # what opens a slot says so
        self._dispatching = True
        return self._crew.commit(c.Dispatch(self._crew.epoch, views, now.wall), self._dispatched)

    def _dispatched(self, done: w.Carried, now: Moment) -> Effects:
        self._dispatching = False
        if isinstance(done.result, Outcome):
            dispatched: Dispatched = done.result.value
            self._crew.wanted = self._crew.wanted or dispatched.more
            self._learn_due(dispatched.next_due, now)
        else:
            self._due_at = now.mono + AFTER_TROUBLE
        return []

    def _learn_due(self, next_due: int | None, now: Moment) -> None:
        wait = None if next_due is None else min(DEFERRED_LOOK, max(0.0, (next_due - now.wall) / 1000))
        self._due_at = None if wait is None else now.mono + wait
