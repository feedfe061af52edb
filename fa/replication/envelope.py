"""What travels around a segment: who made it, in which epoch, between which two states."""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

from fastcrc.crc64 import go_iso

from fa.core.position import Position
from fa.replication.errors import SegmentCorrupt, SegmentTruncated

MAGIC = b"faS1"
BODY = struct.Struct(">4sIQQQQQqQ16s")
CRC = struct.Struct(">Q")
SIZE = BODY.size + CRC.size


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is said of the LTX bytes behind it: ``timestamp`` in unix ms, ``pre`` and ``post`` checksum the database."""

    array_id: str
    epoch: int
    node_id: int
    min_txid: int
    max_txid: int
    pre: int
    post: int
    timestamp: int

    @property
    def before(self) -> Position:
        """The position that a copy must have to take the segment."""
        return Position(self.min_txid - 1, self.pre)

    @property
    def after(self) -> Position:
        """The position of a copy that took it."""
        return Position(self.max_txid, self.post)

    def pack(self, ltx: bytes) -> bytes:
        """One message: the envelope (``SIZE`` bytes, with its own CRC), then the segment."""
        body = BODY.pack(
            MAGIC, len(ltx), self.epoch, self.min_txid, self.max_txid, self.pre, self.post, self.timestamp,
            self.node_id, uuid.UUID(self.array_id).bytes,
        )  # fmt: skip
        return b"".join((body, CRC.pack(go_iso(body)), ltx))


def unpack(message: bytes | memoryview) -> tuple[Envelope, memoryview]:
    """Envelope and segment of one message. Raises ``SegmentTruncated``, ``SegmentCorrupt``."""
    view = memoryview(message)
    if len(view) < SIZE:
        raise SegmentTruncated
    body = view[: BODY.size]
    magic, length, epoch, low, high, pre, post, stamp, node, array = BODY.unpack(body)
    if magic != MAGIC or CRC.unpack(view[BODY.size : SIZE])[0] != go_iso(body):
        raise SegmentCorrupt
    if len(view) != SIZE + length:
        raise SegmentTruncated
    return Envelope(str(uuid.UUID(bytes=array)), epoch, node, low, high, pre, post, stamp), view[SIZE:]
