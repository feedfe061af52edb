"""Reading a WAL that a writer left behind: the transactions that never became segments.

SQLite is not running then. A frame counts when it carries the salts of the WAL's header and the cumulative checksum
chains up to it; a transaction counts when its last frame names the size of the database. (SQLite's file format,
section 4.2 "The WAL File Format"; REPLICATION.md section 3.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from fa.replication.segment import Header
from fa.replication.wal import CHECKSUM, FRAME_HEADER, FRAME_HEADER_SIZE, WAL_HEADER, WAL_HEADER_SIZE, Commit, Pages

MAGIC_LITTLE, MAGIC_BIG = 0x377F0682, 0x377F0683
MASK = 0xFFFFFFFF

Sum = tuple[int, int]


def transactions(path: Path, page_size: int, last: Header | None) -> Iterator[Commit]:
    """The complete transactions of a WAL behind the one that ``last``, the newest own segment, was made of.

    When ``last`` is of another generation of the WAL, all of it is newer: a WAL is begun anew only after everything in
    it was made into durable segments and checkpointed.
    """
    raw = path.read_bytes() if path.exists() else b""
    start = _check_header(raw, page_size)
    if start is None:
        return
    order, running, salts = start
    offset = WAL_HEADER_SIZE
    if last is not None and (last.salt1, last.salt2) == salts:
        offset = last.wal_offset + last.wal_size
        running = CHECKSUM.unpack_from(raw, offset - page_size - 8) if offset <= len(raw) else running
    yield from _walk(raw, page_size, offset, order, running, salts)


def _check_header(raw: bytes, page_size: int) -> tuple[str, Sum, Sum] | None:
    """Byte order of the checksums, the header's checksum, the salts; None when there is no valid header."""
    if len(raw) < WAL_HEADER_SIZE:
        return None
    magic, _, size, _, salt1, salt2, sum1, sum2 = WAL_HEADER.unpack_from(raw)
    if magic not in (MAGIC_LITTLE, MAGIC_BIG) or size != page_size:
        return None
    order = "<" if magic == MAGIC_LITTLE else ">"
    running = checksum(raw[: WAL_HEADER_SIZE - 8], order, (0, 0))
    return (order, running, (salt1, salt2)) if running == (sum1, sum2) else None


def _walk(raw: bytes, page_size: int, offset: int, order: str, running: Sum, salts: Sum) -> Iterator[Commit]:
    pages: Pages = {}
    begin, step = offset, FRAME_HEADER_SIZE + page_size
    while offset + step <= len(raw):
        number, commit, salt1, salt2, stored = FRAME_HEADER.unpack_from(raw, offset)
        if (salt1, salt2) != salts:
            return
        page = raw[offset + FRAME_HEADER_SIZE : offset + step]
        running = checksum(page, order, checksum(raw[offset : offset + 8], order, running))
        if running != CHECKSUM.unpack(stored):
            return
        pages[number] = page
        offset += step
        if commit:
            kept = sorted((key, data) for key, data in pages.items() if key <= commit)
            yield Commit(kept, commit, begin, offset - begin, *salts)
            pages, begin = {}, offset


def checksum(data: bytes, order: str, start: Sum) -> Sum:
    """SQLite's cumulative WAL checksum over ``data`` (a multiple of 8 bytes) in the byte order ``order``."""
    s0, s1 = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        s0 = (s0 + even + s1) & MASK
        s1 = (s1 + odd + s0) & MASK
    return s0, s1
