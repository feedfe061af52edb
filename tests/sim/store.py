"""The disk and the job store of a simulated node: what survives a crash, and what does not.

A log entry is ``(Position, epoch it was made in, ops)``; an op is ``(request id, payload)``. The checksum of a position
hangs on the whole history before it, so equal positions mean equal contents, as with real segments.
"""

from __future__ import annotations

from fa.core.array_chain import Link
from fa.core.array_messages import Unproven
from fa.core.position import EMPTY, Position
from fa.core.trust import Mark
from fa.core.view import Ballot

MASK = (1 << 63) - 1
Op = tuple[str, tuple]
Entry = tuple[Position, int, tuple[Op, ...]]


def follow(position: Position, uid: int) -> Position:
    """The position after a segment with globally unique contents ``uid``."""
    return Position(position.txid + 1, (position.checksum * 6364136223846793005 + uid * 1442695040888963407 + 1) & MASK)


class Disk:
    """What is durable. ``snapshot``/``restore`` set a disk back in time, as a virtual machine's snapshot does."""

    __slots__ = ("ballot", "boots", "incarnation", "log", "mark", "marks", "replaced", "unproven")

    def __init__(self, incarnation: str) -> None:
        self.incarnation = incarnation
        self.boots = 0
        self.mark = Mark.OK
        self.replaced = 0
        self.marks: tuple = ()
        self.unproven: Unproven | None = None
        self.ballot = Ballot()
        self.log: list[Entry] = []

    @property
    def end(self) -> Position:
        return self.log[-1][0] if self.log else EMPTY

    def holds(self, position: Position) -> bool:
        if position.txid == 0:
            return True
        return len(self.log) >= position.txid and self.log[position.txid - 1][0] == position

    def links(self) -> tuple[Link, ...]:
        return (Link(EMPTY, 0), *(Link(position, epoch) for position, epoch, _ in self.log))

    def copy(self) -> Disk:
        other = Disk(self.incarnation)
        other.boots, other.mark, other.marks, other.ballot = self.boots, self.mark, self.marks, self.ballot
        other.log, other.unproven, other.replaced = list(self.log), self.unproven, self.replaced
        return other
