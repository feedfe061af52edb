"""The only way to lead, to drop or add a copy, to lead again after a restart, or to change a voter (R2, R3, R6, R12).

A proposal takes an epoch of its own, gets promises from a majority of *each* set of voters of the newest view that it
knows of, derives the next view from the newest view that was accepted by any of them, and asks the same voters (and new
ones) to accept it. From its first message until it is chosen nothing is acknowledged, and there is no way back to the
old epoch: a half-accepted proposal can be resurrected by the next proposer at any time.

What the derived view may be:

* the proposer must be in the in-sync set of the view it derives from, with this incarnation of its copy (R3);
* the new in-sync set is a part of the old one, plus learners proven equal, and those only when the old view is the
  proposer's own (then nobody else can have acknowledged anything since);
* it does not shrink below ``min_insync``: members that are not there stay, until learners can take their place;
* voters change only from a view of the proposer's own that is known to be chosen, one change at a time: ``prev``
  keeps the old set until a second proposal closes the change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from fa.core.array_messages import Accept, Accepted, Prepare, Promise
from fa.core.array_state import State
from fa.core.election import answer_timeout, names
from fa.core.view import Member, View, Voters, counted, everyone, has_quorum, merged, next_epoch


@dataclass(frozen=True, slots=True)
class Wish:
    """How the next view should differ from the last one."""

    drop: tuple[str, ...] = ()
    add: tuple[Member, ...] = ()
    voters: Voters | None = None
    fewest: int = 1
    """How many complete copies the next view must have, when the one before has so many to give."""
    gone: tuple[str, ...] = ()
    """Nodes whose copies have none to give: what was in sync there can come back as a learner only."""


class Outcome(Enum):
    OPEN = auto()
    CHOSEN = auto()
    REFUSED = auto()
    """The view it would make is not allowed now; ``State.why`` says why."""
    EXCLUDED = auto()
    """The newest view does not hold this copy: it may not propose at all."""


class Proposal:
    """One attempt. ``was``: the view that this node leads while it proposes, None for a take-over or a restart."""

    __slots__ = ("_accepted", "_epoch", "_found", "_promises", "_proven", "_sets", "until", "value", "was", "wish")

    def __init__(self, state: State, was: View | None, wish: Wish, proven: Callable[[Member], bool]) -> None:
        self.was = was
        self.wish = wish
        self._proven = proven
        self._found: View | None = None
        self._sets: tuple[Voters, ...] = ()
        self._epoch = 0
        self.until = 0.0
        self._promises: dict[Member, View | None] = {}
        self._accepted: set[Member] = set()
        self.value: View | None = None

    def begin(self, state: State) -> Outcome:
        """Take a new epoch and ask for promises."""
        self._found = state.learn((self._found,))
        self._sets = state.deciding(self._found)
        self._epoch = next_epoch(max(state.seen, state.ballot.epoch), state.config.index)
        self.until = state.now + answer_timeout(state, self._sets)
        self._promises, self._accepted, self.value = {}, set(), None
        state.save(state.ballot.raised(self._epoch))
        state.send_each(everyone(self._sets), Prepare(self._epoch))
        if state.votes:
            self._promises[state.me] = state.view
        return self._derive(state)

    def wait(self, state: State) -> None:
        """Look again later: another epoch would only disturb those who go on without us."""
        self.until = state.now + answer_timeout(state, self._sets)

    def promised(self, state: State, voter: Member, promise: Promise) -> Outcome:
        if promise.epoch != self._epoch or self.value is not None:
            return Outcome.OPEN
        self._promises[voter] = promise.accepted
        return self._derive(state)

    def accepted(self, state: State, voter: Member, answer: Accepted) -> Outcome:
        if answer.epoch != self._epoch or self.value is None:
            return Outcome.OPEN
        self._accepted.add(voter)
        return self._count()

    def _derive(self, state: State) -> Outcome:
        current = self._current(state)
        if state.deciding(current) != self._sets:  # other voters turned up: their majority may know a newer view (R12)
            return self.begin(state)
        if not has_quorum(self._sets, self._promises):
            return Outcome.OPEN
        if not self._entitled(state, current):
            state.why = f"only {names(current.in_sync)} may lead: this copy is not in the in-sync set"
            return Outcome.EXCLUDED
        in_sync = self._in_sync(state, current)
        if len(in_sync) < min(self.wish.fewest, sum(member.node not in self.wish.gone for member in current.in_sync)):
            state.why = f"{names(in_sync)} alone is not enough: min_insync is {state.config.min_insync}"
            return Outcome.REFUSED
        return self._ask_to_accept(state, current, in_sync)

    def _current(self, state: State) -> View:
        """The newest view accepted by any voter that was heard: it may have been chosen, so it binds (R2)."""
        self._found = view = state.learn((self._found, *self._promises.values()))
        return view

    def _entitled(self, state: State, current: View) -> bool:
        return current.holds(state.me)

    def _is_mine(self, current: View) -> bool:
        """Is the view we derive from the very one that this node leads, and so known to be chosen?"""
        return self.was is not None and current.epoch == self.was.epoch

    def _in_sync(self, state: State, current: View) -> tuple[Member, ...]:
        there = [member for member in current.in_sync if member == state.me or self._is_there(state, member)]
        kept = {member for member in there if member == state.me or member.node not in self.wish.drop}
        if self.was is None and len(kept) < self.wish.fewest:
            kept = self._all(there, current)
        if self._is_mine(current):
            kept.update(member for member in self.wish.add if self._proven(member))
        return tuple(sorted(kept))

    def _all(self, there: list[Member], current: View) -> set[Member]:
        """The view that this node knew had copies to spare, the newest one has not. If too few are there, those that
        are not stay members: nothing is acknowledged without their word, but they can be waited for, or replaced.
        """
        return set(there if len(there) >= self.wish.fewest else current.in_sync)

    def _is_there(self, state: State, member: Member) -> bool:
        return self.was is not None or state.is_up(member.node)

    def _voters(self, current: View) -> tuple[Voters, Voters]:
        """The next ``voters`` and ``prev``: a change opens from a closed view of ours, and closes from an open one of
        ours.
        """
        if not self._is_mine(current):
            return current.voters, current.prev
        if self.wish.voters is None or not current.is_closed:
            return current.voters, current.voters
        return self.wish.voters, current.voters

    def _ask_to_accept(self, state: State, current: View, in_sync: tuple[Member, ...]) -> Outcome:
        voters, prev = self._voters(current)
        self.value = View(self._epoch, state.me.node, in_sync, voters, prev, current.forced)
        self._sets = self._deciding(current, voters)
        self.until = state.now + answer_timeout(state, self._sets)
        state.save(state.ballot.accepting(self.value))
        state.send_each(everyone(self._sets), Accept(self.value))
        if state.votes:
            self._accepted.add(state.me)
        return self._count()

    def _deciding(self, current: View, voters: Voters) -> tuple[Voters, ...]:
        """Whose majorities choose the new view: those of the old view, and those of new voters (R12)."""
        return merged(current.quorums(), (counted(voters),))

    def _count(self) -> Outcome:
        return Outcome.CHOSEN if has_quorum(self._sets, self._accepted) else Outcome.OPEN
