"""Who stands: suspicion, the question whether to stand, and the bully order that picks one proposer.

This is a device for liveness only. Whether a proposal wins is the register's business (``view``, ``array_proposal``),
so nothing here can lose data, however wrong the clocks are. The order of steps:

1. Nothing was heard from the coordinator for ``suspect_after``, or its process refused a connection.
2. ``Query`` the voters, which binds nobody. Stand by if the newest view does not hold this copy, or a voter still
   hears the coordinator (a node that proposes without being entitled only makes the epochs of the others useless).
3. ELECTION to the entitled nodes that rank above. An OK makes this node wait for COORDINATOR; silence makes it stand.
"""

from __future__ import annotations

from fa.core.array_messages import Election as ElectionMessage
from fa.core.array_messages import Ok, Query, Stat
from fa.core.array_roles import Role, Step
from fa.core.array_state import State
from fa.core.trust import Mark
from fa.core.view import Member, View, Voters, everyone, has_quorum, on_volume

NEVER = float("-inf")
FOREVER = float("inf")


class Election:
    """Suspicion and bully order of one node. Methods that return a bool say: stand now."""

    __slots__ = ("_found", "_heard_at", "_missed", "_round", "_sets", "_stats", "_until", "_waits_for_ok", "suspect_at")

    def __init__(self) -> None:
        self._heard_at = NEVER
        self.suspect_at = FOREVER
        self._round = 0
        self._found: View | None = None
        self._sets: tuple[Voters, ...] = ()
        self._stats: dict[Member, Stat] = {}
        self._until = FOREVER
        self._waits_for_ok = False
        self._missed = False

    # ---- suspicion

    def deadline(self, state: State) -> float:
        if state.role is Role.ASKING:
            return self._until
        return self.suspect_at if state.role in (Role.WAITING, Role.FOLLOWING, Role.YIELDING) else FOREVER

    def heard(self, state: State) -> None:
        """The coordinator of the newest view gave a sign of life."""
        self._heard_at = state.now
        self._missed = False
        self.suspect_at = state.now + state.config.suspect_after

    def hears(self, state: State) -> bool:
        """Was there a sign of life lately? Stricter than suspicion, so that the first who suspects is not held up."""
        return state.now - self._heard_at < state.config.suspect_after - state.config.heartbeat

    def is_silent(self, state: State, node: str) -> bool:
        """Has nothing come from this coordinator since it was last heard, not even a new link?"""
        peer = state.peers.get(node)
        return peer is None or not peer.up or peer.up_at <= self._heard_at

    def lost(self, state: State) -> None:
        """The process of the coordinator is dead: no need to wait for silence."""
        self._heard_at = NEVER
        self.suspect_at = state.now

    def again_in(self, state: State, seconds: float) -> None:
        """Look again after about ``seconds`` (spread, so that two nodes do not meet for ever)."""
        self.suspect_at = state.now + seconds * state.rng.uniform(0.75, 1.25)

    def stat(self, state: State, round: int) -> Stat:
        """What this node answers to ``Query``."""
        return Stat(round, state.me.incarnation, state.ballot.epoch, state.view, self.hears(state))

    # ---- asking

    def tick(self, state: State) -> bool:
        if self.deadline(state) > state.now:
            return False
        if state.role is not Role.ASKING:
            return self.ask(state)
        if self._waits_for_ok:
            return True
        self._stand_by(state, "no majority of the voters answers", state.config.suspect_after / 2)
        self._missed = True
        return False

    def ask(self, state: State) -> bool:
        """Begin to ask, when this node could stand at all."""
        state.believe_alone()
        objection = self._unable(state)
        if objection or state.view is None:
            state.why = objection or "this node belongs to no view yet"
            self.again_in(state, state.config.heartbeat)
            return False
        state.take(Step.SUSPECT)
        self._missed = False
        self._found = state.learn(())
        self._sets = state.deciding(self._found)
        return self._query(state)

    def answered(self, state: State, voter: Member, stat: Stat) -> bool:
        state.seen = max(state.seen, stat.epoch)
        if state.role is not Role.ASKING or stat.round != self._round or self._waits_for_ok:
            return False
        self._stats[voter] = stat
        return self._judge(state)

    def met(self, state: State, node: str) -> None:
        """A link to this node came up: a question that was lost for want of it is asked now, not a pause later."""
        if state.role is Role.ASKING and not self._waits_for_ok:
            asked = [voter for voter in everyone(self._sets) if voter.node == node and voter not in self._stats]
            state.send_each(tuple(asked), Query(self._round))
        elif state.role is Role.WAITING and self._missed:
            self.suspect_at = state.now

    def challenged(self, state: State, sender: str) -> bool:
        """ELECTION came from a node that ranks below: say OK if this node may stand, and see to it at once."""
        view = state.view
        if (
            not state.votes
            or not state.usable
            or state.too_new
            or view is None
            or not view.holds(state.me)
            or not state.outranks(state.me.node, sender)
        ):
            return False
        state.send(sender, Ok())
        return state.role in (Role.WAITING, Role.FOLLOWING) and self.ask(state)

    def outranked(self, state: State) -> None:
        """OK came: a node that ranks above stands."""
        if state.role is Role.ASKING and self._waits_for_ok:
            state.take(Step.OUTRANKED)
            state.why = "a node that ranks above this one stands"
            self.again_in(state, state.config.suspect_after)

    def _query(self, state: State) -> bool:
        self._round += 1
        self._stats = {}
        self._waits_for_ok = False
        self._until = state.now + answer_timeout(state, self._sets)
        state.send_each(everyone(self._sets), Query(self._round))
        if state.votes:
            self._stats[state.me] = self.stat(state, self._round)
        return self._judge(state)

    def _judge(self, state: State) -> bool:
        self._found = view = state.learn((self._found, *(stat.accepted for stat in self._stats.values())))
        sets = state.deciding(view)
        if sets != self._sets:
            self._sets = sets
            return self._query(state)
        if not has_quorum(self._sets, self._stats):
            return False
        objection, pause = self._objection(state, view)
        if objection:
            self._stand_by(state, objection, pause)
            return False
        return self._challenge(state, view)

    def _objection(self, state: State, view: View) -> tuple[str, float]:
        """Why this node should not stand, and after how many seconds to look again."""
        config = state.config
        if not view.holds(state.me):
            return f"only {names(view.in_sync)} may lead: this copy is not in the in-sync set", config.suspect_after
        heard = any(stat.hears and voter != state.me for voter, stat in self._stats.items())
        if heard and view.coordinator != state.me.node:
            return f"a voter still hears the coordinator {view.coordinator}", config.heartbeat / 2
        return "", 0.0

    def _challenge(self, state: State, view: View) -> bool:
        above = [member for member in view.in_sync if self._may_stand_before_us(state, view, member.node)]
        if not above:
            return True
        self._waits_for_ok = True
        self._until = state.now + state.config.heartbeat / 2
        state.send_each(tuple(above), ElectionMessage(state.config.rank))
        return False

    def _may_stand_before_us(self, state: State, view: View, node: str) -> bool:
        """Does this in-sync node rank above us, and is it not the very coordinator that went silent?"""
        lost = node == view.coordinator and self.is_silent(state, node)
        return node != state.me.node and not lost and state.is_up(node) and state.outranks(node, state.me.node)

    def _unable(self, state: State) -> str:
        if not state.trusted and state.mark is not Mark.SUSPECT:
            state.greet()  # again, for an answer may be lost: a copy that is being replaced votes once it is believed
        if not state.usable:
            return f"the copy on this node is {state.mark}: it waits for a whole one"
        if not state.trusted and state.shunned:
            peer, reason = next(iter(state.shunned.items()))
            return f"{peer} is there and does not take this node: {reason}"
        if not state.trusted:
            return "the peers have not confirmed yet that this disk was not set back in time"
        if state.config.kind != "data":
            return "a witness only votes"
        if state.too_new:
            return state.too_new
        if state.busy or state.pending:
            return f"the store of this node is busy ({state.busy or 'storing segments'})"
        return ""

    def _stand_by(self, state: State, why: str, pause: float) -> None:
        state.take(Step.STAND_BY)
        state.why = why
        self.again_in(state, pause)


def answer_timeout(state: State, sets: tuple[Voters, ...]) -> float:
    """Seconds to wait for answers; a volume is given the time of its helper."""
    base = 2 * state.config.heartbeat
    if any(on_volume(voter.node) for voter in everyone(sets)):
        base = max(base, state.config.witness_timeout)
    return base * state.rng.uniform(1.0, 1.5)


def names(members: tuple[Member, ...]) -> str:
    return ", ".join(member.node for member in members)
