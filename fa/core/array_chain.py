"""The chain: the positions of the last segments of this copy, with the epoch under which each was made.

Two copies hold equal bytes exactly when they stand at equal positions (see ``position``). So the question "is that
copy a prefix of mine?" is one look-up here, and the answer is exact. The chain remembers a window; a copy older than
that is seeded anew.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from fa.core.position import EMPTY, Position

WINDOW = 65_536
"""Segments remembered at least; eight bytes each."""


@dataclass(frozen=True, slots=True)
class Link:
    """One segment: where the copy stands after it, and the epoch of the coordinator that made it."""

    position: Position
    epoch: int


ORIGIN = Link(EMPTY, 0)


class Chain:
    """Positions without a gap, oldest first; never empty (an empty store stands at ``EMPTY``)."""

    __slots__ = ("_base", "_checksums", "_epochs", "_starts", "end")

    def __init__(self, links: Iterable[Link] = ()) -> None:
        first, *rest = tuple(links) or (ORIGIN,)
        self.restart(first)
        for link in rest:
            self.append(link)

    def restart(self, link: Link) -> None:
        """Begin again at ``link``: a whole copy was installed, what was before it is not known."""
        self._base = link.position.txid
        self._checksums = array("Q", (link.position.checksum,))
        self._starts, self._epochs = [self._base], [link.epoch]
        self.end = link.position

    def append(self, link: Link) -> None:
        position = link.position
        assert position.txid == self.end.txid + 1, f"segment {position} does not follow {self.end}"
        self._checksums.append(position.checksum)
        if link.epoch != self._epochs[-1]:
            self._starts.append(position.txid)
            self._epochs.append(link.epoch)
        self.end = position
        if len(self._checksums) > 2 * WINDOW:
            self._forget(WINDOW)

    def cut(self, position: Position) -> None:
        """Forget everything after ``position``, which must be on the chain."""
        assert position in self, f"cannot cut at {position}, which is not on the chain"
        del self._checksums[position.txid - self._base + 1 :]
        while self._starts[-1] > position.txid:
            del self._starts[-1], self._epochs[-1]
        self.end = position

    def __contains__(self, position: Position) -> bool:
        offset = position.txid - self._base
        return 0 <= offset < len(self._checksums) and self._checksums[offset] == position.checksum

    def at(self, txid: int) -> Link | None:
        """The link with this txid, or None when it is outside the window."""
        offset = txid - self._base
        if not 0 <= offset < len(self._checksums):
            return None
        return Link(Position(txid, self._checksums[offset]), self._epochs[bisect_right(self._starts, txid) - 1])

    def refutes(self, position: Position) -> bool:
        """Is another history proven: do we know this txid, with another checksum?"""
        offset = position.txid - self._base
        return 0 <= offset < len(self._checksums) and self._checksums[offset] != position.checksum

    def last(self, count: int, until: int) -> tuple[Position, ...]:
        """Up to ``count`` positions that end at txid ``until`` (or at the end), oldest first."""
        stop = min(until, self.end.txid)
        start = max(self._base, stop - count + 1)
        return tuple(Position(txid, self._checksums[txid - self._base]) for txid in range(start, stop + 1))

    def _forget(self, count: int) -> None:
        del self._checksums[:count]
        self._base += count
        keep = bisect_right(self._starts, self._base) - 1
        del self._starts[:keep], self._epochs[:keep]
        self._starts[0] = self._base
