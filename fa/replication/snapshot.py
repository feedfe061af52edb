"""Snapshots and page diffs, made from the replica directory alone: the database and its writer are never disturbed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fa.core.position import Position
from fa.replication.checksum import PageSums, lock_page, page_sum
from fa.replication.directory import SNAPSHOTS, ReplicaDirectory, SegmentFile
from fa.replication.durable import place
from fa.replication.errors import CopyDamaged, LineageBroken
from fa.replication.merge import WRITE_BUFFER, Merged, open_plan
from fa.replication.segment import Encoder


def make_snapshot(directory: ReplicaDirectory, txid: int) -> SegmentFile:
    """Write the level-9 file of the state after ``txid``, durably, proved by the recorded checksum where there is one.

    Raises ``LineageBroken`` when the files do not give that state, ``OSError``.
    """
    target, cuts = directory.path(1, txid, SNAPSHOTS), directory.cuts
    if not target.exists():
        with open_plan(directory, txid) as merged:
            _prove(merged, directory.chain.at(txid))
            directory.write_pieces(merged.header, merged.encoded(), level=SNAPSHOTS, cuts=cuts)
    return directory.describe(target)


def snapshot_for_peer(directory: ReplicaDirectory, up_to: int) -> tuple[SegmentFile, Position, int]:
    """A snapshot from which a peer can follow on with single segments up to ``up_to``: file, position, epoch.

    The newest one is used when every segment after it is still here; else one is made of ``up_to``.
    """
    chain = directory.chain
    singles = {found.max_txid for found in directory.files(0) if found.max_txid in chain}
    for file in reversed(directory.files(SNAPSHOTS)):
        txid = file.max_txid
        if txid <= up_to and txid in chain and singles.issuperset(range(txid + 1, up_to + 1)):
            break
    else:
        file = make_snapshot(directory, up_to)
    position, epoch = chain.at(file.max_txid), chain.epoch(file.max_txid)
    if position is None or epoch is None:
        raise CopyDamaged(
            f"The checksum after segment {file.max_txid} is not recorded; no peer can be seeded from here."
        )
    return file, position, epoch


def _prove(merged: Merged, recorded: Position | None) -> None:
    if recorded is None:
        return
    sums = sums_of(merged)
    if sums.checksum != recorded.checksum:
        raise LineageBroken(
            f"The replica directory does not give the state that was recorded after segment {recorded.txid}."
        )


def sums_of(merged: Merged) -> PageSums:
    """Page sums of the merged state, which must be a whole database."""
    skip = lock_page(merged.header.page_size)
    sums = array("Q")
    for number, page, _ in merged.pages():
        if number == skip + 1 and len(sums) == skip - 1:
            sums.append(0)
        if number != len(sums) + 1:
            raise LineageBroken(f"Page {len(sums) + 1} is in no file of the replica directory.")
        sums.append(page_sum(number, page))
    return PageSums(merged.header.page_size, sums)


def write_diff(directory: ReplicaDirectory, position: Position, theirs: PageSums, target: Path) -> int:
    """Write a segment with the pages at ``position`` whose sums differ from ``theirs``; returns how many.

    It is a message between two nodes, not a file for a replica directory: see ``resync.install_diff``.
    Raises ``LineageBroken``, ``OSError``.
    """
    with open_plan(directory, position.txid) as merged:
        _prove(merged, position)
        blank = PageSums(theirs.page_size)  # a segment that begins with the first transaction must hold every page
        differing = set(sums_of(merged).differing(theirs if position.txid > 1 else blank))
        place(target, _diff_pieces(merged, differing))
    return len(differing)


def _diff_pieces(merged: Merged, wanted: set[int]) -> Iterator[bytes]:
    txid = merged.header.max_txid
    encoder = Encoder(replace(merged.header, min_txid=txid))
    parts, size = [encoder.begin()], 0
    for number, page, block in merged.pages():
        if number in wanted:
            parts.append(encoder.packed(number, page, block))
            size += len(parts[-1])
        if size >= WRITE_BUFFER:
            yield b"".join(parts)
            parts, size = [], 0
    parts.append(encoder.finish())
    yield b"".join(parts)
