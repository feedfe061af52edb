"""Capture of the frames of the last commit, by the only writer, in its own thread, straight after COMMIT.

What is verified (REPLICATION.md section 3, and choice (1) at its top): SQLite's wal-index header in ``-shm`` says how
many frames are valid, the checksum of the last one, the salts and the size of the database. Its two copies must agree;
the frames between the last capture and that count must carry the salts; exactly the last one ends a transaction; its
stored checksum must be the one in the index; pages by which the database grew must be there. This detects foreign
writers, SQLite's spill-and-rollback bug (pitfall 1) and our own mistakes; any of them raises ``WALError``.

The descriptors of ``-shm`` and ``-wal`` are opened once and closed only after SQLite: closing a descriptor drops every
POSIX lock that the process holds on that file.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from fa.replication.checksum import Page, lock_page
from fa.replication.errors import WALError

WAL_HEADER = struct.Struct(">IIIIIIII")
WAL_HEADER_SIZE = 32
FRAME_HEADER = struct.Struct(">IIII8s")
FRAME_HEADER_SIZE = 24
INDEX_COPY = struct.Struct("=III B B H II II 4s4s II".replace(" ", ""))
CHECKSUM = struct.Struct(">II")


Pages = dict[int, bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Commit:
    """The pages of one transaction, ascending, the size of the database after it, and where it lies in the WAL."""

    pages: list[Page]
    commit: int
    offset: int
    size: int
    salt1: int
    salt2: int


@dataclass(frozen=True, slots=True)
class Index:
    """The part of the wal-index header that matters."""

    frames: int
    pages: int
    checksum: bytes
    salts: tuple[int, int]


class WalCapture:
    """Follows the WAL of a database that this process alone writes.

    Open it after the first read of the write connection (then the files exist). ``frames`` counts what was captured
    in the present generation of the WAL.
    """

    def __init__(self, db_path: Path, page_size: int, pages: int) -> None:
        self._page_size = page_size
        self._frame_size = FRAME_HEADER_SIZE + page_size
        self._lock_page = lock_page(page_size)
        self._pages = pages
        self._shm = os.open(f"{db_path}-shm", os.O_RDONLY | os.O_CLOEXEC)
        self._wal = os.open(f"{db_path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        self.frames = 0
        self._salts: tuple[int, int] | None = None
        self._sequence = 0
        self._restart_allowed = False

    @property
    def used_bytes(self) -> int:
        """Bytes of the WAL in use."""
        return self.frames * self._frame_size

    def checkpointed(self) -> None:
        """Everything captured so far is in the database file: SQLite may begin the WAL anew at its next commit."""
        self._restart_allowed = True

    def capture(self) -> Commit:
        """The transaction that was just committed. Raises ``WALError``; the writer must stop then."""
        index = self._read_index()
        if index.salts != self._salts:
            self._begin_generation(index)
        count = index.frames - self.frames
        if count <= 0:
            raise WALError("A commit left no new frames in SQLite's log.")
        offset = WAL_HEADER_SIZE + self.frames * self._frame_size
        raw = os.pread(self._wal, count * self._frame_size, offset)
        pages = self._take_apart(raw, count, index)
        self._check_growth(pages, index.pages)
        self.frames, self._pages = index.frames, index.pages
        self._restart_allowed = False
        return Commit(sorted(pages.items()), index.pages, offset, len(raw), *index.salts)

    def _read_index(self) -> Index:
        raw = os.pread(self._shm, 2 * INDEX_COPY.size, 0)
        if len(raw) != 2 * INDEX_COPY.size or raw[: INDEX_COPY.size] != raw[INDEX_COPY.size :]:
            raise WALError("The two copies of SQLite's wal-index header differ, although nobody else may write.")
        fields = INDEX_COPY.unpack_from(raw)
        frames, pages, sum1, sum2, salt1, salt2 = fields[6:12]
        return Index(
            frames, pages, CHECKSUM.pack(sum1, sum2), (int.from_bytes(salt1, "big"), int.from_bytes(salt2, "big"))
        )

    def _begin_generation(self, index: Index) -> None:
        """SQLite began the WAL anew: allowed only after our own complete checkpoint, and numbered on by one.

        The first generation after opening may begin anyhow, as long as nothing of another was captured (pitfall 7).
        """
        raw = os.pread(self._wal, WAL_HEADER_SIZE, 0)
        if len(raw) != WAL_HEADER_SIZE:
            raise WALError("SQLite's log has no header.")
        _, _, page_size, sequence, *salts = WAL_HEADER.unpack(raw)[:6]
        if tuple(salts) != index.salts or page_size != self._page_size:
            raise WALError("SQLite's log and its wal-index disagree about its salts or page size.")
        if self.frames and self._salts is not None:
            follows = sequence == (self._sequence + 1) % 2**32 and salts[0] == (self._salts[0] + 1) % 2**32
            if not (follows and self._restart_allowed):
                raise WALError("SQLite's log was begun anew by somebody else: another program writes to the store.")
        self._salts, self._sequence, self.frames = index.salts, sequence, 0

    def _take_apart(self, raw: bytes, count: int, index: Index) -> Pages:
        if len(raw) != count * self._frame_size:
            raise WALError("SQLite's log is shorter than its wal-index says.")
        view = memoryview(raw)
        pages: Pages = {}
        last = count - 1
        for number in range(count):
            start = number * self._frame_size
            page, commit, salt1, salt2, checksum = FRAME_HEADER.unpack_from(raw, start)
            if (salt1, salt2) != index.salts or bool(commit) != (number == last):
                raise WALError("A frame of SQLite's log is not of the transaction that was just committed.")
            pages[page] = view[start + FRAME_HEADER_SIZE : start + self._frame_size]
        if checksum != index.checksum or commit != index.pages:
            raise WALError("The last frame of SQLite's log is not the one that its wal-index names.")
        return {page: data for page, data in pages.items() if page <= commit}

    def _check_growth(self, pages: Pages, commit: int) -> None:
        """Every page by which the database grew must be there, or a restore fails late (litestream #752, #1199)."""
        for page in range(self._pages + 1, commit + 1):
            if page not in pages and page != self._lock_page:
                raise WALError(f"The database grew to {commit} pages but page {page} is not in SQLite's log.")

    def close(self) -> None:
        """Close both descriptors; only after SQLite's connections are closed."""
        os.close(self._shm)
        os.close(self._wal)
