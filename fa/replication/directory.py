"""The replica directory: the only module that knows how stock Litestream >= 0.5.16 lays files out.

    <root>/ltx/<level>/<min16hex>-<max16hex>.ltx     level 0: one file a group commit; 9: snapshots
    <root>/chain.log                                 positions and epochs (ours; Litestream ignores it)
    <root>/journal                                   received segments whose files are not synced yet (ours)
    <root>/quarantine/                               segments that were never acknowledged and were cut off

The time of a file is its mtime, taken from its header, so timestamps strictly increase by at least 1 ms a segment.
One directory per node: Litestream cannot tell two histories apart (REPLICATION.md section 5, pitfall 4).
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fa.core.position import Position
from fa.replication.chain import Chain
from fa.replication.durable import Pieces, place, sync_files, sync_folder, syncing
from fa.replication.envelope import Envelope
from fa.replication.errors import HistoryChanged
from fa.replication.journal import Journal
from fa.replication.segment import HEADER, Header, file_name, parse_name

SNAPSHOTS = 9
SCRATCH = "scratch-"
"""Folders that begin so are working space; a crash may leave one."""
ON_THE_WAY = ".copy"
"""Files that end so are being sent or received; a kill leaves one."""
LEVELS = range(SNAPSHOTS + 1)

AHEAD_MS = 60_000
"""By so much a stamp may be ahead of the clock: those of nodes differ a little, and many commits share a moment."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """One file of the directory; ``mtime_ms`` is its time as Litestream sees it, ``written_ms`` when it was written
    here, by the clock of this node."""

    path: Path
    level: int
    min_txid: int
    max_txid: int
    mtime_ms: int
    size: int
    written_ms: int

    def believed(self, stamp_ms: int, now_ms: int) -> int:
        """Its time when it is stamped so. Stamps only grow: once a clock was far ahead, all that follow are of a time
        to come, long after it was set right. The time of those is when they were written here."""
        return stamp_ms if stamp_ms <= now_ms + AHEAD_MS else min(stamp_ms, self.written_ms)


class ReplicaDirectory:
    """A node's replica directory. Level 0 is written from one thread at a time; the rest may be used from any.

    ``read_only`` is for looking at the directory of a node that may be running: nothing is created or cleaned up.
    """

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        self.root = root
        self._folders = [root / "ltx" / str(level) for level in LEVELS]
        self._seen: list[dict[str, tuple[int, SegmentFile]]] = [{} for _ in LEVELS]  # by name, with the inode
        if not read_only:
            for folder in (self._folders[0], self._folders[SNAPSHOTS]):
                folder.mkdir(parents=True, exist_ok=True)
            for aside in root.glob("ltx/*/*.tmp"):
                aside.unlink()
            for scratch in root.glob(f"{SCRATCH}*"):
                shutil.rmtree(scratch)
            for left in [*root.glob(f"*{ON_THE_WAY}"), *root.glob(f"*{ON_THE_WAY}.tmp")]:
                left.unlink()
        self.chain = Chain(root / "chain.log", read_only=read_only)
        self.journal = None if read_only else Journal(root / "journal")
        self._unsynced: deque[Path] = deque()
        self._flushing = threading.Lock()
        self._cutting = threading.Lock()
        self.cuts = 0  # how often segments were cut off
        self.last_timestamp = max((file.mtime_ms for level in LEVELS for file in self.files(level)), default=0)

    def close(self) -> None:
        """Close the chain and the journal."""
        self.chain.close()
        if self.journal is not None:
            self.journal.close()

    def path(self, min_txid: int, max_txid: int, level: int = 0) -> Path:
        """Where a segment is or would be."""
        return self._folders[level] / file_name(min_txid, max_txid)

    def files(self, level: int) -> list[SegmentFile]:
        """The files of a level, by transaction number; other names are skipped, as Litestream does.

        Segments never change: only what was not there at the last look is looked at, for there may be 20,000."""
        known, seen = self._seen[level], {}
        try:
            entries = list(os.scandir(self._folders[level]))
        except FileNotFoundError:
            return []
        for entry in entries:
            inode, file = known.get(entry.name, (0, None))
            if file is None or inode != entry.inode():
                file = _look_at(entry, level)
            if file is not None:
                seen[entry.name] = (entry.inode(), file)
        self._seen[level] = seen
        return [seen[name][1] for name in sorted(seen)]  # numbers in names have one length

    def describe(self, path: Path) -> SegmentFile:
        """The entry of one file that exists."""
        numbers = parse_name(path.name)
        assert numbers, "only segments are described"
        return _described(path, int(path.parent.name), numbers, path.stat())

    def all_files(self) -> list[SegmentFile]:
        """The files of all levels."""
        return [file for level in LEVELS for file in self.files(level)]

    def next_timestamp(self, now_ms: int) -> int:
        """The time of the next segment: now, but later than any before."""
        return max(now_ms, self.last_timestamp + 1)

    def write(self, header: Header, data: bytes | memoryview, *, sync: bool = True) -> Path:
        """Place a segment. With ``sync`` it is durable when this returns, else after the next ``flush``.

        Raises ``OSError`` (nothing is left behind).
        """
        if sync:
            return self.write_pieces(header, (data,), level=0)
        target = self.path(header.min_txid, header.max_txid)
        place(target, (data,), mtime_ms=header.timestamp, sync=False)
        self._unsynced.append(target)
        self.last_timestamp = max(self.last_timestamp, header.timestamp)
        return target

    def write_pieces(self, header: Header, pieces: Pieces, *, level: int, cuts: int | None = None) -> Path:
        """Place a segment of any size, durably. Raises ``OSError``, what ``pieces`` raises, or ``HistoryChanged`` when
        something was cut off since that number of ``cuts``; nothing is left then."""

        def rename(aside: Path, path: Path) -> None:
            with self.uncut(cuts):
                aside.replace(path)

        target = self.path(header.min_txid, header.max_txid, level)
        target.parent.mkdir(exist_ok=True)
        place(target, pieces, mtime_ms=header.timestamp, rename=rename)
        sync_folder(target.parent)
        if not level:
            self.last_timestamp = max(self.last_timestamp, header.timestamp)
        return target

    def write_journaled(self, segments: Sequence[tuple[Header, bytes, bytes]]) -> None:
        """Place segments (header, LTX, message that holds them) durably, with one sync. Raises ``OSError``."""
        assert self.journal is not None, "a read-only directory is not written"
        messages = [message for _, _, message in segments]
        if not self.journal.fits(messages):
            self.flush()
            self.journal.restart()
        journaled = self.journal.fits(messages)
        if journaled:
            self.journal.append(messages)
        for header, ltx, _ in segments:
            self.write(header, ltx, sync=not journaled)

    @contextmanager
    def uncut(self, cuts: int | None) -> Iterator[None]:
        """Nothing is cut off meanwhile. Raises ``HistoryChanged`` when something was since that number of ``cuts``."""
        with self._cutting:
            if cuts not in (None, self.cuts):
                raise HistoryChanged
            yield

    def take_back(self, headers: Iterable[Header]) -> None:
        """Segments of which some may have been placed are refused after all: another's number n + 1 must never come to
        stand behind what takes the place of n. In the journal the later message counts. Raises ``OSError``."""
        for header in headers:
            self.path(header.min_txid, header.max_txid).unlink(missing_ok=True)
        sync_folder(self._folders[0])

    def flush(self) -> None:
        """Make every segment written without ``sync`` so far, and the chain, durable. Any thread.

        Raises ``OSError``; where a sync failed the node must stop, for that is never retried. What no sync was begun
        for, for want of a file handle, is made durable by the next call.

        Called now and then from a thread of its own it keeps the same call before a checkpoint short.
        """
        with self._flushing:
            written = []
            while self._unsynced:  # the writer may append meanwhile
                written.append(self._unsynced.popleft())
            try:
                with syncing():
                    if written:
                        sync_files(written, self._folders[0])
                    self.chain.sync()
            except OSError:
                self._unsynced.extendleft(reversed(written))
                raise

    def drop_quarantined(self, horizon_ms: int) -> None:
        """Delete what was quarantined and is older than ``horizon_ms`` (unix ms)."""
        for path in (self.root / "quarantine").glob("*"):
            found = path.stat()
            if min(found.st_mtime_ns, found.st_ctime_ns) // 1_000_000 <= horizon_ms:
                path.unlink()

    def segments(self, after: Position, up_to: int, array_id: str, node_id: int) -> Iterator[tuple[Envelope, bytes]]:
        """The single segments above ``after`` up to txid ``up_to``, ready to be sent.

        Ends early where a file or its record is not kept any more: then a page diff or a snapshot must help.
        """
        before = after
        for txid in range(after.txid + 1, up_to + 1):
            position, epoch = self.chain.at(txid), self.chain.epoch(txid)
            try:
                data = self.path(txid, txid).read_bytes()
            except FileNotFoundError:
                return
            if position is None or epoch is None:
                return
            stamp = Header.from_bytes(data[: HEADER.size]).timestamp
            yield Envelope(array_id, epoch, node_id, txid, txid, before.checksum, position.checksum, stamp), data
            before = position

    def quarantine(self, after: int) -> list[Path]:
        """Move segments above ``after`` out of Litestream's sight, durably, and cut the chain. Returns where they went.

        Only segments that were never acknowledged may go; compacted files hold none of those.
        """
        self.flush()
        self.chain.cut(after)
        if self.journal is not None:
            self.journal.clear()
        with self._cutting:
            self.cuts += 1
            files = reversed(self.all_files())  # the last first: a crash in between leaves no hole
            return self.set_aside(file for file in files if file.max_txid > after)

    def set_aside(self, files: Iterable[SegmentFile]) -> list[Path]:
        """Move files out of Litestream's sight, durably, one after the other. Returns where they went."""
        moved, emptied = [], set[int]()
        shelf = self.root / "quarantine"
        for file in files:
            shelf.mkdir(exist_ok=True)
            target = _free_name(shelf / file.path.name)
            file.path.replace(target)
            moved.append(target)
            emptied.add(file.level)
        if moved:
            sync_folder(shelf)
            for level in emptied:
                sync_folder(self._folders[level])
        return moved


def _look_at(entry: os.DirEntry[str], level: int) -> SegmentFile | None:
    numbers = parse_name(entry.name)
    try:
        info = entry.stat() if numbers else None
    except FileNotFoundError:
        return None
    if numbers is None or info is None:
        return None
    return _described(Path(entry.path), level, numbers, info)


def _described(path: Path, level: int, numbers: tuple[int, int], info: os.stat_result) -> SegmentFile:
    mtime_ms, ctime_ms = info.st_mtime_ns // 1_000_000, info.st_ctime_ns // 1_000_000
    return SegmentFile(path, level, *numbers, mtime_ms, info.st_size, ctime_ms)


def _free_name(path: Path) -> Path:
    """``path``, or with a number behind it when that is taken."""
    candidate, number = path, 0
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}.{number}")
    return candidate
