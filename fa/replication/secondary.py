"""A copy of the store that follows the coordinator: verify, make durable, answer, apply once acknowledged.

The representation is the same for every role: *the database file up to the marker, and segments above it*. A segment
is received into the replica directory (durable, then its position may be answered) and written into the database file
only when it is acknowledged. So what was never acknowledged can be dropped without a trace (``rewind``), a crash in the
middle of applying is healed by applying again, and a writer's left-over WAL is first turned into segments.
Everything a copy claims is proved by the rolling checksum over its own pages (REPLICATION.md section 6).

While a ``Copy`` is open, SQLite must not have the database open in this process.
"""

from __future__ import annotations

import os
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fa.core.position import EMPTY, Position
from fa.replication.checksum import PageSums, Undo, scan
from fa.replication.connection import finds_no_room
from fa.replication.directory import ReplicaDirectory
from fa.replication.durable import pwrite_all
from fa.replication.envelope import Envelope
from fa.replication.errors import (
    CopyDamaged,
    CopyError,
    NeedsResync,
    OtherArray,
    SegmentCorrupt,
    SegmentError,
    SegmentGap,
    SegmentReplay,
    StaleEpoch,
    WrongPost,
    WrongPre,
)
from fa.replication.rescue import Found, epoch_at, find_segments, remove_log
from fa.replication.rot import rotten_pages
from fa.replication.segment import Segment, decode
from fa.replication.state import PAGE_SIZE, Mark, Marker, MarkFile, State

_USER_VERSION = struct.Struct(">I")  # at byte 60 of a database (sqlite.org/fileformat.html)

SCRUB_PAGES = 256
"""Pages read at a time while scrubbing; receiving waits for no more than that."""


