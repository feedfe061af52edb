"""The coordinator's seat: taking it, changing the view while on it, and leaving it.

Everything that moves a node from one role to another passes here, so that the two rules about leaving are in one
place: a higher epoch that was seen is durable before anything else is said (R4), and a coordinator that sees one
never acknowledges again in its own (R6).
"""

from __future__ import annotations

from dataclasses import replace

from fa.core.array_effects import Alarm, DropVip, Follow, Freeze, Lead, StepDown
from fa.core.array_follower import Follower
from fa.core.array_leader import Leader
from fa.core.array_messages import Coordinator
from fa.core.array_proposal import Outcome, Proposal, Wish
from fa.core.array_roles import LEADERS, Role, Step
from fa.core.array_state import State
from fa.core.election import FOREVER, Election
from fa.core.view import EPOCH_STRIDE, Member, View, next_epoch

FORCED_LEAP = 1_000
"""Rounds of epochs that a forced view leaps over, so that the forgotten majority does not overtake it soon."""


class Seat:
    """Role, proposal and leadership of one node."""

    __slots__ = ("_followed", "election", "follower", "leader", "proposal", "state")

    def __init__(self, state: State) -> None:
        self.state = state
        self.election = Election()
        self.follower = Follower()
        self.leader: Leader | None = None
        self.proposal: Proposal | None = None
        self._followed = ("", 0)

    def deadline(self) -> float:
        return min(
            self.election.deadline(self.state),
            self.proposal.until if self.proposal else FOREVER,
            self.leader.deadline() if self.leader else FOREVER,
        )

    # ---- taking it

    def stand(self, step: Step = Step.STAND) -> None:
        """Propose to take over (or to lead again after a restart)."""
        assert not self.state.busy and not self.state.pending, "a store that is being changed cannot be led from"
        self.state.take(step)
        view = self.state.view
        assert view is not None, "a node that stands has a view"
        fewest = self.state.config.min_insync
        silent = step is not Step.HANDED and self.election.is_silent(self.state, view.coordinator)
        drop = (view.coordinator,) if silent and len(view.in_sync) > fewest else ()
        self.propose(None, Wish(drop, fewest=fewest))

    def propose(self, was: View | None, wish: Wish) -> None:
        self.proposal = Proposal(self.state, was, wish, self._is_equal)
        self.settle(self.proposal.begin(self.state))

    def change(self, wish: Wish) -> None:
        """As the coordinator: freeze, then propose another view. There is no way back to this epoch (R6)."""
        leader = self._leading()
        self.state.take(Step.CHANGE)
        if leader.changes.pause is None:
            self.state.emit(Freeze())
        for node in wish.drop:
            gone = "it was removed" if node in leader.changes.roster.removed else "it is silent or slow"
            why = leader.mirror.copies[node].trouble or gone
            self.state.emit(Alarm("member-dropped", f"{node} leaves the in-sync set: {why}."))
        self.propose(leader.view, wish)

    def settle(self, outcome: Outcome) -> None:
        """Go on after something happened to the proposal."""
        proposal = self.proposal
        if proposal is None or outcome is Outcome.OPEN:
            return
        if outcome is Outcome.CHOSEN:
            assert proposal.value is not None, "a chosen proposal has a value"
            self._chosen(proposal.value)
        elif self.leader is None:
            self._give_up()
        elif outcome is Outcome.EXCLUDED:
            self.step_down()

    def proposal_expired(self) -> None:
        """No majority answered in time: a coordinator tries again when it hears one, anybody else asks again first."""
        proposal = self.proposal
        assert proposal is not None, "only a proposal expires"
        if self.leader is None:
            self.state.why = "no majority of the voters answers"
            self._give_up()
        else:
            self.leader.stall(self.state)
            if self.leader.stale:
                proposal.wait(self.state)
            else:
                self.propose(proposal.was, self._wish_again(proposal.wish))

    def forced(self) -> None:
        """The operator's override: a view made by nobody's vote but his. A frozen coordinator keeps its writer."""
        state = self.state
        if self.leader is None:
            self.step_down()
            step = Step.FORCED
        else:
            if state.role is not Role.CHANGING:
                state.take(Step.CHANGE)
            step = Step.CHOSEN
        if not state.votes:
            state.believe_as_told()
        me = (state.me,)
        epoch = next_epoch(max(state.seen, state.ballot.epoch) + FORCED_LEAP * EPOCH_STRIDE, state.config.index)
        view = View(epoch, state.me.node, me, me, me, 1 + (state.view.forced if state.view else 0))
        state.save(state.ballot.accepting(view))
        state.take(step)
        self._lead(view)

    def _chosen(self, view: View) -> None:
        self.state.take(Step.CHOSEN)
        self._lead(view)

    def _lead(self, view: View) -> None:
        state = self.state
        self.proposal = None
        if self.leader is None:
            state.emit(Alarm("take-over", f"{state.me.node} is the coordinator, epoch {view.epoch}."))
            self.leader = Leader(view, state)
        state.why = "the view was chosen; its own commit is not on every in-sync node yet"
        state.emit(Lead(view.epoch))
        for name in sorted(state.peers):
            if state.peers[name].up:
                state.send(name, Coordinator(view))
        self.leader.begin(state, view)

    def _give_up(self) -> None:
        self.proposal = None
        self.state.take(Step.STAND_BY)
        self.election.again_in(self.state, self.state.config.suspect_after / 2)

    def _wish_again(self, wish: Wish) -> Wish:
        """A change tried again: nobody answers heartbeats of an epoch that is over, so the links say who is there."""
        return replace(wish, drop=self._unreachable(), gone=self._leading().changes.gone(self._leading()))

    def _unreachable(self) -> tuple[str, ...]:
        leader = self._leading()
        return leader.changes.unreachable(self.state, leader)

    def _is_equal(self, member: Member) -> bool:
        return self.leader is not None and self.leader.mirror.is_equal(member)

    def _leading(self) -> Leader:
        assert self.leader is not None, "only the coordinator does this"
        return self.leader

    # ---- leaving it

    def fence(self, epoch: int) -> None:
        """A higher epoch exists: whatever this node leads or proposes is over, and that is durable before anything is
        said.
        """
        if epoch <= self.state.ballot.epoch:
            return
        self.step_down()
        self.state.save(self.state.ballot.raised(epoch))

    def step_down(self) -> None:
        """Stop leading and proposing; keeps the epoch."""
        state = self.state
        if state.role in LEADERS:
            state.why = "another node proposed a view"
            state.busy = "closing the writer"
            state.emit(StepDown())
            state.emit(DropVip())
            self._leading().end(state)
            self.leader = None
        self.proposal = None
        state.take(Step.FENCED)
        self.election.again_in(state, state.config.suspect_after)

    # ---- following

    def follow(self, view: View, alive: bool) -> None:
        """The coordinator of ``view``, which is not below our epoch, spoke. Learning a chosen view is accepting it."""
        state = self.state
        self.fence(view.epoch)
        if state.view is None or view.epoch > state.view.epoch:
            state.save(state.ballot.accepting(view))
        if alive:
            self.hear(view.coordinator, view.epoch)

    def hear(self, coordinator: str, epoch: int) -> None:
        """A sign of life of the coordinator of ``epoch``, which is not lower than ours."""
        state = self.state
        self.proposal = None
        state.take(Step.HEARD)
        state.why = f"{coordinator} is the coordinator"
        self.election.heard(state)
        self.follower.coordinator = coordinator
        if self._followed != (coordinator, epoch):
            self._followed = (coordinator, epoch)
            state.emit(Follow(coordinator, epoch))
