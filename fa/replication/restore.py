"""``fa mirror restore``: the store of any moment from a replica directory, without the stock tool.

Unlike ``litestream restore -timestamp`` the moment is clamped: the last transaction at or before it is meant, a moment
after the last one gives the newest state. Times come from the segments' headers, so a copy without its mtimes works.
Every boundary whose checksum is recorded is held against it; a directory that mixes two histories is refused, which
the stock tool cannot do (REPLICATION.md section 5, pitfall 4).
"""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fa.core.position import Position
from fa.replication.checksum import PageSums
from fa.replication.directory import ReplicaDirectory, SegmentFile
from fa.replication.durable import sync_folder
from fa.replication.errors import (
    LineageBroken,
    NoSuchMoment,
    RestoreFailed,
    RestoreTargetExists,
    SegmentCorrupt,
    SegmentFileDamaged,
)
from fa.replication.merge import ATTEMPTS, MappedSegment, write_over
from fa.replication.plan import newest_txid, restore_plan
from fa.replication.segment import HEADER, Header

ASIDE = ".fa-restore-"
"""Files that begin so are on their way to a restore; a kill leaves one."""
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})  # FAT and exFAT, shares, FUSE

Moment = datetime | int | None
"""A time (aware), a txid, or None for the newest."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was written: its position, whether the recorded checksum proved it, and the time of its last transaction."""

    position: Position
    proved: bool
    time: datetime
    files: int


def restore(directory: ReplicaDirectory, out: Path, at: Moment = None) -> Restored:
    """Write the database of moment ``at`` to ``out``, which must not exist; it is there whole or not at all.

    Raises ``NoSuchMoment``, ``LineageBroken``, ``SegmentFileDamaged``, ``RestoreTargetExists``, ``RestoreFailed``.
    """
    try:
        return _restore(directory, out, at)
    except OSError as trouble:
        why = trouble.strerror or str(trouble)
        raise RestoreFailed(
            f"{trouble.filename or out} cannot be read or written: {why}; no file {out.name} was made.",
            hint="Name a file in a folder that is there, has room, and that you may write to.",
        ) from trouble


def restore_nothing(directory: ReplicaDirectory, at: Moment = None) -> Restored:
    """What ``restore`` would give, kept in no file. Raises the same."""
    with tempfile.TemporaryFile(dir=directory.root) as file:
        return _replay_moment(directory, at, file.fileno())


def _restore(directory: ReplicaDirectory, out: Path, at: Moment) -> Restored:
    if out.exists():
        raise RestoreTargetExists(f"{out} exists already; nothing was overwritten.", hint="Name another file.")
    aside = out.with_name(f"{ASIDE}{secrets.token_hex(8)}.tmp")  # nobody's file, and nobody can guess it
    fd = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        try:
            restored = _replay_moment(directory, at, fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        _put(aside, out)
    except FileExistsError as taken:
        raise RestoreTargetExists from taken
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(out.parent)
    return restored


def _put(aside: Path, out: Path) -> None:
    """Give it its name. Unlike a rename a link never overwrites; where there are none the name is taken first, and a
    kill in between leaves an empty file. Raises ``OSError``."""
    try:
        os.link(aside, out)
    except OSError as trouble:
        if trouble.errno not in _NO_LINKS:
            raise
        os.close(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))
        try:
            aside.replace(out)
        except BaseException:
            out.unlink()
            raise


def _replay_moment(directory: ReplicaDirectory, at: Moment, fd: int) -> Restored:
    """Plan and replay; again when a running node pruned a file in between."""
    for _ in range(ATTEMPTS - 1):
        with suppress(FileNotFoundError):
            return _replay(directory, plan_for(directory, at), fd)
    return _replay(directory, plan_for(directory, at), fd)


def plan_for(directory: ReplicaDirectory, at: Moment) -> list[SegmentFile]:
    """The files for a moment."""
    files = directory.all_files()
    if not files:
        raise NoSuchMoment("The replica directory is empty.")
    if at is None:
        return restore_plan(files, newest_txid(files))
    if isinstance(at, int):
        if not any(file.max_txid == at for file in files):
            raise NoSuchMoment(f"Segment {at} is not kept by itself (any more).", hint=_range(files))
        return restore_plan(files, at)
    return restore_plan(files, _txid_at(files, int(at.timestamp() * 1000)))


def _txid_at(files: Sequence[SegmentFile], moment_ms: int) -> int:
    """The newest boundary at or before a time."""
    before = [file.max_txid for file in files if _time_of(file) <= moment_ms]
    if not before:
        raise NoSuchMoment("The replica directory does not reach back to that time.", hint=_range(files))
    return max(before)


def _time_of(file: SegmentFile) -> int:
    """The time of its last transaction (ms). Of a damaged file what the file system says: it hinders only the restores
    that need it."""
    try:
        with file.path.open("rb") as opened:
            stamp = Header.from_bytes(opened.read(HEADER.size)).timestamp
    except SegmentCorrupt:
        stamp = file.mtime_ms
    return _believed(file, stamp)


def _believed(file: SegmentFile, stamp: int) -> int:
    return file.believed(stamp, time.time_ns() // 1_000_000)


@contextmanager
def _opened(file: SegmentFile) -> Iterator[MappedSegment]:
    """Raises ``SegmentFileDamaged`` for whatever is found wrong with the file meanwhile."""
    try:
        with MappedSegment(file.path) as mapped:
            yield mapped
    except SegmentCorrupt as trouble:
        before = f", or of a moment before it (--at txid:{file.min_txid - 1})" if file.min_txid > 1 else ""
        raise SegmentFileDamaged(
            f"The file {file.path} is damaged; what lies in it cannot be restored from this directory.",
            hint=f"Restore from the replica directory of another node{before}.",
        ) from trouble


def _range(files: Sequence[SegmentFile]) -> str:
    times = [_time_of(file) for file in files]
    low, high = min(file.max_txid for file in files), newest_txid(files)
    return f"It reaches from {_time(min(times))} (segment {low}) to {_time(max(times))} (segment {high})."


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _replay(directory: ReplicaDirectory, plan: Sequence[SegmentFile], fd: int) -> Restored:
    """Apply the files in order to the open file, checking the state at every boundary that is recorded."""
    sums: PageSums | None = None
    proved, reached, at, epoch = False, Position(0, 0), 0, 0
    for file in plan:
        with _opened(file) as mapped:
            header = mapped.header
            if header.min_txid > reached.txid + 1 or (header.epoch and header.epoch < epoch):
                raise LineageBroken(f"{file.path.name} does not follow on the file before it: two histories are mixed.")
            sums = sums or PageSums(header.page_size)
            write_over(fd, mapped.pages(), header, sums)
            reached, epoch = Position(header.max_txid, sums.checksum), header.epoch or epoch
            at = _believed(file, header.timestamp)
        recorded = directory.chain.at(reached.txid)
        proved = recorded is not None
        if recorded is not None and recorded != reached:
            raise LineageBroken(
                f"{file.path.name} gives {reached}, but {recorded} was recorded: the directory mixes two histories.",
                hint="Restore from another node's directory.",
            )
    return Restored(reached, proved, _time(at), len(plan))