@dataclass(slots=True)
class _Pending:
    """A durable segment that is not applied yet; ``segment`` is None when it must be read from its file."""

    position: Position | None
    txid: int
    segment: Segment | None
    touched: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A verified segment that is not durable yet, and how to forget it."""

    envelope: Envelope
    ltx: bytes
    segment: Segment
    undo: Undo


class Copy:
    """The store of a secondary or learner. Methods may be called from several threads; they exclude each other."""

    def __init__(
        self,
        db_path: Path,
        directory: ReplicaDirectory,
        *,
        array_id: str,
        on_version: Callable[[int], object] = lambda version: None,
    ) -> None:
        """``on_version`` is told SQLite's user_version of what was received: at first, and whenever it is another."""
        self._db_path = db_path
        self._directory = directory
        self._array_id = array_id
        self._lock = threading.RLock()
        self._settling = threading.Lock()
        self._pending: deque[_Pending] = deque()
        self._fd = -1
        self._marker: Marker | None = None
        self._sums = PageSums(PAGE_SIZE)
        self._dropped = False
        self.position = self.applied = EMPTY
        self.epoch = 0
        self._on_version = on_version
        self._version = -1

    # ---- opening ----------------------------------------------------------------------------------------------

    def open(self) -> Position:
        """Recover whatever a crash left, prove it, and say where this copy stands (un-acknowledged segments included).

        Raises ``CopyDamaged`` when the pages do not give the recorded checksum, a segment is missing, or a
        resynchronisation was interrupted: then this copy must be fetched again.
        """
        with self._lock:
            mark = MarkFile(self._db_path).read()
            if mark is not Mark.OK:
                raise CopyDamaged(f"This copy of the store is marked {mark.value}; it must be fetched again.")
            self._marker = Marker(self._db_path)
            found = find_segments(self._db_path, self._directory, self._marker.position)
            self._fd = os.open(self._db_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                self._load(found)
            except BaseException:
                self._close()
                raise
            return self.position

    def _load(self, found: Sequence[Found]) -> None:
        """Sums of the file, overlaid with the segments above the marker: those may be half applied already."""
        base = self.marker
        sums = self._overlay(found)
        end = found[-1].txid if found else base.txid
        recorded = self._directory.chain.at(end) if found else base
        position = Position(end, sums.checksum)
        if recorded is not None and recorded != position:
            raise CopyDamaged(
                f"The copy of the store should be at {recorded} but its pages give {position}.",
                hint="It must be fetched again from a healthy node.",
            )
        self._stand_at(position, sums, found)

    def _stand_at(self, position: Position, sums: PageSums, found: Sequence[Found]) -> None:
        chain = self._directory.chain
        if chain.at(position.txid) is None:  # records are not synced one by one; a power cut took this one
            chain.append(position, found[-1].epoch if found else epoch_at(self._directory, position.txid))
        self._sums, self.position, self.applied = sums, position, self.marker
        self.epoch = max(self.epoch, chain.epoch(position.txid) or 0)
        self._pending = deque(_Pending(chain.at(item.txid), item.txid, None, item.touched) for item in found)

    def _overlay(self, found: Iterable[Found]) -> PageSums:
        """The sums after the last of ``found``. If nothing was half applied, records that were lost are made again."""
        chain = self._directory.chain
        size = os.fstat(self._fd).st_size
        sums = scan(lambda count, offset: os.pread(self._fd, count, offset), PAGE_SIZE, size)
        exact = sums.checksum == self.marker.checksum
        self._look_at(os.pread(self._fd, PAGE_SIZE, 0))
        for item in found:
            segment = self._read(item.txid)
            self._look_at(_first_page(segment))
            sums.replace(segment.pages, segment.header.commit)
            if exact and item.txid > chain.last.txid:
                chain.append(Position(item.txid, sums.checksum), item.epoch)
        return sums

    def _read(self, txid: int) -> Segment:
        return decode(self._directory.path(txid, txid).read_bytes())

    # ---- receiving --------------------------------------------------------------------------------------------

    def receive(self, envelope: Envelope, ltx: bytes) -> Position:
        """``receive_all`` of one segment."""
        return self.receive_all([(envelope, ltx)])

    def receive_all(self, segments: Iterable[tuple[Envelope, bytes]]) -> Position:
        """Take segments: verify each, make all durable with one sync, and return the position that may be answered.

        Stops before the first that is refused; raises its ``SegmentError`` when nothing precedes it, and nothing has
        changed then. Raises ``OSError`` when the disk fails: this node must stop (fsync is not retried), or leave the
        in-sync set when the disk is full.
        """
        with self._lock:
            self._check_open()
            before = self.position, self.epoch
            taken: list[_Taken] = []
            try:
                self._verify(segments, taken)
                if taken:
                    self._keep(taken)
            except BaseException:
                for one in reversed(taken):
                    self._sums.revert(one.undo)
                self.position, self.epoch = before
                raise
            return self.position

    def _verify(self, segments: Iterable[tuple[Envelope, bytes]], taken: list[_Taken]) -> None:
        """Move on in memory, segment by segment, up to the first that is refused."""
        for envelope, ltx in segments:
            try:
                self._check_envelope(envelope)
                segment = decode(ltx)
                self._check_header(envelope, segment)
                undo = self._sums.replace(segment.pages, segment.header.commit)
                if self._sums.checksum != envelope.post:
                    self._sums.revert(undo)
                    raise WrongPost
            except SegmentError:
                if taken:
                    return
                raise
            taken.append(_Taken(envelope, ltx, segment, undo))
            self.position, self.epoch = envelope.after, envelope.epoch

    def _keep(self, taken: Sequence[_Taken]) -> None:
        try:
            self._directory.write_journaled(
                [(one.segment.header, one.ltx, one.envelope.pack(one.ltx)) for one in taken]
            )
            self._directory.chain.extend([(one.envelope.after, one.envelope.epoch) for one in taken])
        except OSError:
            self._directory.take_back(one.segment.header for one in taken)
            raise
        for one in taken:
            touched = [number for number, _ in one.segment.pages]
            self._look_at(_first_page(one.segment))
            self._pending.append(_Pending(one.envelope.after, one.envelope.max_txid, one.segment, touched))

    def _look_at(self, header: bytes | memoryview) -> None:
        version = _USER_VERSION.unpack_from(header, 60)[0] if header else self._version
        if version != self._version:
            self._version = version
            self._on_version(version)

    def _check_open(self) -> Marker:
        if self._marker is None or self._fd < 0:
            raise CopyError("This copy of the store is not open.", hint="The log says what stopped it from opening.")
        return self._marker

    def _check_envelope(self, envelope: Envelope) -> None:
        ours = self.position
        if envelope.array_id != self._array_id:
            raise OtherArray
        if envelope.epoch < self.epoch:
            raise StaleEpoch(f"A segment of epoch {envelope.epoch} was refused: this copy follows epoch {self.epoch}.")
        if envelope.max_txid <= ours.txid:
            raise SegmentReplay
        if envelope.min_txid != ours.txid + 1:
            raise SegmentGap(f"Segment {envelope.min_txid} arrived but {ours.txid + 1} is next; it is asked for first.")
        if envelope.pre != ours.checksum:
            raise WrongPre

    def _check_header(self, envelope: Envelope, segment: Segment) -> None:
        header = segment.header
        if header.page_size != PAGE_SIZE:
            raise SegmentCorrupt(f"A segment has pages of {header.page_size} bytes; the store has {PAGE_SIZE}.")
        if header.commit > self._sums.pages + len(segment.pages) + 1:  # + 1: the lock page is never there
            raise SegmentCorrupt("A segment lacks pages by which it lets the database grow.")
        inside = (header.min_txid, header.max_txid, header.timestamp, header.epoch)
        if inside != (envelope.min_txid, envelope.max_txid, envelope.timestamp, envelope.epoch):
            raise SegmentCorrupt("A segment is not the one that its envelope describes.")
        if header.min_txid != header.max_txid:
            raise SegmentCorrupt("A segment of several transactions was shipped; only single ones are.")

    def fence(self, epoch: int) -> None:
        """Refuse segments of lower epochs from now on (the promise itself is persisted by the node)."""
        with self._lock:
            self.epoch = max(self.epoch, epoch)

    # ---- applying ---------------------------------------------------------------------------------------------

    def apply(self, up_to: Position) -> Position:
        """Write the segments up to the acknowledged position into the database file (no fsync: see ``settle``).

        Returns the applied position. A position beyond what was received applies all there is. Raises ``CopyError``
        when this copy went another way.
        """
        with self._lock:
            self._check_open()
            while self._pending and self._pending[0].txid <= up_to.txid:
                item = self._pending[0]
                if item.txid == up_to.txid and item.position not in (None, up_to):
                    raise NeedsResync(f"The array is at {up_to}, this copy has {item.position} there.")
                self._write(item.segment or self._read(item.txid))
                self._pending.popleft()
                self.applied = item.position or self.applied
            return self.applied

    def _write(self, segment: Segment) -> None:
        for number, page in segment.pages:
            pwrite_all(self._fd, page, (number - 1) * PAGE_SIZE)
        os.ftruncate(self._fd, segment.header.commit * PAGE_SIZE)

    def settle(self) -> Position:
        """Make what was applied durable and move the marker, so that older segments may be compacted.

        Receiving and applying go on meanwhile. Returns the marker's position.
        """
        with self._settling:
            with self._lock:
                applied = self.applied
            if self._marker is None or self._fd < 0:
                return self.marker
            self._sync()
            self._directory.flush()
            if applied.txid > self.marker.txid:
                self._marker.move(applied)
            return self.marker

    def _sync(self) -> None:
        """Make the file durable. After one time without room what was applied since the marker is written anew first:
        the kernel may have dropped it, and would report success all the same."""
        with self._lock:
            for txid in range(self.marker.txid + 1, self.applied.txid + 1) if self._dropped else ():
                self._write(self._read(txid))
            self._dropped = False
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            self._dropped = finds_no_room(error)
            raise

    @property
    def marker(self) -> Position:
        """The database file durably holds this; segments from here on must be kept."""
        return self._marker.position if self._marker else EMPTY

    def scrub(self) -> list[int]:
        """Read the whole database file and return the numbers of pages that are not what was written: the disk rots.

        Runs while segments are received and applied; call it from a thread of its own. After a non-empty answer the
        copy is to be opened anew, which proves or repairs it.
        """
        rotten: list[int] = []
        first = 1
        while first <= self._sums.pages:
            with self._lock:
                if self._fd < 0:
                    return []
                rotten += self._scrub(first, min(first + SCRUB_PAGES - 1, self._sums.pages))
            first += SCRUB_PAGES
        return rotten

    def _scrub(self, first: int, last: int) -> list[int]:
        """Pages that waiting segments will overwrite are left out: the sums are ahead of the file there."""
        waiting = {number for item in self._pending for number in item.touched}
        return rotten_pages(self._fd, self._sums, first, last, waiting)

    def read_pages(self, first: int, count: int) -> bytes:
        """Pages of the database file as it is; fewer at its end. Any thread. Raises ``CopyError``, ``OSError``."""
        with self._lock:
            self._check_open()
            return os.pread(self._fd, count * PAGE_SIZE, (first - 1) * PAGE_SIZE)

    # ---- changing roles ---------------------------------------------------------------------------------------

    def promote(self) -> State:
        """Apply everything, durably, and hand the state to a ``Writer``; this object is closed then.

        Raises ``OSError``; without room it can be tried again."""
        with self._settling, self._lock:
            marker = self._check_open()
            while self._pending:
                item = self._pending[0]
                self._write(item.segment or self._read(item.txid))
                self._pending.popleft()
            self.applied = self.position
            self._sync()
            self._directory.flush()
            marker.move(self.position)
            self._close()
            remove_log(self._db_path)
            return State(self.position, self._sums)

    def rewind(self, to: Position) -> None:
        """Drop everything above ``to``: it was never acknowledged. Proved by the checksum before anything is moved.

        Raises ``NeedsResync`` when ``to`` is not in this copy's past or was already overwritten in the database file.
        """
        with self._lock:
            base = self._check_open().position
            if to == self.position:
                return
            if not base.txid <= to.txid < self.position.txid:
                raise NeedsResync(f"This copy is at {self.position}; {to} cannot be reached by cutting.")
            found = find_segments(self._db_path, self._directory, base)
            kept = [item for item in found if item.txid <= to.txid]
            sums = self._overlay(kept)
            if sums.checksum != to.checksum:
                raise NeedsResync(f"This copy has another state at {to.txid} than the array; it is not a common past.")
            self._directory.quarantine(to.txid)
            self._stand_at(to, sums, kept)

    def close(self) -> None:
        """Let go of the database file; what was not settled is applied again at the next ``open``."""
        with self._settling, self._lock:
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def _first_page(segment: Segment) -> bytes | memoryview:
    """Page 1 as this segment has it; empty: it has none. Pages are in ascending order."""
    return segment.pages[0][1] if segment.pages and segment.pages[0][0] == 1 else b""
