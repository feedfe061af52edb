"""Can this disk be believed? (R8)

A voter or a copy that was wiped, or set back to an older state (a restored snapshot of a virtual machine, an old
disk), has forgotten promises and acknowledged segments. Nobody can see that by looking at the disk alone. So:

* Every state directory has an *incarnation*, made when it is new or when its copy stops being believed. Votes and
  copies count for one incarnation; another one under the same name is another member.
* Peers remember of each node how often it booted, the epoch it has told them, and the txid that was acknowledged
  while it was in sync. After a boot a node *greets* and neither votes nor stands before a majority of the voters
  (itself included) has answered without contradiction. A contradiction, whenever it comes, ends the belief: new
  incarnation, whole new copy.
* What is compared is what the disk knew at the first boot after which no majority has answered yet (``Unproven``). What
  it learned since then, and a boot more, would hide that it was set back.

Only what was acknowledged counts as a mark: a tail that was never acknowledged may rightly be cut.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from fa.core.array_messages import Greet, Remembered
from fa.core.view import View


class Mark(StrEnum):
    """May the copy here be used? Only ``OK`` stands and takes segments; ``SUSPECT`` does not even vote."""

    OK = "ok"
    RESYNCING = "resyncing"
    """Half a copy: a whole one is being installed."""
    SUSPECT = "suspect"
    """Whole, perhaps, but not believed: its disk failed or was set back in time."""


@dataclass(frozen=True, slots=True)
class PeerMark:
    """What is remembered of a peer: its boots, the highest epoch it told, what was acknowledged while in sync."""

    node: str
    incarnation: str
    run: str = ""
    """The run that greeted last. What it did is no news to it: an answer to it tells ``former_boots`` and
    ``former_epoch``, which were known when it greeted first."""
    boots: int = 0
    epoch: int = 0
    former_boots: int = 0
    former_epoch: int = 0
    txid: int = 0
    in_sync: int = 0
    """The epoch of the newest view in which it was in sync with ``txid`` acknowledged."""
    forced: int = 0
    """``View.forced`` when ``txid`` was noted: an operator's override voids what was acknowledged before it."""


class Memory:
    """The marks of all peers; ``changed`` says that they should be saved."""

    __slots__ = ("_marks", "changed")

    def __init__(self, marks: tuple[PeerMark, ...] = ()) -> None:
        self._marks = {mark.node: mark for mark in marks}
        self.changed = False

    def all(self) -> tuple[PeerMark, ...]:
        return tuple(mark for _, mark in sorted(self._marks.items()))

    def greeted(self, by: str, node: str, greet: Greet) -> Remembered:
        """Note a greeting, and answer what was known before the unproven runs, as often as it is asked: an answer may
        be lost.
        """
        known = self._of(node, greet.incarnation)
        again = known.run in greet.unproven.runs
        boots, epoch = (known.former_boots, known.former_epoch) if again else (known.boots, known.epoch)
        if greet.boots > known.boots:
            self._keep(replace(known, run=greet.run, boots=greet.boots, former_boots=boots, former_epoch=epoch))
        return Remembered(by, known.incarnation, greet.run, boots, epoch, known.txid, known.in_sync)

    def told_epoch(self, node: str, incarnation: str, run: str, epoch: int) -> None:
        """Note an epoch that ``run`` has on its disk. Before it has greeted it would look like one of a former run."""
        known = self._of(node, incarnation)
        if epoch > known.epoch and run == known.run:
            self._keep(replace(known, epoch=epoch))

    def acknowledged(self, view: View, txid: int, but: str = "") -> None:
        """The coordinator of the newest view says that its in-sync nodes hold everything up to ``txid`` (``but``: not
        to be noted).
        """
        for member in view.in_sync:
            known = self._of(member.node, member.incarnation)
            now = (view.forced, txid, view.epoch)
            if member.node != but and now > (known.forced, known.txid, known.in_sync):
                self._keep(replace(known, txid=txid, in_sync=view.epoch, forced=view.forced))

    def _of(self, node: str, incarnation: str) -> PeerMark:
        known = self._marks.get(node)
        return known if known and known.incarnation == incarnation else PeerMark(node, incarnation)

    def _keep(self, mark: PeerMark) -> None:
        if self._marks.get(mark.node) != mark:
            self._marks[mark.node] = mark
            self.changed = True


def contradiction(mine: Greet, remembered: Remembered, replaced: int = 0) -> str:
    """Why this disk must have been set back in time, as a sentence; empty when nothing speaks against it. ``replaced``:
    the epoch in which the copy was last thrown away, as the coordinator told it to; what it held before is no matter.
    """
    if remembered.incarnation != mine.incarnation:
        return ""
    then = mine.unproven
    if remembered.boots >= then.boots:
        return f"a peer remembers boot {remembered.boots} of this disk, but at boot {then.boots} it was older"
    if remembered.epoch > then.epoch:
        return f"a peer was told epoch {remembered.epoch} by this disk, but at boot {then.boots} it knew {then.epoch}"
    if remembered.txid > mine.txid and remembered.in_sync >= replaced:
        return f"transaction {remembered.txid} was acknowledged with this copy, but it ends at {mine.txid}"
    return ""
