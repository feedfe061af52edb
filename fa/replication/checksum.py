"""Checksums of pages and of whole databases (REPLICATION.md section 1).

A page's sum is bit 63 | CRC-64/GO-ISO(page number, 4 bytes big-endian, then the page). The database's checksum is
bit 63 | XOR of the sums of its pages; the lock page (at 1 GiB) is never written by SQLite and never counted. XOR makes
the checksum *rolling*: a commit costs only the pages that it changed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from fastcrc.crc64 import go_iso

HIGH_BIT = 1 << 63
PENDING_BYTE = 0x40000000

Page = tuple[int, bytes | memoryview]
"""Page number (from 1) and its bytes."""


class Reader(Protocol):
    """Reads up to ``size`` bytes at ``offset``; fewer only at the end of the file."""

    def __call__(self, size: int, offset: int, /) -> bytes: ...


def lock_page(page_size: int) -> int:
    """The number of the page that SQLite locks bytes of and never stores."""
    return PENDING_BYTE // page_size + 1


def page_sum(number: int, page: bytes | memoryview) -> int:
    """The sum of one page."""
    return int(go_iso(page, go_iso(number.to_bytes(4, "big")))) | HIGH_BIT


@dataclass(frozen=True, slots=True)
class Undo:
    """What ``PageSums.replace`` overwrote: enough to take it back, last first."""

    tail: array[int]
    pages: int
    old: list[tuple[int, int]]


class PageSums:
    """The sums of every page of one state of the database, 8 bytes a page, and their XOR."""

    __slots__ = ("_lock", "_sums", "_xor", "page_size")

    def __init__(self, page_size: int, sums: array[int] | None = None) -> None:
        self.page_size = page_size
        self._lock = lock_page(page_size)
        self._sums = array("Q") if sums is None else sums
        self._xor = 0
        for value in self._sums:
            self._xor ^= value

    @property
    def pages(self) -> int:
        """Size of the database in pages."""
        return len(self._sums)

    @property
    def checksum(self) -> int:
        """The rolling checksum; 0 for a database without pages."""
        return self._xor | HIGH_BIT if self._sums else 0

    def of(self, number: int) -> int:
        """The sum of one page."""
        return self._sums[number - 1]

    def to_bytes(self) -> bytes:
        """The sums, 8 bytes little-endian each, page 1 first: what a page diff sends to its peer."""
        return self._sums.tobytes()

    @classmethod
    def from_bytes(cls, page_size: int, raw: bytes) -> PageSums:
        """The inverse of ``to_bytes``."""
        sums = array("Q")
        sums.frombytes(raw)
        return cls(page_size, sums)

    def replace(self, pages: Iterable[Page], commit: int) -> Undo:
        """Take over the sums of changed pages; the database is ``commit`` pages long afterwards."""
        before = len(self._sums)
        tail = self._resize(commit)
        old = []
        sums, xor = self._sums, self._xor
        for number, page in pages:
            if number > commit or number == self._lock:
                continue
            value = page_sum(number, page)
            was = sums[number - 1]
            old.append((number, was))
            sums[number - 1] = value
            xor ^= was ^ value
        self._xor = xor
        return Undo(tail, before, old)

    def revert(self, undo: Undo) -> None:
        """Take the latest ``replace`` back."""
        for number, was in reversed(undo.old):
            self._xor ^= self._sums[number - 1] ^ was
            self._sums[number - 1] = was
        self._resize(undo.pages - len(undo.tail))
        for value in undo.tail:
            self._xor ^= value
        self._sums.extend(undo.tail)

    def _resize(self, commit: int) -> array[int]:
        """Cut or pad with zeros to ``commit`` pages; returns what was cut off."""
        missing = commit - len(self._sums)
        if missing >= 0:
            self._sums.frombytes(bytes(8 * missing))
            return array("Q")
        tail = self._sums[commit:]
        for value in tail:
            self._xor ^= value
        del self._sums[commit:]
        return tail

    def differing(self, other: PageSums) -> list[int]:
        """Numbers of the pages that ``other`` must take from here to become equal (``other`` is cut to this size)."""
        theirs = other._sums
        known = len(theirs)
        return [
            number
            for number, value in enumerate(self._sums, 1)
            if number != self._lock and (number > known or theirs[number - 1] != value)
        ]


def scan(read: Reader, page_size: int, size: int) -> PageSums:
    """The sums of a database file of ``size`` bytes (a torn last page is left out); reads a megabyte at a time."""
    skip = lock_page(page_size)
    sums = array("Q")
    step = max(1, (1 << 20) // page_size) * page_size
    for offset in range(0, size - size % page_size, step):
        chunk = memoryview(read(min(step, size - size % page_size - offset), offset))
        for start in range(0, len(chunk), page_size):
            number = len(sums) + 1
            sums.append(0 if number == skip else page_sum(number, chunk[start : start + page_size]))
    return PageSums(page_size, sums)
