"""Is this node's copy of the store what the array says it is? Everything of it is read: the database file, each file of
the replica directory, and what they give when they are restored, by our code and by a tool that we did not write.

Nothing is changed, and everything found is told as a sentence. Calls block for as long as reading takes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

from fa.core.position import Position
from fa.errors import FaError
from fa.replication.directory import ReplicaDirectory
from fa.replication.errors import SegmentCorrupt, StockToolFailed
from fa.replication.litestream import find_program, verify
from fa.replication.merge import read_over
from fa.replication.restore import restore_nothing
from fa.replication.rot import sentence
from fa.replication.state import PAGE_SIZE

COPIES = 2  # of the database that a comparison makes, by us and by the stock tool
SPARE_BYTES = 16 << 20  # are left to the store besides
BY_STOCK, SAME_ROWS, NOT_HERE = "identical", "same rows", "not installed"


@dataclass(slots=True)
class Checkup:
    """What was read, and what is wrong (`problems`); `litestream` says what the stock tool made of it."""

    txid: int
    checksum: str
    pages: int = 0
    rotten: list[int] = field(default_factory=list)
    files: int = 0
    damaged: list[str] = field(default_factory=list)
    restored: bool = False
    litestream: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def examine(directory: ReplicaDirectory, at: Position, pages: int, scrub: Callable[[], list[int]]) -> Checkup:
    """Look at everything. `at`: where the array stands, which every complete copy has; `scrub` reads the database file,
    of `pages` pages, and gives those that rotted."""
    found = Checkup(at.txid, f"{at.checksum:016x}", pages)
    mine = directory.chain.at(at.txid)
    if mine is None:
        found.problems.append(f"It does not hold transaction {at.txid}, which the coordinator acknowledged.")
    elif mine != at:
        found.checksum = f"{mine.checksum:016x}"
        found.problems.append(
            f"After transaction {at.txid} its pages give {mine.checksum:016x}, those of the coordinator "
            f"{at.checksum:016x}: the copies differ."
        )
    _guarded(found, lambda: _file(found, scrub))
    _guarded(found, lambda: _segments(found, directory))
    if mine is not None:
        _guarded(found, lambda: _restores(found, directory, mine))
    return found


def _guarded(found: Checkup, look: Callable[[], None]) -> None:
    """What cannot be looked at is a finding too, and no reason not to look at the rest."""
    try:
        look()
    except (FaError, OSError) as error:
        found.problems.append(str(error))


def _file(found: Checkup, scrub: Callable[[], list[int]]) -> None:
    found.rotten = scrub()
    if found.rotten:
        heal = "Restart this node: it makes the file whole from its segments, or from another copy."
        found.problems.append(f"{sentence(found.rotten)} {heal}")


def _segments(found: Checkup, directory: ReplicaDirectory) -> None:
    """Every file, also those that no restore of now would open."""
    for file in directory.all_files():
        try:
            read_over(file)
        except FileNotFoundError:
            continue  # compacted meanwhile
        except SegmentCorrupt:
            name = str(file.path.relative_to(directory.root))
            found.damaged.append(name)
            found.problems.append(
                f"The segment file {name} is damaged: restore transactions {file.min_txid} to {file.max_txid} from the "
                "replica directory of another node."
            )
        found.files += 1


def _restores(found: Checkup, directory: ReplicaDirectory, at: Position) -> None:
    needed = COPIES * found.pages * PAGE_SIZE + SPARE_BYTES
    if shutil.disk_usage(directory.root).free < needed:  # a disk that is full, for a look, is one that takes no jobs
        found.problems.append(f"It was not restored: that takes {needed >> 20} MiB of room in {directory.root}.")
        return
    try:
        find_program()
    except StockToolFailed:
        found.litestream = NOT_HERE
        restored = restore_nothing(directory, at.txid)
    else:
        report = verify(directory, txid=at.txid)
        restored, found.rows = report.restored, report.rows
        found.litestream = BY_STOCK if report.identical else SAME_ROWS
    found.restored = restored.position == at
    if not found.restored:
        found.problems.append(f"Its replica directory gives {restored.position} where the store is at {at}.")
