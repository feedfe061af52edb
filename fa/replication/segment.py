"""The segment codec: LTX as ltx v0.5.2 writes it and stock Litestream >= 0.5.16 reads it. Pure; no I/O.

    header(100) | page frames | 6 zero bytes | page index | trailer(16)          all integers big-endian

Layout, checksums and traps: REPLICATION.md section 1. Pages are LZ4 blocks (frame flag 1); the header says NO_CHECKSUM
and both database checksums are 0, because Litestream refuses anything else; the rolling checksum travels in the
``Envelope`` and is kept in ``chain.log``. The header's node-id field carries the epoch, so that a directory knows the
epoch of each of its files (REPLICATION.md section 5, pitfall 4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import lz4.block
from fastcrc.crc64 import go_iso

from fa.replication.checksum import HIGH_BIT, Page, lock_page
from fa.replication.errors import SegmentCorrupt, SegmentTruncated

MAGIC = b"LTX1"
NO_CHECKSUM = 2
PAGE_IS_BLOCK = 1
HEADER = struct.Struct(">4sIIIQQqQqqIIQ20x")
FRAME = struct.Struct(">IHI")
END = bytes(6)
TRAILER = struct.Struct(">QQ")
INDEX_LENGTH = struct.Struct(">Q")
TAIL_SIZE = INDEX_LENGTH.size + TRAILER.size
PAGE_SIZES = frozenset(1 << n for n in range(9, 17))


@dataclass(frozen=True, slots=True)
class Header:
    """The first 100 bytes. ``commit`` is the size of the database in pages afterwards, ``timestamp`` unix ms."""

    page_size: int
    commit: int
    min_txid: int
    max_txid: int
    timestamp: int
    epoch: int = 0
    wal_offset: int = 0
    wal_size: int = 0
    salt1: int = 0
    salt2: int = 0

    @property
    def is_snapshot(self) -> bool:
        """Whether the segment holds every page: it begins at the first group commit."""
        return self.min_txid == 1

    def to_bytes(self) -> bytes:
        """The 100 bytes."""
        return HEADER.pack(
            MAGIC, NO_CHECKSUM, self.page_size, self.commit, self.min_txid, self.max_txid, self.timestamp, 0,
            self.wal_offset, self.wal_size, self.salt1, self.salt2, self.epoch,
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, raw: bytes | memoryview) -> Header:
        """Parse and check the first 100 bytes. Raises ``SegmentTruncated``, ``SegmentCorrupt``."""
        if len(raw) < HEADER.size:
            raise SegmentTruncated
        magic, flags, size, commit, low, high, stamp, pre, offset, length, salt1, salt2, node = HEADER.unpack_from(raw)
        if magic != MAGIC or flags != NO_CHECKSUM or pre:
            raise SegmentCorrupt("This is not a segment: its header is not that of an LTX file without checksums.")
        if size not in PAGE_SIZES or not 1 <= low <= high or not commit:
            raise SegmentCorrupt("A segment's header makes no sense: page size, length or transaction numbers.")
        return cls(size, commit, low, high, stamp, node, offset, length, salt1, salt2)


@dataclass(frozen=True, slots=True)
class Segment:
    """A decoded segment; ``pages`` ascend."""

    header: Header
    pages: list[Page]


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a page's frame (header, size, LZ4 block) lies in its file."""

    number: int
    offset: int
    length: int


class Encoder:
    """Makes a segment piece by piece, so that a snapshot larger than memory can be streamed."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._crc = 0
        self._offset = HEADER.size
        self._index = bytearray()
        self._last = 0

    def begin(self) -> bytes:
        """The header's bytes; call first."""
        raw = self._header.to_bytes()
        self._crc = go_iso(raw)
        return raw

    def page(self, number: int, page: bytes | memoryview) -> bytes:
        """The frame of the next page. Pages ascend and are never the lock page."""
        return self.packed(number, page, lz4.block.compress(page, store_size=False))

    def packed(self, number: int, page: bytes | memoryview, block: bytes | memoryview) -> bytes:
        """``page`` when its LZ4 block is at hand already: compaction copies blocks."""
        assert self._last < number <= self._header.commit, "pages of a segment ascend and lie inside the database"
        head = FRAME.pack(number, PAGE_IS_BLOCK, len(block))
        self._crc = go_iso(page, go_iso(head, self._crc))
        frame = head + block
        self._index += uvarint(number) + uvarint(self._offset) + uvarint(len(frame))
        self._offset += len(frame)
        self._last = number
        return frame

    def finish(self) -> bytes:
        """End marker, index and trailer."""
        tail = END + self._index + b"\0" + INDEX_LENGTH.pack(len(self._index) + 1) + bytes(8)
        crc = int(go_iso(tail, self._crc)) | HIGH_BIT
        return tail + crc.to_bytes(8, "big")


def encode(header: Header, pages: Iterable[Page]) -> bytes:
    """A whole segment from ascending pages."""
    encoder = Encoder(header)
    parts = [encoder.begin()]
    parts.extend(encoder.page(number, page) for number, page in pages)
    parts.append(encoder.finish())
    return b"".join(parts)


