"""The coordinator's side of monitors: who watches what, what settled, and what is done about it afterwards.

Owners are committed, so that a new coordinator knows them; that two nodes watch the same folder for a while harms
nothing, as an identity is taken once. Therefore a new coordinator does not wait long for the owners of the last one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fa.core import commands as c
from fa.core import monitor_commands as mc
from fa.core import watch_messages as m
from fa.core import work as w
from fa.core.after_desk import AfterDesk
from fa.core.arrivals import MonitorRow
from fa.core.crew import Crew, Effects
from fa.core.members import Member
from fa.core.model import NodeMode
from fa.core.monitor import Monitor, read_monitor
from fa.core.monitor_places import Fitness, Seat, Wish, place
from fa.core.sighting_desk import SightingDesk
from fa.core.work import Moment

LOOK = 0.25  # seconds between two looks at who watches what
OWNERS_WAIT = 1.0  # seconds after taking over in which owners are waited for
REPEAT_AFTER = 1.0  # seconds until a node that watches something else is told again
ALARM_AFTER = 5.0  # seconds that a monitor is in trouble before somebody is told
NOBODY = "no node of the array can read its folder's volume now"
ALARMS = ("monitor.disconnected", "monitor.error")


@dataclass(slots=True)
class _Watched:
    """`status` as its owner told it last; None before that. `ill_at`: since when it is in trouble. `owned_at`: since
    when it has its owner."""

    row: MonitorRow
    monitor: Monitor | None
    status: m.WatchStatus | None = None
    assigning: bool = False
    ill_at: float | None = None
    owned_at: float = float("-inf")
    fitness: Fitness = field(default_factory=Fitness)
    alarm: str | None = None  # the kind of the open alert, "" = none, None = not known


class MonitorDesk:
    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._watched: dict[int, _Watched] = {}
        self._told_at: dict[str, float] = {}
        self._beats: dict[str, frozenset[tuple[int, int]]] = {}  # (monitor, version) that each node said it watches
        self._look_at: float | None = None
        self._since = 0.0
        self._sightings = SightingDesk(crew)
        self._after = AfterDesk(crew, self._owner_of)

    @property
    def deadline(self) -> float | None:
        return self._look_at if self._watched or self._after.waits else None

    def statuses(self) -> Mapping[str, m.WatchStatus]:
        """What owners said last, by name of the monitor."""
        return {watched.row.name: watched.status for watched in self._watched.values() if watched.status}

    def _owner_of(self, monitor: int) -> str | None:
        """None for a monitor that was removed."""
        watched = self._watched.get(monitor)
        return None if watched is None else watched.row.owner if watched.row.enabled else ""

    # --- what happens ---

    def loaded(self, rows: tuple[MonitorRow, ...], now: Moment) -> Effects:
        for row in rows:
            self._put(row)
        self._since = self._look_at = now.mono
        return self._after.begin() if rows else []

    def step(self, event: w.WatchEvent, now: Moment) -> Effects:
        match event:
            case w.KnownLoaded(node, page):
                return [w.Tell(node, page)]
            case w.DueLoaded():
                return self._after.loaded(event, now)
            case _:
                return []

    def learn(self, fact: mc.MonitorFact, now: Moment) -> Effects:
        """A change that every copy has."""
        match fact:
            case mc.MonitorChanged(row):
                return self._changed(row, now)
            case mc.MonitorGone(monitor):
                gone = self._watched.pop(monitor, None)
                calm = self._alarm(gone, "", "", now) if gone else []
                return [*calm, *(self._tell(gone.row.owner, now) if gone else [])]
            case mc.AfterDue(arrival):
                return self._after.due(arrival)

    def _put(self, row: MonitorRow) -> _Watched:
        known = self._watched.get(row.id)
        if known is None:
            known = self._watched[row.id] = _Watched(row, read_monitor(row.text))
        elif known.row.text != row.text:
            known.monitor, known.fitness = read_monitor(row.text), Fitness()
        known.row = row
        return known

    def _changed(self, row: MonitorRow, now: Moment) -> Effects:
        before = self._watched[row.id].row if row.id in self._watched else None
        watched = self._put(row)
        if self._look_at is None:
            self._look_at = now.mono
        if before and (before.owner, before.version) == (row.owner, row.version):
            return []
        if before and before.owner != row.owner:
            watched.owned_at = now.mono
        if before is None or before.owner != row.owner or not row.enabled:
            watched.status = nobody(row) if before and row.enabled and not row.owner else None
        calm = [] if row.enabled else self._alarm(watched, "", "", now)
        if before and before.text != row.text:
            calm += self._after.changed(row.id, row.name, now)
        nodes = sorted({node for node in (before.owner if before else "", row.owner) if node})
        return calm + [effect for node in nodes for effect in self._tell(node, now)]

    def told(self, member: Member, message: m.WatchMessage, now: Moment) -> Effects:
        match message:
            case m.WatchBeat(node) if node == member.name:
                return self._beat(message, now)
            case m.WantKnown(node, monitor, after) if node == member.name:
                return [w.LoadKnown(node, monitor, after)]
            case m.Sightings(node) if node == member.name:
                return self._sightings.seen(message, now)
            case m.AfterDone(node) if node == member.name:
                return self._after.done(message, self._name_of, now)
            case _:
                return []

    def _name_of(self, monitor: int) -> str:
        watched = self._watched.get(monitor)
        return watched.row.name if watched else ""

    # --- who watches ---

    def tick(self, now: Moment) -> Effects:
        if self._look_at is None or now.mono < self._look_at:
            return []
        self._look_at = now.mono + LOOK
        effects = self._assign(now) + self._after.tick(now)
        for node in sorted({watched.row.owner for watched in self._watched.values()} | self._beats.keys() - {""}):
            if node and self._beats.get(node, frozenset()) != self._wanted(node):
                effects += self._tell_again(node, now)
        return effects + self._watch_over(now)

    def _assign(self, now: Moment) -> Effects:
        wishes = [
            _wish(watched.row, watched.monitor, watched.fitness.unfit(now.mono))
            for watched in self._watched.values()
            if watched.row.enabled and watched.monitor and not watched.assigning
        ]
        if any(self._is_awaited(wish.owner, now) for wish in wishes):
            return []
        effects: Effects = []
        for monitor, owner in place(wishes, self._seats()).items():
            watched = self._watched[monitor]
            if not owner:
                watched.status = nobody(watched.row)
            if owner != watched.row.owner:
                effects += self._commit_owner(watched, owner, now)
        return effects

    def _is_awaited(self, owner: str, now: Moment) -> bool:
        """The owner that the last coordinator chose has not spoken to this one yet."""
        member = self._crew.member(owner)
        return member is not None and not member.known and now.mono < self._since + OWNERS_WAIT

    def _seats(self) -> dict[str, Seat]:
        return {
            member.name: Seat(member.offer.view.offers, new=member.mode is NodeMode.UP)
            for member in self._crew.members
            if member.offer and member.known and not member.lost and member.mode is not NodeMode.DRAINING
        }

    def _commit_owner(self, watched: _Watched, owner: str, now: Moment) -> Effects:
        watched.assigning = True

        def done(_: w.Carried, at: Moment) -> Effects:
            watched.assigning = False
            return []

        reason = self._reason(watched, now)
        return self._crew.commit(mc.AssignMonitor(watched.row.id, owner, reason, now.wall), done)

    def _reason(self, watched: _Watched, now: Moment) -> str:
        before = watched.row.owner
        member = self._crew.member(before)
        if not before:
            return "it had no owner"
        if member is None or member.lost or not member.known:
            return f"{before} is lost"
        if member.mode is NodeMode.DRAINING:
            return f"{before} is draining"
        if before in watched.fitness.unfit(now.mono):
            return f"{before} cannot look at its folder"
        return f"{before} has more to watch, or has not its volume now"

    # --- telling nodes ---

    def _orders(self, node: str) -> tuple[m.WatchOrder, ...]:
        rows = [watched.row for watched in self._watched.values() if watched.row.owner == node and watched.row.enabled]
        return tuple(m.WatchOrder(row.id, row.version, row.text) for row in rows)

    def _wanted(self, node: str) -> frozenset[tuple[int, int]]:
        return frozenset((order.monitor, order.version) for order in self._orders(node))

    def _tell(self, node: str, now: Moment) -> Effects:
        self._told_at[node] = now.mono
        return [w.Tell(node, m.Watches(self._crew.epoch, self._orders(node)))] if node else []

    def _tell_again(self, node: str, now: Moment) -> Effects:
        member = self._crew.member(node)
        if member is None or member.lost or now.mono < self._told_at.get(node, float("-inf")) + REPEAT_AFTER:
            return []
        return self._tell(node, now)

    def _beat(self, beat: m.WatchBeat, now: Moment) -> Effects:
        self._beats[beat.node] = frozenset((status.monitor, status.version) for status in beat.watches)
        for status in beat.watches:
            watched = self._watched.get(status.monitor)
            if watched and watched.row.owner == beat.node and watched.row.version == status.version:
                watched.status = status
        return [] if self._beats[beat.node] == self._wanted(beat.node) else self._tell_again(beat.node, now)

    # --- trouble ---

    def _watch_over(self, now: Moment) -> Effects:
        effects: Effects = []
        for watched in self._watched.values():
            if watched.row.enabled:
                _note_fitness(watched, now)
                effects += self._judge(watched, now)
        return effects

    def _judge(self, watched: _Watched, now: Moment) -> Effects:
        state, why = trouble_of(watched.status)
        if state == "watching":
            if now.mono < watched.owned_at + ALARM_AFTER:
                return []  # its new owner may not have looked yet
            watched.ill_at = None
            return self._alarm(watched, "", "", now)
        if watched.ill_at is None:
            watched.ill_at = now.mono
        if now.mono < watched.ill_at + ALARM_AFTER:
            return []
        return self._alarm(watched, f"monitor.{state}", why, now)

    def _alarm(self, watched: _Watched, kind: str, why: str, now: Moment) -> Effects:
        """Let this alert, and no other of these kinds, be open. What the last coordinator raised is not known."""
        if watched.alarm == kind:
            return []
        over = ALARMS if watched.alarm is None else (watched.alarm,)
        watched.alarm, subject = kind, f"monitor/{watched.row.name}"
        effects: Effects = []
        for old in over:
            if old and old != kind:
                effects += self._crew.commit(c.ClearAlert(old, subject, now.wall))
        return effects + (self._crew.commit(c.RaiseAlert(kind, subject, why, now.wall)) if kind else [])


def nobody(row: MonitorRow) -> m.WatchStatus:
    """What is shown of a monitor that no node can watch."""
    return m.WatchStatus(row.id, row.version, "disconnected", NOBODY)


def trouble_of(status: m.WatchStatus | None) -> tuple[str, str]:
    """(state, why) of an enabled monitor as it is shown: watching, disconnected, error."""
    return (status.state, status.why) if status else ("watching", "")


def _note_fitness(watched: _Watched, now: Moment) -> None:
    status = watched.status
    if watched.row.owner and status:
        away = status.state == "disconnected"
        watched.fitness.note(watched.row.owner, away=away, scan_seconds=status.scan_ms / 1000, now=now.mono)


def _wish(row: MonitorRow, monitor: Monitor, unfit: frozenset[str]) -> Wish:
    volume = monitor.folder.volume
    need = f"volume:{volume}" if monitor.writes else f"source:{volume}"
    return Wish(row.id, frozenset({need}), monitor.node, row.owner, unfit)
