"""A replica directory in which files are damaged gets a new base, made of the database file of the same node.

Without it the first damaged file stops compaction for good: the directory grows without end, and no other node can be
given a copy from here, although the store itself is whole. Damaged files are moved aside. The moments that need them
are lost here, as in the hole that a resynchronisation leaves; other nodes have them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace

from fa.core.position import Position
from fa.replication.checksum import scan
from fa.replication.directory import ON_THE_WAY, SNAPSHOTS, ReplicaDirectory, SegmentFile
from fa.replication.durable import pwrite_all
from fa.replication.errors import LineageBroken, SegmentCorrupt
from fa.replication.merge import read_over, write_over
from fa.replication.rescue import header_at
from fa.replication.resync import BATCH, encode_database
from fa.replication.segment import Header, decode
from fa.replication.state import PAGE_SIZE

log = logging.getLogger(__name__)

ReadPages = Callable[[int, int], bytes]
"""So many pages of the database file, from that one on; fewer at its end."""


def set_damaged_aside(directory: ReplicaDirectory, below: int) -> list[SegmentFile]:
    """Read every file over and move the damaged ones aside. One that ends at or above txid ``below``, the marker, is
    still needed when the node starts: it is left. Raises ``OSError``."""
    damaged = [file for file in directory.all_files() if file.max_txid < below and _is_damaged(file)]
    directory.set_aside(damaged)
    for file in damaged:
        log.error("%s was damaged: its moments cannot be restored from this node", file.path)
    return damaged


def _is_damaged(file: SegmentFile) -> bool:
    try:
        read_over(file)
    except SegmentCorrupt:
        return True
    return False


def new_base(directory: ReplicaDirectory, read: ReadPages, marked: int, acknowledged: Callable[[], int]) -> SegmentFile:
    """Make a snapshot of what is acknowledged, proved by the recorded checksum, while the store is written.

    The file holds everything up to ``marked`` and perhaps parts of what is acknowledged besides. As at a start, the
    segments above the marker are laid over it: those are all pages that may have changed while it was read.
    Raises ``LineageBroken``, ``SegmentCorrupt``, ``OSError``.
    """
    aside, cuts = directory.root / f"base{ON_THE_WAY}", directory.cuts
    fd = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        first = 1
        while pages := read(first, BATCH):
            pwrite_all(fd, pages, (first - 1) * PAGE_SIZE)
            first += BATCH
        header, position = _bring_forward(directory, fd, marked, max(marked, acknowledged()))
        if directory.chain.at(position.txid) != position:
            raise LineageBroken(f"The file of the store does not give what was recorded after {position.txid}.")
        pieces = encode_database(aside, header)
        return directory.describe(directory.write_pieces(header, pieces, level=SNAPSHOTS, cuts=cuts))
    finally:
        os.close(fd)
        aside.unlink()


def _bring_forward(directory: ReplicaDirectory, fd: int, marked: int, up_to: int) -> tuple[Header, Position]:
    header = header_at(directory, up_to)
    if header is None:
        raise LineageBroken("There is nothing yet of which a base could be made.")
    sums = scan(lambda size, offset: os.pread(fd, size, offset), PAGE_SIZE, os.fstat(fd).st_size)
    for txid in range(marked + 1, up_to + 1):
        segment = decode(directory.path(txid, txid).read_bytes())
        write_over(fd, iter(segment.pages), segment.header, sums)
    header = replace(header, min_txid=1, wal_offset=0, wal_size=0, salt1=0, salt2=0)
    return header, Position(up_to, sums.checksum)
