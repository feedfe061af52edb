"""What lies above the marker when a node starts: segments, some perhaps torn, and the WAL of a writer that died.

A writer's own segments are not fsynced before its answers (SQLite's log is), nor are those of a secondary (its journal
is); after a power cut the newest may be missing or torn and are made again from there. What is torn after that and has
no record in ``chain.log`` was never answered for and is dropped; any other damage means that the disk lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fa.core.position import Position
from fa.replication.directory import SNAPSHOTS, ReplicaDirectory
from fa.replication.durable import sync_folder
from fa.replication.envelope import Envelope, unpack
from fa.replication.errors import CopyDamaged, SegmentError
from fa.replication.segment import HEADER, Header, decode, encode
from fa.replication.state import PAGE_SIZE
from fa.replication.waltail import transactions


@dataclass(frozen=True, slots=True)
class Found:
    """A whole, single segment above the marker; ``touched`` are its page numbers."""

    txid: int
    epoch: int
    touched: Sequence[int]


def find_segments(db_path: Path, directory: ReplicaDirectory, base: Position) -> list[Found]:
    """All segments above ``base``, in order without a gap, after rescuing what only the WAL holds.

    Raises ``CopyDamaged`` when one is missing that was there before.
    """
    found = _whole_segments(directory, base.txid)
    found += _replay_journal(directory, base.txid + len(found))
    wal = db_path.with_name(db_path.name + "-wal")
    if wal.exists():
        found += _rescue(wal, directory, base, found)
        remove_log(db_path)
    end = found[-1].txid if found else base.txid
    _drop_torn(directory, end)
    return found


def remove_log(db_path: Path) -> None:
    """Delete ``-wal`` and ``-shm``: a stale log would be replayed when the database is opened (pitfall 9)."""
    for suffix in ("-wal", "-shm"):
        db_path.with_name(db_path.name + suffix).unlink(missing_ok=True)
    sync_folder(db_path.parent)


def _whole_segments(directory: ReplicaDirectory, base: int) -> list[Found]:
    found: list[Found] = []
    while True:
        txid = base + len(found) + 1
        try:
            segment = decode(directory.path(txid, txid).read_bytes())
        except (FileNotFoundError, SegmentError):
            return found
        found.append(Found(txid, segment.header.epoch, [number for number, _ in segment.pages]))


def _replay_journal(directory: ReplicaDirectory, end: int) -> list[Found]:
    """Segments that were answered for, but whose files were not synced when the power went: make them again."""
    found: list[Found] = []
    for envelope, ltx in _journaled(directory, end):
        segment = decode(ltx)
        directory.write(segment.header, ltx, sync=False)
        if envelope.max_txid > directory.chain.last.txid:
            directory.chain.append(envelope.after, envelope.epoch)
        found.append(Found(envelope.max_txid, envelope.epoch, [number for number, _ in segment.pages]))
    if found:
        directory.flush()
    return found


def _journaled(directory: ReplicaDirectory, end: int) -> list[tuple[Envelope, memoryview]]:
    """What follows on ``end`` without a gap. Of two messages with one number the later counts: the earlier was refused,
    for want of room, after it had been written here, and so was all that built on it."""
    assert directory.journal is not None, "rescue writes"
    kept: list[tuple[Envelope, memoryview]] = []
    for message in directory.journal.messages():
        envelope, ltx = unpack(message)
        index = envelope.max_txid - end - 1
        if 0 <= index <= len(kept):
            before = kept[index - 1][0].after if index else directory.chain.at(end)
            if before in (None, envelope.before):
                kept[index:] = [(envelope, ltx)]
    return kept


def _rescue(wal: Path, directory: ReplicaDirectory, base: Position, found: Sequence[Found]) -> list[Found]:
    """Make segments, durably, of the transactions in the WAL that are newer than the last whole segment."""
    last = header_at(directory, found[-1].txid if found else base.txid)
    epoch = found[-1].epoch if found else epoch_at(directory, base.txid)
    txid = found[-1].txid if found else base.txid
    rescued = []
    for commit in transactions(wal, PAGE_SIZE, last):
        txid += 1
        stamp = directory.next_timestamp(0)
        header = Header(
            PAGE_SIZE, commit.commit, txid, txid, stamp, epoch,
            commit.offset, commit.size, commit.salt1, commit.salt2,
        )  # fmt: skip
        directory.write(header, encode(header, commit.pages), sync=False)
        rescued.append(Found(txid, epoch, [number for number, _ in commit.pages]))
    directory.flush()
    return rescued


def epoch_at(directory: ReplicaDirectory, txid: int) -> int:
    """The epoch in which segment ``txid``, the last one in the database file, was made. Raises ``CopyDamaged``."""
    header = header_at(directory, txid)
    return header.epoch if header else 0


def header_at(directory: ReplicaDirectory, txid: int) -> Header | None:
    """The header of the segment (or snapshot) that ends at ``txid``; None for the empty store.

    Retention never deletes it: without it nobody could tell which part of the WAL is new.
    """
    if not txid:
        return None
    for path in (directory.path(txid, txid), directory.path(1, txid, SNAPSHOTS)):
        if path.exists():
            with path.open("rb") as file:
                return Header.from_bytes(file.read(HEADER.size))
    raise CopyDamaged(f"Segment {txid}, the last one in the database file, is missing; SQLite's log cannot be read.")


def _drop_torn(directory: ReplicaDirectory, end: int) -> None:
    """Whatever is above ``end`` is torn or follows on something torn, and was never answered for; it is moved aside."""
    if directory.chain.last.txid > end:
        raise CopyDamaged(
            f"Segment {end + 1} is missing or damaged although this copy had answered for it.",
            hint="It must be fetched again from a healthy node.",
        )
    if any(file.max_txid > end for file in directory.files(0)):
        directory.quarantine(end)
