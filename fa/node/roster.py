"""The members as this node was last told by a coordinator, on disk, so that it finds them after a restart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from fa.node.wire import RosterEntry
from fa.replication.durable import read_record, write_record


class RosterFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, RosterEntry]:
        record = read_record(self._path) or {"members": []}
        return {entry.name: entry for entry in msgspec.convert(record["members"], list[RosterEntry])}

    def save(self, members: Mapping[str, RosterEntry]) -> None:
        """Whole and fsynced, or not at all."""
        write_record(self._path, {"members": msgspec.to_builtins([entry for _, entry in sorted(members.items())])})
