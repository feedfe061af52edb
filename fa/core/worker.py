"""A node's side of attempts: what it was ordered to run, what it has to report.

::

    Order            Encoded                     Grant             PublishEnded          Heard
    -----> running ----------> wants-publish ----------> publishing ------------> over --------> forgotten
              |                     |                                              ^
              +--- AttemptFailed ---+--- Stop, AttemptStopped ---------------------+

Encodes go on while there is no coordinator; reports wait, on disk, and are repeated until somebody who leads has
carried them out. A node that reaches no coordinator for `orphan_after` kills its encodes: by then others have them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from fa.core import work as w
from fa.core.commands import Order
from fa.core.model import Cause
from fa.core.scheduling import holders, slots_of
from fa.core.work import Key, Moment, Report, ReportKind, Running

RELEASE_AFTER = 0.01  # seconds after the end of an encoder until a beat says so, if its wish to publish did not
REPEAT_AFTER = 2.0  # seconds until a report or a failed rename is tried again
DURABLE = frozenset({ReportKind.WANTS_PUBLISH, ReportKind.FAILED, ReportKind.UNSETTLED})
KNOWN_MAX = 10_000  # finished attempts remembered, so that a late order does not start one again


class Worker:
    def __init__(self, name: str, boot: int, *, heartbeat: float = 0.5, orphan_after: float = 60.0) -> None:
        self._name = name
        self._boot = boot
        self._heartbeat = heartbeat
        self._orphan_after = orphan_after
        self._coordinator: str | None = None
        self._epoch = 0
        self._beats = 0
        self._heard_at: float | None = None
        self._beat_at: float | None = None
        self._release_at: float | None = None
        self._offer: w.Offer | None = None
        self._offer_seen = -1  # the last one that the coordinator says it knows
        self._leaves = False
        self._running: dict[Key, Running] = {}
        self._stopping: set[Key] = set()
        self._reports: dict[Key, Report] = {}
        self._repeat_at: dict[Key, float] = {}
        self._publishing: dict[Key, tuple[w.Publish, float | None]] = {}  # with the time of the next try, if one failed
        self._over: OrderedDict[Key, None] = OrderedDict()

    @property
    def running(self) -> tuple[Running, ...]:
        return tuple(self._running.values())

    @property
    def coordinator(self) -> str | None:
        """To whom this node reports now."""
        return self._coordinator

    @property
    def parts(self) -> frozenset[str]:
        """Parts that may still be published from here."""
        reported = {report.part for report in self._reports.values()}
        return frozenset(reported | {publish.part for publish, _ in self._publishing.values()})

    @property
    def deadline(self) -> float | None:
        """When to be woken (monotonic seconds)."""
        if self._beat_at is None or self._release_at is None:
            return self._beat_at
        return min(self._beat_at, self._release_at)

    def step(self, event: w.WorkEvent, now: Moment) -> list[w.WorkEffect]:
        match event:
            case w.Told(_, message):
                return self._told(message, now)
            case w.Progressed(running):
                return self._progressed(running, now)
            case w.Encoded():
                return self._encoded(event, now)
            case w.AttemptFailed():
                return self._failed(event, now)
            case w.AttemptStopped(task, attempt):
                return self._ended(Report(self._name, task, attempt, ReportKind.STOPPED), now)
            case w.PublishEnded():
                return self._published(event, now)
            case w.Recovered(reports):
                return self._recovered(reports)
            case w.Leaving():
                return self._leave()
            case w.OfferChanged(view, address, version, volumes):
                number = self._offer.number + 1 if self._offer else 1
                slots = () if self._leaves else view.slots
                self._offer = w.Offer(number, replace(view, boot=self._boot, slots=slots), address, version, volumes)
                return self._tell(self._offer)
            case w.CoordinatorIs(node, epoch):
                return self._coordinator_is(node, epoch, now)
            case w.Tick():
                return self._tick(now)
            case _:
                return []

    # --- messages from the coordinator ---

    def _told(self, message: w.WorkMessage, now: Moment) -> list[w.WorkEffect]:
        match message:
            case Order():
                return self._ordered(message)
            case w.Stop(task, attempt, _):
                return self._stop((task, attempt), now)
            case w.Grant():
                return self._granted(message)
            case w.Heard(task, attempt, kind):
                return self._forget((task, attempt), kind)
            case w.Seen(epoch, offer):
                return self._seen(epoch, offer, now)
            case _:
                return []

    def _ordered(self, order: Order) -> list[w.WorkEffect]:
        key = (order.task, order.attempt)
        known = key in self._running or key in self._over or key in self._reports
        if known or order.epoch < self._epoch or order.boot != self._boot or not self._has_room(order):
            return []
        self._running[key] = Running(*key, "uploading", cost=order.cost, slot_class=order.slot_class)
        return [w.StartAttempt(order)]

    def _has_room(self, order: Order) -> bool:
        """What this node said it has is never exceeded, whatever came late: the order is told again until it fits."""
        if self._offer is None:
            return False
        held = holders(self._running.values(), self._offer.view.slots)
        taken = sum(slots for running, slots in held if running.slot_class == order.slot_class)
        return taken + order.cost <= slots_of(self._offer.view, order.slot_class)

    def _stop(self, key: Key, now: Moment) -> list[w.WorkEffect]:
        waiting = self._reports.get(key)
        if waiting and waiting.kind is ReportKind.WANTS_PUBLISH:
            return [w.Discard(waiting.part), *self._end(Report(self._name, *key, ReportKind.STOPPED), now)]
        if key in self._running and key not in self._publishing:
            self._stopping.add(key)
            return [w.StopAttempt(*key)]
        if key in self._publishing or key in self._reports:
            return []  # what it comes to is told anyway
        return self._tell(Report(self._name, *key, ReportKind.STOPPED))

    def _granted(self, grant: w.Grant) -> list[w.WorkEffect]:
        key = (grant.task, grant.attempt)
        report = self._reports.get(key)
        over = key in self._over or (report and report.kind is not ReportKind.WANTS_PUBLISH)
        if key in self._publishing or over:
            return []
        publish = w.Publish(*key, grant.part, grant.output, grant.replace, grant.source, grant.spare)
        self._publishing[key] = (publish, None)
        if report:
            self._reports.pop(key)
            return [w.DropReport(*key), publish]
        return [publish]

    def _forget(self, key: Key, kind: ReportKind) -> list[w.WorkEffect]:
        report = self._reports.get(key)
        if report is None or report.kind is not kind:
            return []
        del self._reports[key]
        return [w.DropReport(*key)]

    def _seen(self, epoch: int, offer: int, now: Moment) -> list[w.WorkEffect]:
        if epoch < self._epoch:
            return []
        self._heard_at, self._offer_seen = now.mono, offer
        if self._offer and offer != self._offer.number:
            return self._tell(self._offer)
        return []

    # --- what became of attempts ---

    def _progressed(self, running: Running, now: Moment) -> list[w.WorkEffect]:
        known = self._running.get(running.key)
        if known is None or known.delivering:  # once it is encoded, late news of that is none
            return []
        self._running[running.key] = replace(running, cost=known.cost, slot_class=known.slot_class)
        if running.delivering and self._release_at is None:
            self._release_at = now.mono + RELEASE_AFTER  # its slots are open
        return []

    def _encoded(self, event: w.Encoded, now: Moment) -> list[w.WorkEffect]:
        key = (event.task, event.attempt)
        if key not in self._running or key in self._stopping:  # it was ready at the moment it was to stop
            return [w.Discard(event.part), *self._ended(Report(self._name, *key, ReportKind.STOPPED), now)]
        self._running[key] = replace(self._running[key], phase="delivering", progress=1.0, eta=None)
        wish = Report(self._name, *key, ReportKind.WANTS_PUBLISH, part=event.part, output=event.output)
        effects = self._report(wish, now)
        if not any(each.delivering and each.key not in self._reports for each in self._running.values()):
            self._release_at = None  # the wish says the same, and both are carried out in one commit
        return effects

    def _failed(self, event: w.AttemptFailed, now: Moment) -> list[w.WorkEffect]:
        key = (event.task, event.attempt)
        kind = ReportKind.STOPPED if key in self._stopping else ReportKind.FAILED
        report = Report(self._name, *key, kind, "", None, event.error, event.permanent, event.blame, event.cause)
        return self._ended(report, now)

    def _ended(self, report: Report, now: Moment) -> list[w.WorkEffect]:
        """An encode came to its end; one that was over already has said so."""
        return self._end(report, now) if report.key in self._running else []

    def _published(self, event: w.PublishEnded, now: Moment) -> list[w.WorkEffect]:
        key = (event.task, event.attempt)
        if key not in self._publishing:
            return []
        if event.result is w.PublishResult.TROUBLE:
            self._publishing[key] = (self._publishing[key][0], now.mono + REPEAT_AFTER)
            return []
        del self._publishing[key]
        if event.result is w.PublishResult.PUBLISHED:
            return self._end(Report(self._name, *key, ReportKind.PUBLISHED), now)
        permanent = event.result is w.PublishResult.EXISTS
        cause = Cause.VIEW if event.result is w.PublishResult.REFUSED else Cause.OTHER
        report = Report(self._name, *key, ReportKind.UNSETTLED, "", None, event.error, permanent, False, cause)
        return self._end(report, now)

    def _end(self, report: Report, now: Moment) -> list[w.WorkEffect]:
        self._running.pop(report.key, None)
        self._stopping.discard(report.key)
        self._over[report.key] = None
        while len(self._over) > KNOWN_MAX:
            self._over.popitem(last=False)
        return self._report(report, now)

    def _report(self, report: Report, now: Moment) -> list[w.WorkEffect]:
        """What only this node knows is durable first, then told. What can be seen at the destination need not be."""
        self._reports[report.key] = report
        self._repeat_at[report.key] = now.mono + REPEAT_AFTER
        kept = [w.KeepReport(report)] if report.kind in DURABLE else []
        return [*kept, *self._tell(report)]

    def _recovered(self, reports: tuple[Report, ...]) -> list[w.WorkEffect]:
        for report in reports:
            self._reports[report.key] = report
        return []

    # --- time and leadership ---

    def _coordinator_is(self, node: str | None, epoch: int, now: Moment) -> list[w.WorkEffect]:
        changed = (node, epoch) != (self._coordinator, self._epoch)
        self._coordinator, self._epoch = node, max(epoch, self._epoch)
        if self._heard_at is None or node is not None:
            self._heard_at = now.mono
        if node is None or not changed:
            return []
        self._repeat_at.clear()
        self._beat_at, self._offer_seen = None, -1
        return self._tick(now)

    def _tick(self, now: Moment) -> list[w.WorkEffect]:
        effects: list[w.WorkEffect] = []
        due = self.deadline
        if due is None or now.mono >= due:
            self._beat_at, self._release_at = now.mono + self._heartbeat, None
            effects += self._tell(self._beat())
        effects += self._repeat(now)
        if self._heard_at is not None and now.mono >= self._heard_at + self._orphan_after:
            effects += self._give_up()
        return effects

    def _beat(self) -> w.WorkBeat:
        offer = self._offer.number if self._offer else 0
        running, reporting = tuple(self._running.values()), tuple(self._reports)
        self._beats += 1
        return w.WorkBeat(self._name, self._boot, self._beats, self._epoch, offer, running, reporting)

    def _repeat(self, now: Moment) -> list[w.WorkEffect]:
        effects: list[w.WorkEffect] = []
        for key, report in self._reports.items():
            if now.mono >= self._repeat_at.get(key, 0.0):
                self._repeat_at[key] = now.mono + REPEAT_AFTER
                effects += self._tell(report)
        for key, (publish, again) in self._publishing.items():
            if again is not None and now.mono >= again:
                self._publishing[key] = (publish, None)
                effects.append(publish)
        return effects

    def _leave(self) -> list[w.WorkEffect]:
        """First without slots, so that nothing is given here again; then without work. The beat asks for an answer."""
        effects: list[w.WorkEffect] = []
        self._leaves = True
        if self._offer:
            offer = self._offer
            self._offer = replace(offer, number=offer.number + 1, view=replace(offer.view, slots=()))
            effects += self._tell(self._offer) + self._tell(self._beat())
        return [*effects, *self._give_up()]

    @property
    def has_left(self) -> bool:
        """It was told to leave, nothing runs, and the coordinator, if there is one, knows all of it: what became of the
        work, and that nothing more may be given here."""
        known = self._offer is None or self._coordinator is None or self._offer_seen == self._offer.number
        return self._leaves and known and not (self._running or self._reports or self._publishing)

    def _give_up(self) -> list[w.WorkEffect]:
        keys = [
            key for key in self._running if key not in self._stopping | self._publishing.keys() | self._reports.keys()
        ]
        self._stopping.update(keys)
        return [w.StopAttempt(*key) for key in keys]

    def _tell(self, message: w.WorkMessage) -> list[w.WorkEffect]:
        return [w.Tell(self._coordinator, message)] if self._coordinator else []
