"""Whom the coordinator wants: which spare becomes the next copy, who votes, and when a node that was dropped may come
back.
"""

from __future__ import annotations

from fa.core.array_state import Peer, State
from fa.core.mirror import Copy
from fa.core.view import VOTERS_MAX, Member, View, Voters, counted, has_quorum, on_volume

FORGIVEN_AFTER = 600.0
"""Seconds without being dropped after which a node's record is clean."""
DOUBLINGS_MAX = 5


class Roster:
    """Wishes that outlive a view, as long as this node is the coordinator."""

    __slots__ = ("_drops", "_wanted", "removed")

    def __init__(self) -> None:
        self._wanted: Voters | None = None
        self._drops: dict[str, tuple[int, float]] = {}
        self.removed: set[str] = set()

    # ---- back-off of re-admission: a flapping node must not change the in-sync set for ever

    def dropped(self, state: State, node: str) -> None:
        count, at = self._drops.get(node, (0, state.now))
        self._drops[node] = (1 if state.now - at > FORGIVEN_AFTER else count + 1, state.now)

    def readmit_at(self, state: State, node: str) -> float:
        """The first drop is free; then ``readmit_after`` seconds, doubling."""
        count, at = self._drops.get(node, (0, 0.0))
        if count < 2:
            return 0.0
        return at + state.config.readmit_after * 2.0 ** min(count - 2, DOUBLINGS_MAX)

    # ---- copies

    def learners(self, state: State, view: View, copies: dict[str, Copy], failing: tuple[str, ...]) -> tuple[str, ...]:
        """The nodes to be brought up to date, best first, so that ``mirrors`` secondaries are reached again."""
        kept = sum(node not in failing and node not in self.removed for node in view.secondaries())
        missing = state.config.mirrors - kept
        if missing <= 0:
            return ()
        able = [node for node, copy in copies.items() if self._may_learn(state, view, node, copy)]
        able.sort(key=lambda node: self._merit(state, copies[node]))
        return tuple(able[:missing])

    def _may_learn(self, state: State, view: View, node: str, copy: Copy) -> bool:
        peer = state.peers.get(node)
        return (
            peer is not None
            and peer.up
            and peer.kind == "data"
            and peer.mirror
            and node not in self.removed
            and not view.holds(copy.member)
            and not copy.trouble
            and state.now - copy.heard_at < state.config.suspect_after
            and self.readmit_at(state, node) <= state.now
        )

    def _merit(self, state: State, copy: Copy) -> tuple[int, int, str]:
        """Those furthest along first, then by rank: a seed that has begun is not thrown away for another."""
        progress = copy.stored.txid if copy.stored else 0
        return (-progress, -state.peers[copy.member.node].rank, copy.member.node)

    # ---- voters

    def want(self, view: View, voters: Voters) -> str:
        """Wish for these voters; returns why not, as a sentence."""
        if len(voters) > VOTERS_MAX:
            return f"at most {VOTERS_MAX} nodes vote; the node works without a vote"
        self._wanted = None if voters == view.voters else voters
        return ""

    def wished(self, view: View) -> Voters:
        return view.voters if self._wanted is None else self._wanted

    def is_settled(self, view: View) -> bool:
        """Do those vote who should, and is nobody counted on who was removed? Which incarnation of a node votes is not
        wished for; it follows from its disk.
        """
        left = all(member.node not in self.removed for member in view.in_sync)
        return left and view.is_closed and _names(view.voters) == _names(self.wished(view))

    def voters(self, state: State, view: View, copies: dict[str, Copy], heard: dict[Member, float]) -> Voters | None:
        """The voters to propose now: wishes, wiped voters that came back, and our own vote before a silent one. None:
        no change.
        """
        voters = tuple(_today(voter, view, copies) for voter in self.wished(view))
        if state.me in voters and state.me not in counted(voters):
            voters = (state.me, *(voter for voter in voters if voter != state.me))
        if voters == view.voters or not self._reaches(state, counted(voters), heard):
            return None
        return voters

    def _reaches(self, state: State, voters: Voters, heard: dict[Member, float]) -> bool:
        """A change towards voters whose majority does not answer would freeze the array."""
        alive = {voter for voter in voters if voter == state.me or _is_here(state.peers.get(voter.node), voter)}
        alive.update(voter for voter in voters if on_volume(voter.node) and voter in heard)
        return has_quorum((voters,), alive)


def _today(voter: Member, view: View, copies: dict[str, Copy]) -> Member:
    """A wished voter as it is now: a wiped node is admitted again as a new member, once its disk may be used."""
    copy = copies.get(voter.node)
    if copy and copy.usable:
        return copy.member
    voting = next((member for member in view.voters if member.node == voter.node), voter)
    return voter if on_volume(voter.node) else voting


def _names(voters: Voters) -> set[Member | str]:
    """Volumes count as what they are: an emptied one is replaced by hand."""
    return {voter if on_volume(voter.node) else voter.node for voter in voters}


def _is_here(peer: Peer | None, voter: Member) -> bool:
    return peer is not None and peer.up and peer.member == voter
