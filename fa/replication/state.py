"""What a copy is at one position, and the two small records beside its database."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from fa.core.position import EMPTY, Position
from fa.replication.checksum import PageSums
from fa.replication.durable import read_record, write_record

PAGE_SIZE = 4096
"""Page size of the job store."""


@dataclass(slots=True)
class State:
    """A position and the page sums that prove it."""

    position: Position
    sums: PageSums


class Marker:
    """A durable record: the database file holds everything up to ``position``, whatever happens.

    After a crash the segments above it are written over the file again: they are whole pages, so that is idempotent and
    heals torn ones. Segments above it are therefore never pruned or compacted away.
    """

    def __init__(self, db_path: Path) -> None:
        self._path = db_path.with_name(db_path.name + "-applied")
        record = read_record(self._path)
        self.position = Position(int(record["txid"]), int(record["checksum"], 16)) if record else EMPTY

    def move(self, position: Position) -> None:
        """Note, durably, that the database file was fsynced with everything up to ``position``."""
        if position != self.position:
            write_record(self._path, {"txid": position.txid, "checksum": f"{position.checksum:016x}"})
            self.position = position


class Mark(enum.Enum):
    """Whether a copy may be used (SAFETY.md, ``mark`` of the rules): only ``OK`` may vote, lead or be in sync."""

    OK = "ok"
    RESYNCING = "resyncing"
    SUSPECT = "suspect"


class MarkFile:
    """The mark, durable across crashes: half a copy never passes for a whole one."""

    def __init__(self, db_path: Path) -> None:
        self._path = db_path.with_name(db_path.name + "-mark")

    def read(self) -> Mark:
        """The mark; ``OK`` when none was ever set. Raises ``CopyDamaged`` when the record does not check."""
        record = read_record(self._path)
        return Mark(record["mark"]) if record else Mark.OK

    def set(self, mark: Mark, why: str = "") -> None:
        """Set the mark durably; ``why`` is for the operator."""
        write_record(self._path, {"mark": mark.value, "why": why})
