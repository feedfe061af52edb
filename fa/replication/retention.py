"""Compaction and retention of a replica directory (REPLICATION.md section 6, "Retention default").

Each level gathers the files of the one below into fewer: L1 after 30 s or 256 files, L2 after 5 minutes, L3 after an
hour; a snapshot (L9) daily or once the log has grown past the database. So a restore never needs more than about 500
files, which stock Litestream opens all at once. Files go only when a durable file of a higher level covers them *and*
they are old; whatever may not be in the database file yet (``up_to``, the marker) is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fa.replication.directory import LEVELS, SNAPSHOTS, ReplicaDirectory, SegmentFile
from fa.replication.durable import sync_folder
from fa.replication.errors import LineageBroken
from fa.replication.merge import Merged
from fa.replication.plan import newest_txid, restore_plan
from fa.replication.rebase import ReadPages, new_base, set_damaged_aside
from fa.replication.snapshot import make_snapshot

Listing = dict[int, list[SegmentFile]]

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@dataclass(frozen=True, slots=True)
class Level:
    """When the files of the level below are gathered here (the oldest is ``age`` ms old, or they are ``count``), and
    how long (ms) they are kept besides, within the history."""

    number: int
    age: int
    count: int
    keep_below: int


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy. ``singles`` bounds the number of level-0 files, whatever their age: a busy store makes
    millions an hour."""

    levels: tuple[Level, ...] = (
        Level(1, MINUTE // 2, 256, HOUR),
        Level(2, 5 * MINUTE, 100, DAY),
        Level(3, HOUR, 50, 7 * DAY),
    )
    singles: int = 20_000
    snapshot_age: int = DAY
    snapshot_files: int = 48
    snapshot_log_bytes: int = 64 << 20
    history: int = 7 * DAY


class Keeper:
    """Keeps one replica directory in shape; ``keep`` is called now and then, from any one thread."""

    def __init__(
        self, directory: ReplicaDirectory, policy: Policy | None = None, read: ReadPages | None = None
    ) -> None:
        """``read`` gives pages of the database file, of which a new base is made when files are damaged."""
        self._directory = directory
        self._policy = policy or Policy()
        self._read = read
        self._cuts = 0  # of the directory, when it was listed

    def mend(self, up_to: int, acknowledged: Callable[[], int]) -> bool:
        """Move damaged files aside and make a new base where they leave a hole; whether anything was to be done.
        Raises as ``keep``."""
        damaged = set_damaged_aside(self._directory, up_to)
        reached = max(up_to, acknowledged())
        files = [file for file in self._directory.all_files() if file.max_txid <= reached]
        try:
            restore_plan(files, newest_txid(files))
        except LineageBroken:
            if self._read is None:
                raise
            new_base(self._directory, self._read, up_to, acknowledged)
            return True
        return bool(damaged)

    def keep(self, up_to: int, now_ms: int, gather_to: int = 0) -> None:
        """Compact and prune what is acknowledged and durable in the database file: ``up_to`` is that txid. What is only
        acknowledged yet, up to ``gather_to``, is compacted besides, but nothing of it is pruned: a busy coordinator
        checkpoints once a minute, and a restore would have to open thousands of files.

        Raises ``OSError``, ``SegmentCorrupt``, ``LineageBroken``, ``HistoryChanged``; the directory is as good as
        before then.
        """
        self._directory.flush()
        self._cuts = self._directory.cuts
        acknowledged = max(up_to, gather_to)
        listing = {number: [_dated(file, now_ms) for file in self._directory.files(number)] for number in LEVELS}
        for level in self._policy.levels:
            self._gather(level, listing, acknowledged, now_ms)
        self._snapshot(listing, acknowledged, now_ms)
        self._prune(listing, up_to, now_ms)
        self._directory.drop_quarantined(now_ms - self._policy.history)
        self._directory.chain.trim({file.max_txid for files in listing.values() for file in files})

    def _gather(self, level: Level, listing: Listing, up_to: int, now_ms: int) -> None:
        done = newest_txid(listing[level.number])
        files = [f for f in listing[level.number - 1] if done < f.max_txid <= up_to]
        while files and (len(files) >= level.count or files[0].mtime_ms <= now_ms - level.age):
            batch = _unbroken(files[: level.count])
            files = files[len(batch) :]
            with Merged(batch) as merged:
                path = self._directory.write_pieces(
                    merged.header, merged.encoded(), level=level.number, cuts=self._cuts
                )
            listing[level.number].append(_dated(self._directory.describe(path), now_ms))

    def _snapshot(self, listing: Listing, up_to: int, now_ms: int) -> None:
        files = [file for files in listing.values() for file in files if file.max_txid <= up_to]
        if not files:
            return
        target = newest_txid(files)
        plan = restore_plan(files, target)
        base, rest = plan[0], plan[1:]
        old = base.level == SNAPSHOTS and base.mtime_ms <= now_ms - self._policy.snapshot_age
        grown = sum(file.size for file in rest) > max(base.size, self._policy.snapshot_log_bytes)
        many = sum(file.level == self._policy.levels[-1].number for file in rest) > self._policy.snapshot_files
        if rest and (old or grown or many):
            listing[SNAPSHOTS].append(_dated(make_snapshot(self._directory, target), now_ms))

    def _prune(self, listing: Listing, up_to: int, now_ms: int) -> None:
        """Delete what a durable file of a higher level covers; always whole groups, so that every file that is left can
        still be reached from a base. The marker's own segment stays (it ends at ``up_to``): a rescue needs its header.
        """
        self._prune_snapshots(listing[SNAPSHOTS], now_ms)
        for level in self._policy.levels:
            below = listing[level.number - 1]
            surplus = len(below) - self._policy.singles if level.number == 1 else 0
            crowded = below[surplus - 1].max_txid if surplus > 0 else 0
            covers = listing[level.number] + listing[SNAPSHOTS]
            kept = min(level.keep_below, self._policy.history)  # the covers themselves go with the history
            self._delete_covered(below, covers, up_to, now_ms - kept, crowded)
        top = listing[self._policy.levels[-1].number]
        self._delete_covered(top, listing[SNAPSHOTS], up_to, now_ms - self._policy.history, 0)

    def _delete_covered(
        self, files: list[SegmentFile], covers: Sequence[SegmentFile], up_to: int, horizon: int, crowded: int
    ) -> None:
        """Delete up to the last cover that is older than ``horizon`` (ms) or ends at or below txid ``crowded``."""
        cut = newest_txid(file for file in covers if file.mtime_ms <= horizon or file.max_txid <= crowded)
        self._delete(files, lambda file: file.max_txid <= cut and file.max_txid < up_to)

    def _prune_snapshots(self, snapshots: list[SegmentFile], now_ms: int) -> None:
        """Keep the newest snapshot of each day of the history, and the newest one before it as its base."""
        kept: dict[int, SegmentFile] = {}
        for file in snapshots:
            young = file.mtime_ms > now_ms - self._policy.history
            kept[file.mtime_ms // DAY if young else 0] = file
        self._delete(snapshots, lambda file: file not in kept.values())

    def _delete(self, files: list[SegmentFile], unwanted: Callable[[SegmentFile], bool]) -> None:
        gone = [file for file in files if unwanted(file)]
        with self._directory.uncut(self._cuts):
            for file in gone:
                file.path.unlink(missing_ok=True)
        for folder in {file.path.parent for file in gone}:
            sync_folder(folder)
        files[:] = [file for file in files if not unwanted(file)]


def _dated(file: SegmentFile, now_ms: int) -> SegmentFile:
    """With the time that counts."""
    return replace(file, mtime_ms=file.believed(file.mtime_ms, now_ms)) if file.mtime_ms > now_ms else file


def _unbroken(files: Sequence[SegmentFile]) -> Sequence[SegmentFile]:
    """The files up to the first hole: after a resynchronisation the history of a directory has one."""
    for index in range(1, len(files)):
        if files[index].min_txid > files[index - 1].max_txid + 1:
            return files[:index]
    return files
