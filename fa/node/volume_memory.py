"""What this node has seen of the vote records of a volume, beside its own votes: a volume that was set back in time is
noticed by whoever has seen more of it (SAFETY.md R8), also after a restart.

Best effort: the file is replaced without a sync, so a power cut of this node may take the last of it; and who has not
seen what was lost cannot miss it."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from fa.core.array_volume import Record
from fa.errors import FaError
from fa.replication.durable import read_record, write_record

FORMER_KEPT = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest record: whose it was, its number, its epoch, and what its bytes come to. `former`: those that another
    one took the place of. `doubt`: why this one is not believed any more, whatever follows on it."""

    incarnation: str = ""
    number: int = 0
    epoch: int = 0
    digest: str = ""
    former: tuple[str, ...] = ()
    doubt: str = ""

    def objection(self, number: int, record: Record) -> str:
        """Why this cannot be the newest record, in words; empty when nothing speaks against it."""
        epoch = record.ballot.epoch
        if record.incarnation in self.former:
            return "its records are those of a vote that another one took the place of"
        if record.incarnation != self.incarnation:
            return ""
        if self.doubt or (number >= self.number and epoch >= self.epoch):
            return self.doubt
        was = f"this node has seen record {self.number} of epoch {self.epoch}"
        return f"it was set back in time: its newest record is {number} of epoch {epoch}, but {was}"

    def rewritten(self, record: Record, digest: str) -> str:
        """The same of the record that has the number of this one now: somebody else may have made it anew."""
        if record.incarnation != self.incarnation or digest == self.digest:
            return ""
        return f"it was set back in time: its vote record {self.number} is another one than this node has seen"

    def noted(self, number: int, record: Record, digest: str) -> Seen:
        former = self.former
        if self.incarnation and record.incarnation != self.incarnation:
            former = (*former, self.incarnation)[-FORMER_KEPT:]
        return Seen(record.incarnation, number, record.ballot.epoch, digest, former)


def digest_of(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=8).hexdigest()


class Memory:
    """Of one volume, in a file of this node."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seen = self._load()

    def check(self, number: int, record: Record, digest: str) -> str:
        """Take note of the newest record; why it is not believed, empty: it is."""
        why = self.seen.objection(number, record)
        if not why:
            self._keep(self.seen.noted(number, record, digest))
        elif record.incarnation == self.seen.incarnation:
            self.doubt(why)
        return why

    def doubt(self, why: str) -> None:
        """Of the one that was seen, for ever."""
        self._keep(replace(self.seen, doubt=self.seen.doubt or why))

    def _keep(self, seen: Seen) -> None:
        """A vote is not withheld because the node's own disk cannot note it."""
        if seen == self.seen:
            return
        self.seen = seen
        with contextlib.suppress(OSError):
            write_record(self._path, msgspec.to_builtins(seen), sync=False)

    def _load(self) -> Seen:
        """A file that a power cut damaged is as good as none."""
        try:
            found = read_record(self._path)
            return msgspec.convert(found, Seen) if found else Seen()
        except (OSError, ValueError, FaError):
            return Seen()
