"""The view: who leads, whose copy is complete, who votes. And the register that holds it.

**The invariant.** At most one view is chosen per epoch, and every chosen view was made from the chosen view before it.
The view is one register held by the voters. It changes only like this: a proposer takes an epoch nobody used, a
majority of the voters *promises* to listen to nothing older and tells the last view it accepted, the proposer derives
the next view from the newest of those, and a majority *accepts* it. Two majorities share a voter, so a proposer
always sees a view that may have been chosen before; epochs carry the index of their proposer, so no two proposers
share one.

Changing the voters themselves needs majorities of the old *and* of the new set (``prev`` and ``voters`` differ until a
second proposal closes the change).

**An even number of votes** survives the loss of no more voters than the odd number below it, and one vote of two is
worse than one of one. So of an even set the voter admitted last is silent (``counted``): one server with a witness
waiting for a second server, or two servers without a third vote, depend on the first vote only.

A voter is a node *and* an incarnation of its state directory: a wiped disk comes back as somebody else (R8).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

EPOCH_STRIDE = 1024
"""An epoch is ``n * EPOCH_STRIDE + node index``; more than all nodes that an array will ever have had (R4)."""

VOTERS_MAX = 5
VOLUME_PREFIX = "volume:"


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """A node with the incarnation of its state directory; the same name on a wiped disk is another member."""

    node: str
    incarnation: str


Voters = tuple[Member, ...]
"""Voters in the order in which they were admitted."""


@dataclass(frozen=True, slots=True)
class View:
    """Who leads (``coordinator``), whose copies are complete (``in_sync``), who chooses (``voters`` and, during a
    change, ``prev``).
    """

    epoch: int
    coordinator: str
    in_sync: tuple[Member, ...]
    voters: Voters
    prev: Voters
    forced: int = 0
    """How often an operator overrode the majority; such a view is not derived from the one before it."""

    def quorums(self) -> tuple[Voters, ...]:
        """The sets of which a majority each must agree to replace this view: one, or two during a change of voters."""
        now, before = counted(self.voters), counted(self.prev)
        return (now,) if now == before else (now, before)

    @property
    def is_closed(self) -> bool:
        """Is no change of voters under way?"""
        return self.voters == self.prev

    def holds(self, member: Member) -> bool:
        """Is this very copy complete? Asked before anybody leads (R3)."""
        return member in self.in_sync

    def secondaries(self) -> tuple[str, ...]:
        return tuple([member.node for member in self.in_sync if member.node != self.coordinator])


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a voter has promised and accepted; durable before it is told (R4).

    ``epoch`` is one number with two uses: the promise of the vote, and the fence for segments. Nodes without a vote
    keep it too.
    """

    epoch: int = 0
    accepted: View | None = None

    def may_promise(self, epoch: int) -> bool:
        return epoch > self.epoch

    def may_accept(self, view: View) -> bool:
        return view.epoch >= self.epoch

    def raised(self, epoch: int) -> Ballot:
        return Ballot(max(self.epoch, epoch), self.accepted)

    def accepting(self, view: View) -> Ballot:
        return Ballot(max(self.epoch, view.epoch), view)


def next_epoch(seen: int, index: int) -> int:
    """The lowest epoch above all that were seen which only the node with this ``index`` may use (R4)."""
    return (seen // EPOCH_STRIDE + 1) * EPOCH_STRIDE + index


def counted(voters: Voters) -> Voters:
    """The voters whose votes count: all of an odd set, all but the one admitted last of an even one."""
    return voters if len(voters) % 2 else voters[:-1]


def has_quorum(sets: Collection[Voters], answered: Collection[Member]) -> bool:
    """Did a majority of *each* set answer? Joint majorities make a change of voters safe (R12)."""
    return len(sets) > 0 and all(sum(voter in answered for voter in voters) * 2 > len(voters) for voters in sets)


def merged(sets: Iterable[Voters], more: Iterable[Voters]) -> tuple[Voters, ...]:
    """Both collections without doubles, in the order in which they were met."""
    return tuple(dict.fromkeys((*sets, *more)))


def everyone(sets: Iterable[Voters]) -> tuple[Member, ...]:
    """Every voter of these sets once, in order."""
    return tuple(dict.fromkeys(voter for voters in sets for voter in voters))


def newest(views: Iterable[View | None]) -> View | None:
    """The view of the highest epoch: it decides, never the length of a log."""
    return max((view for view in views if view), key=lambda view: view.epoch, default=None)


def first_view(member: Member, index: int) -> View:
    """The view that ``fa init`` writes, once; nothing else ever makes one out of nothing (R8)."""
    return View(next_epoch(0, index), member.node, (member,), (member,), (member,))


def on_volume(voter: str) -> bool:
    """Is this voter a chain of files on a shared volume (``volume:san``) rather than a node?"""
    return voter.startswith(VOLUME_PREFIX)
