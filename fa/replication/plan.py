"""Which files of a replica directory give the database of a moment. Pure, like Litestream's ``CalcRestorePlan``."""

from __future__ import annotations

from collections.abc import Iterable

from fa.replication.directory import SNAPSHOTS, SegmentFile
from fa.replication.errors import LineageBroken


def restore_plan(files: Iterable[SegmentFile], txid: int) -> list[SegmentFile]:
    """Files that, applied in order, give exactly the state after ``txid``: the newest snapshot, then the fewest others.

    Raises ``LineageBroken`` naming the first hole. ``txid`` must be where some file ends: inside a compacted file there
    is no way to stop.
    """
    useful = [file for file in files if file.max_txid <= txid]
    snapshots = [file for file in useful if file.level == SNAPSHOTS]
    plan = [max(snapshots, key=lambda file: file.max_txid)] if snapshots else []
    reached = plan[0].max_txid if plan else 0
    rest = sorted((file for file in useful if file.level != SNAPSHOTS), key=lambda file: file.min_txid)
    position = 0
    while reached < txid:
        best: SegmentFile | None = None
        while position < len(rest) and rest[position].min_txid <= reached + 1:
            best = _better(best, rest[position])
            position += 1
        if best is None or best.max_txid <= reached:
            raise LineageBroken(
                f"Nothing in the replica directory leads from segment {reached} to segment {txid}.",
                hint="Restore from another node's directory, or to another moment.",
            )
        plan.append(best)
        reached = best.max_txid
    return plan


def _better(best: SegmentFile | None, file: SegmentFile) -> SegmentFile:
    """The one that reaches further; on a tie the longer, then the one of the higher level."""
    if best is None:
        return file
    return max(best, file, key=lambda one: (one.max_txid, -one.min_txid, one.level))


def newest_txid(files: Iterable[SegmentFile]) -> int:
    """The last transaction that any file holds; 0 for none."""
    return max((file.max_txid for file in files), default=0)