def decode(raw: bytes | memoryview) -> Segment:
    """Take a segment apart and verify all of it: structure, order, index, CRC.

    Raises ``SegmentTruncated`` when it ends too early, ``SegmentCorrupt`` for every other damage.
    """
    view = memoryview(raw)
    return Segment(Header.from_bytes(view), list(decode_pages(view)))


def decode_pages(view: memoryview) -> Iterator[Page]:
    """The pages one by one; the whole is verified only once the last one was taken. Raises as ``decode``."""
    header = Header.from_bytes(view)
    crc = go_iso(view[: HEADER.size])
    index = bytearray()
    offset, last, count, forbidden = HEADER.size, 0, 0, lock_page(header.page_size)
    while view[offset : offset + len(END)] != END:
        number, size = _frame_head(view, offset)
        start = offset + FRAME.size
        page = unpack_page(view[start : start + size], header.page_size)
        if not last < number <= header.commit or number == forbidden:
            raise SegmentCorrupt("A segment's pages are out of order or lie outside the database.")
        crc = go_iso(page, go_iso(view[offset:start], crc))
        index += uvarint(number) + uvarint(offset) + uvarint(FRAME.size + size)
        yield number, page
        offset, last, count = start + size, number, count + 1
    _check_tail(view[offset:], index, crc)
    _check_whole(header, count)


def page_at(view: memoryview, offset: int, page_size: int) -> tuple[bytes, memoryview]:
    """The page whose frame begins at ``offset``, and its LZ4 block."""
    _, size = _frame_head(view, offset)
    block = view[offset + FRAME.size : offset + FRAME.size + size]
    return unpack_page(block, page_size), block


def _frame_head(view: memoryview, offset: int) -> tuple[int, int]:
    """Page number and block length of the frame at ``offset``."""
    if offset + FRAME.size > len(view):
        raise SegmentTruncated
    number, flags, size = FRAME.unpack_from(view, offset)
    if flags != PAGE_IS_BLOCK:
        raise SegmentCorrupt(f"A segment's page has flags {flags}; only LZ4 blocks (1, Litestream >= 0.5.16) are read.")
    if offset + FRAME.size + size > len(view):
        raise SegmentTruncated
    return number, size


def unpack_page(block: bytes | memoryview, page_size: int) -> bytes:
    """Decompress one page; exactly ``page_size`` bytes or ``SegmentCorrupt``."""
    try:
        page: bytes = lz4.block.decompress(block, uncompressed_size=page_size)
    except lz4.block.LZ4BlockError as trouble:
        raise SegmentCorrupt from trouble
    if len(page) != page_size:
        raise SegmentCorrupt
    return page


def _check_tail(tail: memoryview, index: bytearray, crc: int) -> None:
    """Compare end marker, index and trailer, and hold the CRC against the one computed on the way."""
    expected = END + index + b"\0" + INDEX_LENGTH.pack(len(index) + 1) + bytes(8)
    if len(tail) < len(expected) + 8:
        raise SegmentTruncated
    stored = int.from_bytes(tail[-8:], "big")
    if tail[:-8] != expected or stored != int(go_iso(tail[:-8], crc)) | HIGH_BIT:
        raise SegmentCorrupt


def _check_whole(header: Header, pages: int) -> None:
    """A snapshot holds every page but the lock page."""
    if header.is_snapshot and pages != header.commit - (header.commit >= lock_page(header.page_size)):
        raise SegmentCorrupt("A snapshot lacks pages of the database.")


def parse_index(tail: bytes) -> tuple[int, int]:
    """From a file's last ``TAIL_SIZE`` bytes: where its index begins, counted from the file's end, and its length."""
    if len(tail) != TAIL_SIZE:
        raise SegmentTruncated
    (length,) = INDEX_LENGTH.unpack_from(tail)
    return length + TAIL_SIZE, length


def extents(index: bytes) -> Iterator[Extent]:
    """Read an index (without its length)."""
    position = 0
    while True:
        number, position = read_uvarint(index, position)
        if not number:
            return
        offset, position = read_uvarint(index, position)
        length, position = read_uvarint(index, position)
        yield Extent(number, offset, length)


@lru_cache(maxsize=1 << 14)  # the same numbers of pages and sizes of frames come again and again
def uvarint(value: int) -> bytes:
    """Go's ``binary.PutUvarint``: seven bits a byte, low first, high bit = more follows."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_uvarint(raw: bytes, position: int) -> tuple[int, int]:
    """A number and the position behind it. Raises ``SegmentTruncated``, ``SegmentCorrupt`` (longer than 64 bits)."""
    value = shift = 0
    while True:
        if position >= len(raw):
            raise SegmentTruncated
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise SegmentCorrupt


def file_name(min_txid: int, max_txid: int) -> str:
    """``0000000000000001-00000000000000ff.ltx``."""
    return f"{min_txid:016x}-{max_txid:016x}.ltx"


def parse_name(name: str) -> tuple[int, int] | None:
    """The transaction numbers of a file name; None for any other name."""
    stem, dot, suffix = name.partition(".")
    low, dash, high = stem.partition("-")
    if not (dot and dash) or suffix != "ltx" or len(low) != 16 or len(high) != 16:
        return None
    try:
        numbers = int(low, 16), int(high, 16)
    except ValueError:
        return None
    return numbers if file_name(*numbers) == name and 1 <= numbers[0] <= numbers[1] else None
