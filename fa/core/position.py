"""Where a copy of the store stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The end of a chain of segments: how many group commits, and what the database is after them.

    ``txid`` counts group commits from 1 (0 = an empty store). ``checksum`` is the rolling checksum of the whole
    database after that commit (LTX: bit 63 set, XOR of the CRC-64 of every page; see REPLICATION.md section 1). Two
    copies with equal positions hold equal bytes; equal ``txid`` with another ``checksum``: their histories parted.
    """

    txid: int
    checksum: int

    def __str__(self) -> str:
        return f"{self.txid}:{self.checksum:016x}"


EMPTY = Position(0, 0)
