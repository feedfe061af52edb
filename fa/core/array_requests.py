"""What operators and the node ask of the coordinator. Each request gets exactly one ``Answered``, or a barrier
effect.
"""

from __future__ import annotations

from fa.core import array_events as ev
from fa.core.array_effects import Answered, BarrierFailed
from fa.core.array_leader import Leader
from fa.core.array_roles import LEADERS
from fa.core.array_seat import Seat
from fa.core.trust import Mark
from fa.core.view import Member, Voters

NOT_HERE = "this node is not the coordinator"


class Requests:
    __slots__ = ("_seat",)

    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def add_node(self, event: ev.AddNode) -> None:
        leader = self._leader(event.id)
        if leader is None:
            return
        member = event.member
        leader.changes.roster.removed.discard(member.node)
        voters = tuple(voter for voter in leader.changes.roster.wished(leader.view) if voter.node != member.node)
        wanted = leader.changes.roster.wished(leader.view)
        if event.votes and member not in wanted:
            wanted = (*voters, member)
        leader.changes.want_voters(self._seat.state, leader.view, event.id, wanted)

    def remove_node(self, event: ev.RemoveNode) -> None:
        leader = self._leader(event.id)
        if leader is None:
            return
        if event.node == self._seat.state.me.node:
            self._refuse(event.id, f"{event.node} is the coordinator: hand over first with `fa mirror switchover NODE`")
            return
        leader.changes.roster.removed.add(event.node)
        left = tuple(voter for voter in leader.changes.roster.wished(leader.view) if voter.node != event.node)
        leader.changes.want_voters(self._seat.state, leader.view, event.id, left)

    def replace_voter(self, event: ev.ReplaceVoter) -> None:
        leader = self._leader(event.id)
        if leader is None:
            return
        wished = leader.changes.roster.wished(leader.view)
        if all(voter.node != event.node for voter in wished):
            self._refuse(event.id, f"{event.node} has no vote")
            return
        if self._is_former(event.by):
            self._refuse(event.id, f"{event.by.node} has another disk by now: ask again")
            return
        leader.changes.want_voters(self._seat.state, leader.view, event.id, _replaced(wished, event.node, event.by))

    def switch_over(self, event: ev.SwitchOver) -> None:
        leader = self._leader(event.id)
        if leader:
            leader.changes.switch_over(self._seat.state, leader, event.id, event.to)

    def read_barrier(self, event: ev.ReadBarrier) -> None:
        leader = self._seat.leader
        if leader:
            leader.barriers.add(self._seat.state, leader, event.id)
        else:
            self._seat.state.emit(BarrierFailed(event.id))

    def force(self, event: ev.Force) -> None:
        state = self._seat.state
        refusal = ""
        if state.role in LEADERS and not (self._seat.leader and self._seat.leader.stale):
            refusal = "this node leads already and reaches a majority: there is nothing to force"
        elif state.config.kind != "data" or state.view is None:
            refusal = "this node holds no copy of the job store"
        elif state.too_new:
            refusal = state.too_new
        elif state.busy or state.pending:
            refusal = f"the store of this node is busy ({state.busy or 'storing segments'}); try again"
        elif state.mark is Mark.RESYNCING:
            refusal = "only half a copy is on this node; force a node that has a whole one"
        if refusal:
            self._refuse(event.id, refusal)
            return
        self._seat.forced()
        state.emit(Answered(event.id))

    def _leader(self, request: int) -> Leader | None:
        leader = self._seat.leader
        if leader is None:
            self._refuse(request, NOT_HERE)
        else:
            leader.look()
        return leader

    def _is_former(self, member: Member) -> bool:
        """Is this a disk that its node no longer has? It would never vote."""
        me, peer = self._seat.state.me, self._seat.state.peers.get(member.node)
        if member.node == me.node:
            return member != me
        return peer is not None and peer.up and peer.incarnation != member.incarnation

    def _refuse(self, request: int, why: str) -> None:
        self._seat.state.emit(Answered(request, why))


def _replaced(voters: Voters, node: str, by: Member) -> Voters:
    """The same voters in the same order, with ``by`` in ``node``'s place, and only there."""
    others = tuple(voter for voter in voters if voter.node != by.node or voter.node == node)
    return tuple(by if voter.node == node else voter for voter in others)
