"""The mirror: what may be acknowledged.

**The invariant.** Whatever was acknowledged is on the disk of *every* member of the in-sync set of the newest chosen
view, and only such a member may lead next (``array_proposal``). So:

* R1: a segment is acknowledged when all in-sync members, the coordinator included, have fsynced it, and said so in
  this epoch.
* R6: from proposing a view until one is chosen nothing is acknowledged; each chosen view begins with nobody's word
  (``Copy.stored`` None).
* R7: a new view first commits its own epoch on top of what it inherited; the first acknowledgement covers both.

A copy's word counts only when its position is *on the coordinator's chain*: equal positions are equal bytes, so this
one look-up is the check of the whole prefix (R5).
"""

from __future__ import annotations

from dataclasses import dataclass

from fa.core.array_chain import Chain
from fa.core.position import Position
from fa.core.view import Member, View


@dataclass(slots=True)
class Copy:
    """What the coordinator knows, in this epoch, of the copy on another node."""

    member: Member
    heard_at: float
    moved_at: float
    """When it last said something new, or had nothing to store."""
    number: int = -1
    """Which copy of the node this is; see ``BeatOk.copy``."""
    useless: int = -1
    """It was told to throw away its copies up to this number: their word counts no more, however late it comes."""
    tries: int = 0
    """How often it was told so again: each time it is to fetch from another node."""
    stored: Position | None = None
    """Proven to be on our chain and fsynced there."""
    received: int = 0
    sent: int = 0
    beat: int = -1
    """The newest heartbeat that it answered."""
    round_trip: float | None = None
    """Seconds from a heartbeat to its answer, the last time it came before the next one was sent."""
    usable: bool = False
    trouble: str = ""
    """Why it should leave the in-sync set, as a sentence."""

    def void(self) -> None:
        """Its word counts no longer."""
        self.stored = None
        self.usable = False


class Mirror:
    """The copies under one chosen view."""

    __slots__ = ("_chain", "copies", "floor", "view")

    def __init__(self, view: View, chain: Chain) -> None:
        self.view = view
        self._chain = chain
        self.copies: dict[str, Copy] = {}
        self.floor: Position | None = None
        """The first commit of this epoch; nothing is acknowledged below it (R7)."""

    def committed(self, position: Position, epoch: int) -> None:
        """Our own fsync of ``position`` is done."""
        if self.floor is None and epoch == self.view.epoch:
            self.floor = position

    def acknowledgeable(self) -> Position | None:
        """The highest position that every in-sync member has fsynced; None while one has not said so in this epoch
        (R1).
        """
        least = self._chain.end
        for member in self.view.in_sync:
            if member.node == self.view.coordinator:
                continue
            copy = self._of(member)
            if copy is None or copy.stored is None:
                return None
            if copy.stored.txid < least.txid:
                least = copy.stored
        return least

    def acknowledged(self) -> Position | None:
        """What may be acknowledged now: nothing before the epoch's own commit is everywhere (R7)."""
        position = self.acknowledgeable()
        if position is None or self.floor is None or position.txid < self.floor.txid:
            return None
        return position

    def is_equal(self, member: Member) -> bool:
        """Does this copy hold every segment of ours, also those not acknowledged (R3)?"""
        copy = self._of(member)
        return copy is not None and copy.usable and copy.stored == self._chain.end

    def confirm(self, copy: Copy, position: Position) -> bool:
        """Take a copy's word that it holds everything up to ``position``, when that is on our chain (R5)."""
        if position not in self._chain:
            return False
        if copy.stored is None or position.txid > copy.stored.txid:
            copy.stored = position
        return True

    def _of(self, member: Member) -> Copy | None:
        copy = self.copies.get(member.node)
        return copy if copy is not None and copy.member == member else None
