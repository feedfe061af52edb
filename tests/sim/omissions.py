"""What the mutants do instead of the rule: replacements for small methods of the core and of the simulated shell.

See ``mutants`` for which of them make which mutant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fa.core import array_effects as ef
from fa.core import array_events as ev
from fa.core import array_letters, array_proposal, array_state, election
from fa.core.array import Array
from fa.core.array_barriers import Barriers
from fa.core.array_changes import Changes
from fa.core.array_effects import BarrierPassed, StoreSegment
from fa.core.array_follower import Follower
from fa.core.array_leader import Leader
from fa.core.array_letters import Letters
from fa.core.array_messages import Stored
from fa.core.array_proposal import Proposal, Wish
from fa.core.array_roles import LEADERS, Role
from fa.core.array_seat import Seat
from fa.core.array_state import State
from fa.core.array_supply import Supply
from fa.core.election import Election
from fa.core.mirror import Mirror
from fa.core.view import EPOCH_STRIDE, Ballot, View, counted, everyone
from tests.sim.node import Node
from tests.sim.world import World

Patch = tuple[Any, str, Any]


# ---- R1: all in-sync copies, fsynced, before the acknowledgement


def ack_majority(self: Mirror) -> Any:
    ends = [self._chain.end]
    for member in self.view.in_sync:
        copy = self._of(member)
        if copy and copy.stored:
            ends.append(copy.stored)
    need = len(self.view.in_sync) // 2 + 1
    return sorted(ends, reverse=True)[need - 1] if len(ends) >= need else None


_follower_append = Follower.append


def append_and_say_stored(self: Follower, state: State, sender: str, append: Any) -> None:
    before = len(state.pending)
    _follower_append(self, state, sender, append)
    if len(state.pending) > before:
        state.send(
            sender, Stored(state.ballot.epoch, state.me.incarnation, append.after, append.after.txid, state.copy)
        )


_node_committed = Node._committed
_node_crash = Node.crash


def committed_unsynced(self: Node) -> None:
    self.lies = getattr(self, "lies", [])
    self.lies.append(self.world.now)
    _node_committed(self)


def crash_unsynced(self: Node) -> None:
    """What the primary called durable less than 50 ms ago is lost."""
    if self.alive and self.writer:
        lost = sum(at > self.world.now - 0.05 for at in getattr(self, "lies", []))
        if lost:
            del self.disk.log[-lost:]
    _node_crash(self)


# ---- R5: fence, prefix, tails

_heeded: dict[str, tuple[State, int]] = {}


def heed_anything(self: Letters, sender: str, epoch: int) -> bool:
    state = self._state
    self._seat.fence(epoch)
    if state.role in LEADERS:
        return False
    _heeded[state.me.node] = (state, epoch)
    self._seat.hear(sender, epoch)
    return True


def report_in_its_epoch(self: Follower, state: State, common: Any = None) -> None:
    if self.coordinator:
        heeding, epoch = _heeded.get(state.me.node, (state, state.ballot.epoch))
        epoch = epoch if heeding is state else state.ballot.epoch
        end, received = state.chain.end, self._end(state).txid
        state.send(self.coordinator, Stored(epoch, state.me.incarnation, end, received, state.copy, common))


def append_without_check(self: Follower, state: State, sender: str, append: Any) -> None:
    self.coordinator = sender
    if state.usable and not state.busy and append.after.txid == self._end(state).txid + 1:
        state.pending.append(append)
        state.emit(StoreSegment(sender, append))
        self.acknowledged(state, append.acked)
    else:
        _follower_append(self, state, sender, append)


def stored_without_check(self: Node) -> None:
    append, ops, good = self.storing[0]
    if good:
        self.storing[0] = (replace(append, before=self.disk.end), ops, good)
    _node_stored(self)


_node_stored = Node._stored


def confirm_by_number(self: Mirror, copy: Any, position: Any) -> bool:
    known = self._chain.at(min(position.txid, self._chain.end.txid))
    if known is None:
        return False
    copy.stored = known.position
    return True


# ---- R2, R3: who may propose what


def object_to_nothing(self: Election, state: State, view: View) -> tuple[str, float]:
    return "", 0.0


def object_by_cache(self: Election, state: State, view: View) -> tuple[str, float]:
    assert state.view is not None
    return ("", 0.0) if state.view.holds(state.me) else ("not in the cached view", state.config.suspect_after)


def current_from_cache(self: Proposal, state: State) -> Any:
    return state.view


_proposal_current = Proposal._current


def value_ignored(self: Proposal, state: State) -> Any:
    """What others accepted says who votes, but not who is in sync."""
    assert state.view is not None
    newest = _proposal_current(self, state)
    return replace(state.view, voters=newest.voters, prev=newest.prev)


def one_vote(sets: Any, answered: Any) -> bool:
    return len(answered) > 0


def votes_by_name(sets: Any, answered: Any) -> bool:
    names = {voter.node for voter in answered}
    return all(sum(voter.node in names for voter in voters) * 2 > len(voters) for voters in sets)


def everywhere(function: Any) -> tuple[Patch, ...]:
    return tuple((module, "has_quorum", function) for module in (election, array_proposal, array_letters, array_state))


_seat_change = Seat.change


def _smaller(leader: Leader, drop: tuple[str, ...]) -> None:
    view = leader.mirror.view
    kept = tuple(member for member in view.in_sync if member.node not in drop)
    leader.mirror.view = replace(view, in_sync=kept)


def drop_alone(self: Seat, wish: Any) -> None:
    if wish.drop and self.leader:
        _smaller(self.leader, wish.drop)
        self.leader.progress(self.state)
    else:
        _seat_change(self, wish)


def drop_early(self: Seat, wish: Any) -> None:
    if wish.drop and self.leader:
        _smaller(self.leader, wish.drop)
    _seat_change(self, wish)


def ack_as_coordinator(self: Leader, state: State) -> bool:
    return state.role in LEADERS and len(self.view.in_sync) >= state.config.min_insync


_supply_ship_from = Supply._ship_from


def ship_while_changing(self: Supply, state: State, copy: Any, txid: int) -> None:
    role = state.role
    state.role = Role.SERVING if role is Role.CHANGING else role
    _supply_ship_from(self, state, copy, txid)
    state.role = role


def no_freeze(self: Node, effect: Any) -> None:
    self.world.after(0.0005, self, self.handle, ev.Frozen())


def always(self: Mirror, member: Any) -> bool:
    copy = self.copies.get(member.node)
    return copy is not None and copy.usable


# ---- R4: the ballot

_array_step = Array.step


def step_saving_last(self: Array, event: Any, now: float) -> Any:
    effects = _array_step(self, event, now)
    return [e for e in effects if type(e) is not ef.SaveBallot] + [e for e in effects if type(e) is ef.SaveBallot]


def save_voters_only(self: State, ballot: Ballot) -> None:
    """A data node without a vote keeps its fence in memory only (and nobody reminds it)."""
    view = ballot.accepted
    self.ballot = ballot
    if view is None or self.me in everyone(view.quorums()) or view.coordinator == self.me.node:
        self.effects.append(ef.SaveBallot(ballot))


def same_epochs(seen: int, index: int) -> int:
    return (seen // EPOCH_STRIDE + 1) * EPOCH_STRIDE


# ---- R6, R7

_on_started = Array._on_started


def resume(self: Array, event: Any) -> None:
    _on_started(self, event)
    state, seat = self._state, self._seat
    view = state.view
    if seat.leader is None and view and view.coordinator == state.me.node and view.holds(state.me):
        seat.proposal = None
        state.role = Role.LEADING
        seat._lead(view)


_leader_begin = Leader.begin


def serve_at_once(self: Leader, state: State, view: View) -> None:
    _leader_begin(self, state, view)
    if state.role is Role.LEADING:
        self._serve(state)


# ---- R8


def holds_by_name(self: View, member: Any) -> bool:
    return any(one.node == member.node for one in self.in_sync)


def copy_by_name(self: Mirror, member: Any) -> Any:
    return self.copies.get(member.node)


_leader_copy = Leader._copy


def copy_of_stranger(self: Leader, state: State, member: Any) -> Any:
    copy = self.mirror.copies.get(member.node)
    if copy:
        copy.member = member
    return _leader_copy(self, state, member)


def no_contradiction(mine: Any, remembered: Any, replaced: int = 0) -> str:
    return ""


# ---- R11, R12


def pass_at_once(self: Barriers, state: State, leader: Leader, read: int) -> None:
    if state.role is Role.SERVING:
        state.emit(BarrierPassed(read))


def only_new(self: Proposal, current: View, voters: Any) -> Any:
    return (counted(voters),)


def only_now(self: View) -> Any:
    return (counted(self.voters),)


def voters_unchosen(self: Proposal, current: View) -> Any:
    if self.wish.voters is None or current.voters != current.prev:
        return current.voters, current.voters
    return self.wish.voters, current.voters


def only_ours(self: State, known: View) -> Any:
    assert self.view is not None
    return self.view.quorums()


_changes_wish = Changes.wish


def close_at_once(self: Changes, state: State, leader: Leader) -> Any:
    """Closes a change of voters before its view serves; harmless by itself, and it makes the rule bite."""
    return Wish() if leader.view.voters != leader.view.prev else _changes_wish(self, state, leader)


def true(*args: Any) -> bool:
    return True


def set(path: str, value: object) -> Callable[[World], None]:
    def prepare(world: World) -> None:
        owner: Any = world
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        setattr(owner, name, value)

    return prepare
