"""``chain.log``: what the database was after each segment, and in which epoch it was made.

LTX files carry no checksum of the database (Litestream refuses them, REPLICATION.md section 0), so each node keeps this
list beside them: fixed records of 32 bytes (txid, checksum, epoch, CRC-64 of these), appended without fsync, because
everything in it can be computed again from the files. A torn or damaged tail is cut off when it is opened.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Sequence, Set
from pathlib import Path

from fastcrc.crc64 import go_iso

from fa.core.position import EMPTY, Position
from fa.replication.durable import write_all, write_durably

RECORD = struct.Struct(">QQQQ")
BODY = struct.Struct(">QQQ")
WINDOW = 20_000
"""How many of the latest records are always kept."""


class Chain:
    """The records of one replica directory in memory and on disk. Safe to use from several threads."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._lock = threading.Lock()
        self._records: dict[int, tuple[int, int]] = {}
        self._last = EMPTY
        self._load()
        self._fd = -1 if read_only else self._reopen()

    def _load(self) -> None:
        raw = self._path.read_bytes() if self._path.exists() else b""
        good = 0
        for start in range(0, len(raw) - RECORD.size + 1, RECORD.size):
            txid, post, epoch, crc = RECORD.unpack_from(raw, start)
            if crc != go_iso(raw[start : start + BODY.size]) or txid <= self._last.txid:
                break
            self._records[txid] = (post, epoch)
            self._last = Position(txid, post)
            good = start + RECORD.size
        if good != len(raw) and not self._read_only:
            os.truncate(self._path, good)

    def _reopen(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)

    @property
    def last(self) -> Position:
        """The newest position; ``EMPTY`` when there is none."""
        return self._last

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, txid: int) -> bool:
        return txid in self._records

    def at(self, txid: int) -> Position | None:
        """The position after ``txid``; None when it is not recorded (any more). ``EMPTY`` for 0."""
        if not txid:
            return EMPTY
        record = self._records.get(txid)
        return Position(txid, record[0]) if record else None

    def epoch(self, txid: int) -> int | None:
        """The epoch in which ``txid`` was made; None when it is not recorded (any more)."""
        record = self._records.get(txid)
        return record[1] if record else None

    def append(self, position: Position, epoch: int) -> None:
        """Add the next record; ``txid`` must be higher than all before. Raises ``OSError``."""
        self.extend([(position, epoch)])

    def extend(self, links: Sequence[tuple[Position, int]]) -> None:
        """Add records, all or none. Raises ``OSError``."""
        assert links[0][0].txid > self._last.txid, "a chain only grows; cut it first"
        with self._lock:
            self._write(b"".join(_record(position.txid, position.checksum, epoch) for position, epoch in links))
            for position, epoch in links:
                self._records[position.txid] = (position.checksum, epoch)
            self._last = links[-1][0]

    def _write(self, records: bytes) -> None:
        """Append, or leave the file as it was: half a record would hide all that follow it."""
        try:
            write_all(self._fd, records)
        except OSError:
            os.ftruncate(self._fd, len(self._records) * RECORD.size)
            raise

    def cut(self, after: int) -> None:
        """Forget everything above ``after``, durably."""
        with self._lock:
            if self._last.txid > after:
                self._rewrite({txid: record for txid, record in self._records.items() if txid <= after})

    def trim(self, keep: Set[int]) -> None:
        """Forget old records, durably, except the latest ``WINDOW`` and those in ``keep``; does nothing for a few."""
        with self._lock:
            if len(self._records) > 2 * WINDOW + len(keep):
                floor = self._last.txid - WINDOW
                self._rewrite({t: record for t, record in self._records.items() if t > floor or t in keep})

    def _rewrite(self, records: dict[int, tuple[int, int]]) -> None:
        write_durably(self._path, b"".join(_record(txid, post, epoch) for txid, (post, epoch) in records.items()))
        os.close(self._fd)
        self._fd = self._reopen()
        self._records = records
        txid = next(reversed(records), 0)
        self._last = Position(txid, records[txid][0]) if txid else EMPTY

    def sync(self) -> None:
        """Make all records durable; appending goes on meanwhile."""
        with self._lock:
            fd = os.dup(self._fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Close the file; harmless when it is closed already."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def _record(txid: int, post: int, epoch: int) -> bytes:
    body = BODY.pack(txid, post, epoch)
    return body + int(go_iso(body)).to_bytes(8, "big")
