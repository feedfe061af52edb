"""Making a copy equal again when cutting is not enough: by the pages that differ, or by a whole snapshot.

All of it happens with the copy closed and marked RESYNCING, so that half a copy never votes, leads or is promoted
(SAFETY.md scenario 20). What the directory held above the common past is moved to ``quarantine/``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fa.core.position import Position
from fa.replication.checksum import PageSums, lock_page, scan
from fa.replication.directory import SNAPSHOTS, ReplicaDirectory
from fa.replication.durable import stamp_durably, sync_folder, syncing
from fa.replication.errors import OtherArray, WrongPost
from fa.replication.merge import MappedSegment, write_over
from fa.replication.rescue import remove_log
from fa.replication.segment import Encoder, Header
from fa.replication.state import PAGE_SIZE, Mark, Marker, MarkFile
from fa.replication.transfer import Announcement, Kind

BATCH = 256


def file_sums(db_path: Path) -> PageSums:
    """Page sums of the database file as it lies on the disk, right or wrong: what a page diff is made against. Not as
    it lies in memory: after a sync that failed, also one of an earlier process, the pages there may be on no disk.

    Only while no ``Copy`` or ``Writer`` has it open. Raises ``OSError``.
    """
    fd = os.open(db_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        with syncing():
            os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return scan(lambda size, offset: os.pread(fd, size, offset), PAGE_SIZE, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def bytes_of_sums(db_path: Path) -> bytes:
    """The same as they are sent; empty where there is no file."""
    return file_sums(db_path).to_bytes() if db_path.exists() else b""


def install(
    db_path: Path,
    directory: ReplicaDirectory,
    array_id: str,
    announcement: Announcement,
    received: Path,
    common: Position,
) -> None:
    """Turn a closed copy into the announced state; ``Copy.open`` gives that position afterwards.

    ``received`` is the transferred file, on the file system of the directory; it is gone afterwards. ``common`` is the
    newest position that this copy and the array share (``EMPTY`` when none is known): the history up to it is kept for
    restores. Raises ``OtherArray``, ``WrongPost``, ``SegmentCorrupt``, ``OSError``; the mark stays RESYNCING then and a
    snapshot must be asked for.
    """
    if announcement.array_id != array_id:
        raise OtherArray
    mark = MarkFile(db_path)
    mark.set(Mark.RESYNCING, f"towards {announcement.position}")
    remove_log(db_path)
    directory.quarantine(common.txid if directory.chain.at(common.txid) == common else 0)
    if announcement.kind is Kind.SNAPSHOT:
        header = _install_snapshot(db_path, announcement, received)
        _keep_snapshot(directory, header, received)
    else:
        header = _install_diff(db_path, announcement, received)
        directory.write_pieces(header, encode_database(db_path, header), level=SNAPSHOTS)
        received.unlink()
    directory.chain.append(announcement.position, announcement.epoch)
    directory.chain.sync()
    Marker(db_path).move(announcement.position)
    mark.set(Mark.OK)


def _install_snapshot(db_path: Path, announcement: Announcement, received: Path) -> Header:
    aside = db_path.with_name(db_path.name + "-resync")  # a crash leaves it; the next attempt writes over it
    fd = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        header = _write_pages(fd, received, PageSums(PAGE_SIZE), announcement.position)
    except BaseException:
        aside.unlink()
        raise
    finally:
        os.close(fd)
    aside.replace(db_path)
    sync_folder(db_path.parent)
    return header


def _install_diff(db_path: Path, announcement: Announcement, received: Path) -> Header:
    sums = file_sums(db_path)
    fd = os.open(db_path, os.O_RDWR | os.O_CLOEXEC)
    try:
        header = _write_pages(fd, received, sums, announcement.position)
    finally:
        os.close(fd)
    return replace(header, min_txid=1)


def _write_pages(fd: int, received: Path, sums: PageSums, position: Position) -> Header:
    """Write a segment's pages over an open database file, fsynced, and prove the result."""
    with MappedSegment(received) as mapped:
        header = mapped.header
        write_over(fd, mapped.pages(), header, sums)
    if Position(header.max_txid, sums.checksum) != position:
        raise WrongPost("The pages that arrived do not give the announced state; a whole snapshot is asked for.")
    with syncing():
        os.fsync(fd)
    return header


def _keep_snapshot(directory: ReplicaDirectory, header: Header, received: Path) -> None:
    target = directory.path(1, header.max_txid, SNAPSHOTS)
    stamp_durably(received, header.timestamp)
    received.replace(target)
    sync_folder(target.parent)
    directory.last_timestamp = max(directory.last_timestamp, header.timestamp)


def encode_database(db_path: Path, header: Header) -> Iterator[bytes]:
    """The database file as a snapshot segment, some pages at a time."""
    encoder, skip = Encoder(header), lock_page(PAGE_SIZE)
    yield encoder.begin()
    with db_path.open("rb") as file:
        for first in range(1, header.commit + 1, BATCH):
            numbers = range(first, min(first + BATCH, header.commit + 1))
            pages = [(number, file.read(PAGE_SIZE)) for number in numbers]
            yield b"".join(encoder.page(number, page) for number, page in pages if number != skip)
    yield encoder.finish()
