"""Many segments as one: the newest version of each page. Compaction, snapshots and page diffs read through this.

Every input is verified whole before one of its pages is used. Files are mapped, not loaded; what stays in memory is one
number a page.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from io import FileIO
from itertools import islice
from pathlib import Path
from types import TracebackType

from fa.replication.checksum import Page, PageSums, lock_page
from fa.replication.directory import ReplicaDirectory, SegmentFile
from fa.replication.durable import pwrite_all
from fa.replication.errors import LineageBroken, SegmentCorrupt, SegmentTruncated
from fa.replication.plan import restore_plan
from fa.replication.segment import (
    HEADER,
    TAIL_SIZE,
    Encoder,
    Header,
    decode_pages,
    extents,
    page_at,
    parse_index,
)

OFFSET_BITS = 48
OFFSET_MASK = (1 << OFFSET_BITS) - 1
WRITE_BUFFER = 1 << 20
ATTEMPTS = 5
BATCH_PAGES = 256


def open_plan(directory: ReplicaDirectory, txid: int) -> Merged:
    """The merged state after ``txid``. Raises ``LineageBroken``, ``SegmentCorrupt``.

    The keeper may prune a file between planning and opening (litestream #1270); then the plan is made again, for a file
    of a higher level covers it.
    """
    for _ in range(ATTEMPTS - 1):
        with suppress(FileNotFoundError):
            return Merged(restore_plan(directory.all_files(), txid))
    return Merged(restore_plan(directory.all_files(), txid))


def write_over(fd: int, pages: Iterator[Page], header: Header, sums: PageSums) -> None:
    """Write a segment's pages over a database file (not synced) and carry its sums along.

    Raises ``LineageBroken`` when pages are missing by which the database grew.
    """
    size = header.page_size
    while batch := list(islice(pages, BATCH_PAGES)):
        end = sums.pages
        for number, page in batch:
            _check_no_gap(header, end, number - 1)
            pwrite_all(fd, page, (number - 1) * size)
            end = max(end, number)
        sums.replace(batch, end)
    _check_no_gap(header, sums.pages, header.commit)
    sums.replace((), header.commit)
    os.ftruncate(fd, header.commit * size)


def _check_no_gap(header: Header, end: int, needed: int) -> None:
    """Of a database that has ``end`` pages so far, page ``needed`` must be there; only the lock page is nowhere."""
    if needed > end + (lock_page(header.page_size) == end + 1):
        raise LineageBroken(f"Page {end + 1} is in none of the segments up to {header.max_txid}.")


class MappedSegment:
    """A segment file mapped into memory; a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb", buffering=0) as file:
            _read_through(file)
            try:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as empty:
                raise SegmentTruncated(f"The segment file {path.name} is empty.") from empty
        self.view = memoryview(self._map)
        self.header = Header.from_bytes(self.view[: HEADER.size])

    def __enter__(self) -> MappedSegment:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def pages(self) -> Iterator[Page]:
        """The pages; the file is proved whole once the last was taken. Raises ``SegmentCorrupt`` with its name."""
        try:
            yield from decode_pages(self.view)
        except SegmentCorrupt as trouble:
            raise type(trouble)(f"The segment file {self.path.name} is damaged: {trouble.detail}") from trouble

    def offsets(self) -> Iterator[tuple[int, int]]:
        """Page numbers and the offsets of their frames, from the index."""
        back, length = parse_index(bytes(self.view[-TAIL_SIZE:]))
        start = len(self.view) - back
        for extent in extents(bytes(self.view[start : start + length])):
            yield extent.number, extent.offset

    def close(self) -> None:
        """Unmap; when a page or an exception still points into it, the map goes with the last of them."""
        with suppress(BufferError):
            self.view.release()
            self._map.close()


def _read_through(file: FileIO) -> None:
    """Let a disk that cannot read it say so here, as an ``OSError``: through the map it kills the process (SIGBUS)."""
    buffer = bytearray(min(WRITE_BUFFER, 1 + os.fstat(file.fileno()).st_size))
    while file.readinto(buffer):
        pass


def read_over(file: SegmentFile) -> None:
    """Read all of a file. Raises ``SegmentCorrupt`` when it is damaged, ``FileNotFoundError``."""
    with MappedSegment(file.path) as segment:
        for _ in segment.pages():
            pass


class Merged:
    """The pages of several segments, oldest first, newest version each; a context manager.

    Raises ``LineageBroken`` when they do not follow on each other, ``SegmentCorrupt`` when one is damaged.
    """

    def __init__(self, files: Sequence[SegmentFile]) -> None:
        self._sources: list[MappedSegment] = []
        self._where: dict[int, int] = {}
        try:
            for file in files:
                self._add(file)
        except BaseException:
            self.close()
            raise
        first, last = self._sources[0].header, self._sources[-1].header
        self.header = replace(last, min_txid=first.min_txid, wal_offset=0, wal_size=0, salt1=0, salt2=0)
        self.numbers = sorted(number for number in self._where if number <= last.commit)

    def _add(self, file: SegmentFile) -> None:
        source = MappedSegment(file.path)
        self._sources.append(source)
        self._check(source.header)
        for _ in source.pages():
            pass
        base = (len(self._sources) - 1) << OFFSET_BITS
        for number, offset in source.offsets():
            self._where[number] = base | offset
        if len(self._sources) > 1 and source.header.commit < self._sources[-2].header.commit:
            self._forget_beyond(source.header.commit)

    def _check(self, header: Header) -> None:
        if len(self._sources) < 2:
            return
        before = self._sources[-2].header
        if header.min_txid > before.max_txid + 1 or header.page_size != before.page_size:
            raise LineageBroken(f"Segment {header.min_txid} does not follow on segment {before.max_txid}.")
        if header.epoch < before.epoch and header.epoch:
            raise LineageBroken(
                f"Segment {header.max_txid} is of epoch {header.epoch}, the one before it of {before.epoch}: "
                "two histories are mixed in one directory."
            )

    def _forget_beyond(self, commit: int) -> None:
        """The database shrank: what was beyond is gone, even when it grows again later."""
        for number in [number for number in self._where if number > commit]:
            del self._where[number]

    def __enter__(self) -> Merged:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def pages(self) -> Iterator[tuple[int, bytes, memoryview]]:
        """Number, page and LZ4 block, ascending."""
        for number in self.numbers:
            where = self._where[number]
            view = self._sources[where >> OFFSET_BITS].view
            page, block = page_at(view, where & OFFSET_MASK, self.header.page_size)
            yield number, page, block
            block.release()

    def encoded(self) -> Iterator[bytes]:
        """The merged segment, piece by piece (about ``WRITE_BUFFER`` bytes each)."""
        encoder = Encoder(self.header)
        parts, size = [encoder.begin()], 0
        for number, page, block in self.pages():
            frame = encoder.packed(number, page, block)
            parts.append(frame)
            size += len(frame)
            if size >= WRITE_BUFFER:
                yield b"".join(parts)
                parts, size = [], 0
        parts.append(encoder.finish())
        yield b"".join(parts)

    def close(self) -> None:
        """Unmap everything."""
        for source in self._sources:
            source.close()
        self._sources.clear()
