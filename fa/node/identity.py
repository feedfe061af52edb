"""What a node must never forget, in small checksummed records below `vote/`: who it is, what it promised, what it knows
of its peers. Each is replaced whole and fsynced before the next effect is carried out (SAFETY.md R4, R8)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fa.core.array_chain import Link
from fa.core.array_events import Started
from fa.core.array_messages import Unproven
from fa.core.trust import Mark, PeerMark
from fa.core.view import Ballot
from fa.replication.durable import read_record, write_record


@dataclass(frozen=True, slots=True)
class Identity:
    """`incarnation` names this state directory, `boots` counts its starts, `mark` says whether its copy is believed."""

    incarnation: str
    boots: int = 0
    mark: Mark = Mark.OK
    replaced: int = 0  # the epoch in which the copy was last thrown away, as the coordinator told this node to


class VoteFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def exist(self) -> bool:
        return self._path("identity").exists()

    def boot(self) -> Identity:
        """Count this start, durably. Raises `CopyDamaged` for a record that was tampered with or torn."""
        found = self.identity()
        booted = Identity(found.incarnation, found.boots + 1, found.mark, found.replaced)
        self.save_identity(booted)
        return booted

    def identity(self) -> Identity:
        record = read_record(self._path("identity"))
        assert record is not None, "init or join wrote it"
        return msgspec.convert(record, Identity)

    def save_identity(self, identity: Identity) -> None:
        """A disk that fails to sync is told that it is not believed all the same, as far as it takes that."""
        try:
            self._write("identity", identity)
        except OSError:
            if identity.mark is Mark.OK:
                raise
            write_record(self._path("identity"), msgspec.to_builtins(identity), sync=False)

    def ballot(self) -> Ballot:
        record = read_record(self._path("ballot"))
        return msgspec.convert(record, Ballot) if record else Ballot()

    def save_ballot(self, ballot: Ballot) -> None:
        self._write("ballot", ballot)

    def marks(self) -> tuple[PeerMark, ...]:
        record = read_record(self._path("marks")) or {"marks": []}
        return msgspec.convert(record["marks"], tuple[PeerMark, ...])

    def save_marks(self, marks: tuple[PeerMark, ...]) -> None:
        self._write("marks", {"marks": marks})

    def unproven(self) -> Unproven | None:
        record = read_record(self._path("unproven"))
        return msgspec.convert(record["since"], Unproven | None) if record else None

    def save_unproven(self, unproven: Unproven | None) -> None:
        self._write("unproven", {"since": unproven})

    def started(self, identity: Identity, chain: tuple[Link, ...]) -> Started:
        """The first event of the array core."""
        votes = self.ballot(), chain, self.marks(), self.unproven(), identity.replaced
        return Started(identity.incarnation, identity.boots, identity.mark, *votes)

    def _write(self, name: str, value: Any) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_record(self._path(name), msgspec.to_builtins(value))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
