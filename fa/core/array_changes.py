"""When a coordinator wants another view: a copy is lost or equal again, voters are to change, or it hands over in
order.

Nothing here changes a view. ``wish`` says what is due, ``array_seat`` proposes it. Growing and handing over begin
with a pause: the writer is frozen, in the old epoch, until the other copy is equal; that may come to nothing, and
then the writer goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fa.core.array_effects import Answered, Freeze, Thaw
from fa.core.array_messages import HandOver
from fa.core.array_proposal import Wish
from fa.core.array_roles import Role
from fa.core.array_roster import Roster
from fa.core.array_state import State
from fa.core.array_supply import TOO_FAR
from fa.core.election import FOREVER, names
from fa.core.view import Member, View

if TYPE_CHECKING:
    from fa.core.array_leader import Leader

NEAR = 8
"""Segments by which a learner may lag when the coordinator pauses to let it become equal."""
NOBODY = 0
"""The request id of a hand-over that nobody asked for; requests of people are numbered from 1."""
REPLACED = "its disk is not the one that was in sync"
LASTING = (REPLACED, TOO_FAR)
"""Troubles that do not pass: such a member can only come back as a learner."""


@dataclass(slots=True)
class Pause:
    """The writer is frozen until ``member`` is equal: to add it, or (``request``) to hand over to it."""

    member: Member
    until: float
    request: int | None = None
    frozen: bool = False
    told: bool = False


class Changes:
    """Wishes, pauses and open requests of one coordinator; they outlive a view."""

    __slots__ = ("_grow_at", "_requests", "pause", "roster")

    def __init__(self, now: float) -> None:
        self.roster = Roster()
        self.pause: Pause | None = None
        self._grow_at = now
        self._requests: list[int] = []

    def begin(self, state: State, old: View, new: View) -> None:
        """A view was chosen."""
        for node in old.secondaries():
            if node not in new.secondaries():
                self.roster.dropped(state, node)
        self.pause = None
        self._answer_settled(state, new)

    def end(self, state: State) -> None:
        """This node is deposed: open requests fail, except the hand-over that did it."""
        if self.pause and self.pause.request:
            state.emit(Answered(self.pause.request, "" if self.pause.told else "another node became the coordinator"))
        for request in self._requests:
            state.emit(Answered(request, "the coordinator changed; ask again"))

    def deadline(self) -> float:
        return self.pause.until if self.pause else FOREVER

    # ---- what the next view should be

    def wish(self, state: State, leader: Leader) -> Wish | None:
        """The change that is due now, or None. Without a majority nothing can be chosen: then it only waits."""
        view = leader.view
        failing = self.failing(state, leader)
        if self.pause and self.pause.member.node in failing:
            self.give_up(state)
        if not failing:
            leader.lack(state, "")
        copies = leader.mirror.copies
        leader.supply.learners = self.roster.learners(state, view, copies, failing)
        if leader.stale:
            return None
        add = self._joining(state, leader)
        if failing and self._may_drop(state, leader, failing, add):
            return Wish(failing, add, fewest=state.config.min_insync, gone=self.gone(leader))
        if add:
            return Wish((), add)
        if state.role is not Role.SERVING or self.pause:
            return None
        if not view.is_closed:
            return Wish()
        voters = self.roster.voters(state, view, copies, leader.heard)
        return Wish((), (), voters) if voters else None

    def failing(self, state: State, leader: Leader) -> tuple[str, ...]:
        """In-sync nodes that keep us from acknowledging, or are about to."""
        config, end = state.config, state.chain.end
        failing = []
        for node in leader.view.secondaries():
            copy = leader.mirror.copies[node]
            silent = state.now - copy.heard_at >= config.suspect_after
            slow = copy.stored != end and state.now - copy.moved_at >= config.slow_after
            if silent or slow or copy.trouble:
                failing.append(node)
        return self._with_removed(state, leader, tuple(failing))

    def unreachable(self, state: State, leader: Leader) -> tuple[str, ...]:
        """In-sync nodes without a link, or with a trouble that does not pass."""
        copies = leader.mirror.copies
        lost = tuple(
            node for node in leader.view.secondaries() if not state.is_up(node) or copies[node].trouble in LASTING
        )
        return self._with_removed(state, leader, lost)

    def _with_removed(self, state: State, leader: Leader, lost: tuple[str, ...]) -> tuple[str, ...]:
        """Also those that are to be removed, as far as enough remain: a removal waits, the array does not."""
        spare = len(leader.view.in_sync) - len(lost) - self._fewest(state, leader)
        going = [node for node in leader.view.secondaries() if node in self.roster.removed and node not in lost]
        return (*lost, *going[: max(0, spare)])

    def _fewest(self, state: State, leader: Leader) -> int:
        """``min_insync``, less the members that can only come back as learners: nobody need wait for those."""
        return min(state.config.min_insync, len(leader.view.in_sync) - len(self.gone(leader)))

    def gone(self, leader: Leader) -> tuple[str, ...]:
        """In-sync nodes whose copies are not those that were in sync."""
        copies = leader.mirror.copies
        return tuple(node for node in leader.view.secondaries() if copies[node].trouble in LASTING)

    def _may_drop(self, state: State, leader: Leader, failing: tuple[str, ...], add: tuple[Member, ...]) -> bool:
        if len(leader.view.in_sync) - len(failing) + len(add) >= self._fewest(state, leader):
            return True
        leader.lack(state, ", ".join(failing))
        return False

    def _joining(self, state: State, leader: Leader) -> tuple[Member, ...]:
        """The learner that is equal now that the writer is paused; pauses it when one is near."""
        if self.pause is None:
            near = self._near(state, leader) if self._is_settled(state, leader) and state.now >= self._grow_at else None
            if near is None:
                return ()
            self._begin(state, Pause(near, state.now + 2 * state.config.heartbeat))
        pause = self.pause
        assert pause is not None, "a pause was begun"
        joins = pause.request is None and pause.frozen and leader.mirror.is_equal(pause.member)
        return (pause.member,) if joins else ()

    def _near(self, state: State, leader: Leader) -> Member | None:
        end = state.chain.end.txid
        for node in leader.supply.learners:
            copy = leader.mirror.copies[node]
            if not copy.usable or copy.stored is None or end - copy.stored.txid > NEAR:
                continue
            if state.now - copy.moved_at < 2 * state.config.heartbeat:
                return copy.member
        return None

    def _is_settled(self, state: State, leader: Leader) -> bool:
        """Serving, or kept from it only by the lack of copies: the epoch's own commit is made."""
        return state.role is Role.SERVING or (state.role is Role.LEADING and leader.mirror.floor is not None)

    # ---- the orderly switchover

    def switch_over(self, state: State, leader: Leader, request: int, to: str) -> None:
        """Freeze, wait until the target is equal, then (``hand_over``) tell it to take over."""
        others = [member for member in leader.view.in_sync if member != state.me]
        others.sort(key=lambda member: state.precedence(member.node))
        target = next((member for member in others if to in ("", member.node)), None)
        if to == state.me.node:
            state.emit(Answered(request, f"{to} is the coordinator already"))
        elif target is None:
            in_sync = names(tuple(others)) or "no other node"
            state.emit(Answered(request, f"{to or 'nobody'} cannot take over: in sync is {in_sync}"))
        elif state.role is not Role.SERVING or self.pause:
            state.emit(Answered(request, "the view is changing at this moment; try again"))
        else:
            self._begin(state, Pause(target, state.now + state.config.suspect_after, request))
            self.hand_over(state, leader)

    def make_room(self, state: State, leader: Leader) -> None:
        """Our disk is full: another in-sync node should lead, when there is one."""
        if state.role is Role.SERVING and self.pause is None and leader.view.secondaries():
            self.switch_over(state, leader, NOBODY, "")
        elif state.role is Role.LEADING and leader.mirror.floor is None:
            self._pass_on(state, leader)

    def _pass_on(self, state: State, leader: Leader) -> None:
        """Not even the epoch's own commit is made: nothing was acknowledged in it, and whoever is equal may stand."""
        copies = leader.mirror.copies
        equal = [node for node in leader.view.secondaries() if leader.mirror.is_equal(copies[node].member)]
        fit = [node for node in equal if state.is_up(node) and not copies[node].trouble]
        if fit:
            state.send(min(fit, key=state.precedence), HandOver(leader.view.epoch))

    def hand_over(self, state: State, leader: Leader) -> None:
        pause = self.pause
        if pause is None or pause.request is None or pause.told or not pause.frozen:
            return
        if leader.mirror.is_equal(pause.member) and state.acked == state.chain.end:
            pause.told = True
            pause.until = state.now + state.config.suspect_after
            state.send(pause.member.node, HandOver(leader.view.epoch))

    def _begin(self, state: State, pause: Pause) -> None:
        self.pause = pause
        state.emit(Freeze())

    def frozen(self) -> None:
        """The writer stands still: from now on being equal means staying equal."""
        if self.pause:
            self.pause.frozen = True

    def give_up(self, state: State) -> None:
        """The pause came to nothing: go on in the same epoch."""
        pause = self.pause
        assert pause is not None, "only a pause that there is can come to nothing"
        self.pause = None
        self._grow_at = state.now + state.config.suspect_after
        state.emit(Thaw())
        if pause.request:
            state.emit(Answered(pause.request, f"{pause.member.node} did not take over in time; nothing changed"))

    # ---- requests about voters

    def want_voters(self, state: State, view: View, request: int, voters: tuple[Member, ...]) -> None:
        refusal = self.roster.want(view, voters)
        if refusal:
            state.emit(Answered(request, refusal))
            return
        self._requests.append(request)
        self._answer_settled(state, view)

    def _answer_settled(self, state: State, view: View) -> None:
        if self._requests and self.roster.is_settled(view):
            for request in self._requests:
                state.emit(Answered(request))
            self._requests.clear()
