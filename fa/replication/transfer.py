"""Framing of a snapshot or page diff on its way to a peer: announced size and checksum, bounded chunks, resumable.

Pure but for the file that is read or written; the node moves the bytes.
"""

from __future__ import annotations

import enum
import os
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastcrc.crc64 import go_iso

from fa.core.position import Position
from fa.replication.durable import write_all
from fa.replication.errors import SegmentCorrupt, SegmentTruncated

CHUNK_BYTES = 256 << 10
CHUNK_HEADER = struct.Struct(">QIQ")
ANNOUNCEMENT = struct.Struct(">4sBQQQQQ16s")
MAGIC = b"faT1"


class Kind(enum.Enum):
    """A whole database, or only the pages that differ."""

    SNAPSHOT = 1
    DIFF = 2


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is about to be sent: of which array, the state it gives, how many bytes, and their CRC-64."""

    kind: Kind
    array_id: str
    position: Position
    epoch: int
    size: int
    crc: int

    def to_bytes(self) -> bytes:
        """Fixed-size encoding with a CRC of its own."""
        body = ANNOUNCEMENT.pack(
            MAGIC, self.kind.value, self.position.txid, self.position.checksum, self.epoch, self.size, self.crc,
            uuid.UUID(self.array_id).bytes,
        )  # fmt: skip
        return body + int(go_iso(body)).to_bytes(8, "big")

    @classmethod
    def from_bytes(cls, raw: bytes) -> Announcement:
        """Raises ``SegmentTruncated``, ``SegmentCorrupt``."""
        if len(raw) != ANNOUNCEMENT.size + 8:
            raise SegmentTruncated
        magic, kind, txid, checksum, epoch, size, crc, array = ANNOUNCEMENT.unpack_from(raw)
        if magic != MAGIC or int(go_iso(raw[:-8])).to_bytes(8, "big") != raw[-8:] or kind not in (1, 2):
            raise SegmentCorrupt("The announcement of a snapshot arrived damaged.")
        return cls(Kind(kind), str(uuid.UUID(bytes=array)), Position(txid, checksum), epoch, size, crc)


def announce(kind: Kind, path: Path, array_id: str, position: Position, epoch: int) -> Announcement:
    """Measure a file that is to be sent."""
    crc = size = 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            crc, size = go_iso(piece, crc) if size else go_iso(piece), size + len(piece)
    return Announcement(kind, array_id, position, epoch, size, crc)


def chunks(path: Path, start: int = 0) -> Iterator[bytes]:
    """The file as framed chunks (offset, length, CRC, bytes), from byte ``start`` on."""
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(CHUNK_BYTES):
            yield CHUNK_HEADER.pack(start, len(piece), go_iso(piece)) + piece
            start += len(piece)


class Receiver:
    """Collects the chunks of one announcement into ``path``; ``offset`` is where the sender must go on."""

    def __init__(self, announcement: Announcement, path: Path) -> None:
        self.announcement = announcement
        self.path = path
        self.offset = 0
        self._crc = 0
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)

    def take(self, chunk: bytes) -> bool:
        """Write one chunk; whether that was the last. Raises ``SegmentCorrupt``, ``SegmentTruncated``, ``OSError``."""
        if len(chunk) < CHUNK_HEADER.size:
            raise SegmentTruncated
        offset, length, crc = CHUNK_HEADER.unpack_from(chunk)
        piece = memoryview(chunk)[CHUNK_HEADER.size :]
        if offset != self.offset or length != len(piece) or crc != go_iso(piece):
            raise SegmentCorrupt("A piece of a snapshot arrived damaged or out of turn; it is asked for again.")
        if offset + length > self.announcement.size:
            raise SegmentCorrupt("A snapshot is longer than announced.")
        write_all(self._fd, piece)
        self._crc = go_iso(piece, self._crc) if offset else go_iso(piece)
        self.offset += length
        return self.offset == self.announcement.size

    def finish(self) -> Path:
        """All is there: make it durable. Raises ``SegmentTruncated``, ``SegmentCorrupt``."""
        if self.offset != self.announcement.size:
            raise SegmentTruncated("A snapshot ended before its announced size.")
        if self._crc != self.announcement.crc:
            raise SegmentCorrupt("A snapshot arrived damaged.")
        os.fsync(self._fd)
        self.close()
        return self.path

    def close(self) -> None:
        """Close the file (whole or not)."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
