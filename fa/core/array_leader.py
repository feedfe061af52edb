"""What the coordinator of a chosen view does: beats, listens, acknowledges, and looks whether it still reaches a
majority.

See ``mirror`` for what may be acknowledged, ``array_supply`` for shipping, ``array_changes`` for the next view.
"""

from __future__ import annotations

from fa.core.array_barriers import Barriers
from fa.core.array_changes import REPLACED, Changes
from fa.core.array_effects import Acknowledge, Alarm, DropVip, Serve, Stale, TakeVip
from fa.core.array_messages import Beat, BeatOk, Query, Stored, Unable
from fa.core.array_proposal import Wish
from fa.core.array_roles import Role, Step
from fa.core.array_state import State
from fa.core.array_supply import Supply
from fa.core.election import FOREVER
from fa.core.mirror import Copy, Mirror
from fa.core.position import Position
from fa.core.view import Member, View, everyone, has_quorum, on_volume

FULL = "its disk is full"
GONE = "its process is gone"
NOTE_EVERY = 60.0
"""Seconds between two records on a volume about what is acknowledged; each is a file there."""
PROBE = 0
"""The round of a ``Query`` that only asks a volume whether it is there."""


class Leader:
    """Lives from the first chosen view of a coordinator until it steps down."""

    __slots__ = (
        "_asked_at", "_beat_at", "_look", "_note_at", "_probe_at", "barriers", "changes", "heard", "mirror", "number",
        "short", "stale", "stalled", "supply",
    )  # fmt: skip

    def __init__(self, view: View, state: State) -> None:
        self.mirror = Mirror(view, state.chain)
        self.supply = Supply(self.mirror)
        self.changes = Changes(state.now)
        self.barriers = Barriers()
        self.heard: dict[Member, float] = {}
        """When each voter last gave a sign of life."""
        self.stale = False
        self.stalled = False
        self.short = False
        """Is nothing acknowledged because fewer than ``min_insync`` copies would be left?"""
        self.number = 0
        """Of the newest heartbeat."""
        self._look = True
        self._asked_at = state.now
        self._beat_at = FOREVER
        self._probe_at = self._note_at = state.now

    @property
    def view(self) -> View:
        return self.mirror.view

    # ---- a view was chosen, or is over

    def begin(self, state: State, view: View) -> None:
        """Nobody's word of an older epoch counts in the new view."""
        self.changes.begin(state, self.view, view)
        self.mirror = Mirror(view, state.chain)
        self.supply = Supply(self.mirror)
        for member in view.in_sync:
            if member != state.me:
                self.mirror.copies[member.node] = Copy(member, state.now, state.now)
        for voter in everyone(view.quorums()):
            self.heard[voter] = state.now
        self.stalled = self.short = False
        self.barriers.restart(self.number + 1)
        self.beat(state)

    def stall(self, state: State) -> None:
        """No majority chooses the view that is needed: nothing is acknowledged meanwhile."""
        if not self.stalled:
            self.stalled = True
            state.why = "no majority of the voters answers: nothing is acknowledged"
            state.emit(Alarm("stalled", f"{state.me.node} reaches no majority of the voters and acknowledges nothing."))

    def lack(self, state: State, who: str) -> None:
        """``who`` keeps us from acknowledging and may not be dropped; empty: nobody does."""
        if bool(who) == self.short:
            return
        self.short, state.why = bool(who), ""
        if who:
            reason = f"{who} does not answer and min_insync is {state.config.min_insync}"
            state.why = f"{reason}: nothing is acknowledged"
            state.emit(Alarm("stalled", f"{state.me.node} acknowledges nothing: {reason}."))

    def end(self, state: State) -> None:
        self.barriers.fail(state)
        self.changes.end(state)

    # ---- time

    def deadline(self) -> float:
        return min(self._beat_at, self.changes.deadline())

    def tick(self, state: State) -> None:
        self._look = True
        if state.now >= self._beat_at:
            self.beat(state)
            self.barriers.expire(state)
        if state.now >= self.changes.deadline():
            self.changes.give_up(state)

    def beat(self, state: State) -> None:
        """Tell every node who leads and what is acknowledged."""
        self._next_number(state)
        self._beat_at = state.now + state.config.heartbeat
        self._judge_stale(state)
        message = self._message(state)
        for name in sorted(state.peers):
            if state.peers[name].up:
                state.send(name, message)
        state.memory.acknowledged(self.view, state.acked.txid, but=state.me.node)
        self._probe_volumes(state)

    def ask_back(self, state: State) -> None:
        """A heartbeat between two, to the in-sync nodes only: a read waits for it."""
        self._next_number(state)
        message = self._message(state)
        for node in self.view.secondaries():
            state.send(node, message)

    def _next_number(self, state: State) -> None:
        self.number += 1
        self._asked_at = state.now

    def _message(self, state: State) -> Beat:
        return Beat(self.view, self.number, state.acked, self.stale)

    def wish(self, state: State) -> Wish | None:
        """The next view, when something happened that may ask for one."""
        if not self._look:
            return None
        self._look = False
        self.changes.hand_over(state, self)
        return self.changes.wish(state, self)

    def look(self) -> None:
        """Something happened after which the view may have to change."""
        self._look = True

    # ---- commits and copies

    def committed(self, state: State, position: Position, epoch: int) -> None:
        self.mirror.committed(position, epoch)
        self._look = self._look or position == self.mirror.floor
        self.supply.ship_all(state)
        self.progress(state)

    def beat_ok(self, state: State, sender: str, answer: BeatOk) -> None:
        member = Member(sender, answer.incarnation)
        self.heard[member] = state.now
        self._look = True
        copy = self._copy(state, member)
        if copy is None or not _is_current(copy, answer.copy):
            return
        copy.heard_at = state.now
        copy.beat = max(copy.beat, answer.number)
        if answer.number == self.number:
            copy.round_trip = state.now - self._asked_at
        if answer.full:
            copy.trouble = FULL
        elif copy.trouble in (GONE, FULL):
            copy.trouble = ""
        if answer.busy:
            return
        if answer.copy <= copy.useless:
            self.supply.seed(state, copy, spares=True)
            return
        copy.usable = answer.usable
        if answer.usable and sender in state.peers:
            state.peers[sender].incarnation = answer.incarnation
        self.supply.heard(state, copy, answer)
        self.progress(state)

    def stored(self, state: State, sender: str, answer: Stored) -> None:
        copy = self._copy(state, Member(sender, answer.incarnation))
        if copy is None or not _is_current(copy, answer.copy) or answer.copy <= copy.useless:
            return
        self._look = self._look or self.changes.pause is not None or sender in self.supply.learners
        self.supply.stored(state, copy, answer)
        self.progress(state)

    def missing(self, state: State, node: str) -> None:
        """A segment it needs is no longer on our disk: only a whole copy helps."""
        copy = self.mirror.copies.get(node)
        if copy:
            self._look = True
            self.supply.seed(state, copy)

    def unable(self, state: State, sender: str, answer: Unable) -> None:
        """It cannot follow segment by segment: an in-sync node has to leave, a learner needs a whole copy."""
        copy = self.mirror.copies.get(sender)
        if copy is None or copy.member.incarnation != answer.incarnation:
            return
        self._look = True
        if self.view.holds(copy.member):
            copy.trouble = answer.reason
        else:
            self.supply.seed(state, copy)

    def gone(self, node: str) -> None:
        """A connection to it was refused: its process is dead."""
        copy = self.mirror.copies.get(node)
        if copy:
            self._look = True
            copy.trouble = GONE

    def progress(self, state: State) -> None:
        """Acknowledge what is on every in-sync disk; serve when the epoch's own commit is."""
        if not self._may_acknowledge(state):
            return
        position = self.mirror.acknowledged()
        if position is None:
            return
        if position.txid > state.acked.txid:
            state.acked = position
            state.emit(Acknowledge(position))
        if state.role is Role.LEADING:
            self._serve(state)
        self.barriers.progress(state, self)

    def _may_acknowledge(self, state: State) -> bool:
        """Frozen from proposing a view until one is chosen (R6), and while fewer copies than ``min_insync`` are
        complete.
        """
        leads = state.role is Role.LEADING or state.role is Role.SERVING
        return leads and len(self.view.in_sync) >= state.config.min_insync

    def _serve(self, state: State) -> None:
        state.take(Step.READY)
        state.why = ""
        self._look = True
        state.emit(Serve(self.view.epoch))
        if not self.stale:
            state.emit(TakeVip())
        if len(self.view.in_sync) == 1 and state.config.mirrors:
            state.emit(Alarm("solo", f"{state.me.node} holds the only complete copy of the job store."))

    def _copy(self, state: State, member: Member) -> Copy | None:
        """The record of this copy; None when an in-sync node shows another disk: that member is lost, this one is a
        stranger.
        """
        copy = self.mirror.copies.get(member.node)
        if copy is None or (copy.member != member and not self.view.holds(copy.member)):
            copy = self.mirror.copies[member.node] = Copy(member, state.now, state.now)
        if copy.member != member:
            copy.trouble = REPLACED
            return None
        return copy

    # ---- do we reach a majority?

    def _judge_stale(self, state: State) -> None:
        stale = state.stalled or not has_quorum(self.view.quorums(), self._heard_lately(state))
        if stale == self.stale:
            return
        self.stale = stale
        state.emit(Stale(stale))
        if stale and self.view.secondaries():
            self.stall(state)
        if not stale and self.stalled:
            self.stalled, state.why = False, ""
        if state.role is Role.SERVING:
            state.emit(DropVip() if stale else TakeVip())

    def spares(self, state: State, voter: Member) -> bool:
        """Does a majority answer without this voter?"""
        return has_quorum(self.view.quorums(), self._heard_lately(state) - {voter})

    def _heard_lately(self, state: State) -> set[Member]:
        limit = state.now - state.config.suspect_after
        return {state.me, *(voter for voter, at in self.heard.items() if at > limit)}

    def _probe_volumes(self, state: State) -> None:
        """Ask the volumes whether they are there; from time to time let them note what is acknowledged (R8)."""
        if state.now < self._probe_at:
            return
        self._probe_at = state.now + state.config.suspect_after / 2
        notes = state.role is Role.SERVING and state.now >= self._note_at
        if notes:
            self._note_at = state.now + NOTE_EVERY
        for voter in everyone(self.view.quorums()):
            if on_volume(voter.node):
                probe = self._message(state) if notes else Query(PROBE)
                state.send(voter.node, probe)


def _is_current(copy: Copy, number: int) -> bool:
    """Reports of a copy that was replaced since are void."""
    if number > copy.number:
        copy.number = number
        copy.sent = 0
        copy.void()
    return number == copy.number
