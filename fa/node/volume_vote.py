"""The helper process that casts the vote of a volume: a chain of immutable numbered records in `.fa/vote/`.

The next record is made by `link(2)` of a private, fsynced file: an exclusive create, decided by the file server, so of
two nodes that read the same record one loses and reads again (SAFETY.md R13; a read-modify-write loses votes). `link`
may report an error and have happened; then the link count of the private file tells (man 2 open). The volume's identity
is looked at each time: on the wrong share, or on an empty mount point, there is no vote.

Reads one JSON line ``[sender, name of the message, message]``, answers with one: ``[name, message]``, or ``null``."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import msgspec

from fa.core.array_messages import MESSAGES, Message
from fa.core.array_volume import Record, serve
from fa.errors import FaError
from fa.node.clock import wall_ms
from fa.node.volume_probe import IDENTITY
from fa.replication.durable import read_record, sync_folder, write_record

FOLDER = ".fa/vote"
RECORDS_KEPT = 1000
SECONDS_KEPT = 24 * 3600  # both: a link that hangs must not land on a number that was given free (SAFETY.md)
CONTENTION_MAX = 100


class NoVote(FaError):
    """The volume cannot vote."""

    code = "no-vote"


class VoteChain:
    """The record chain of one volume. Every call blocks as long as the mount does."""

    def __init__(self, root: Path, array_id: str, name: str) -> None:
        self._root = root
        self._folder = root / FOLDER
        self._array_id = array_id
        self._name = name
        self._known = 0  # the newest number seen

    def enrol(self) -> Record:
        """The newest record; the first one is made here, with a new incarnation, when there is none."""
        self._check_volume()
        self._folder.mkdir(exist_ok=True)
        while (newest := self._newest()) is None:
            self._append(0, Record(self._array_id, secrets.token_hex(8)))
        return newest[1]

    def answer(self, sender: str, message: Message) -> Message | None:
        """Let the voter answer; a changed record is durable before this returns."""
        self._check_volume()
        for _ in range(CONTENTION_MAX):
            newest = self._newest()
            if newest is None:
                raise NoVote(f"Volume {self._name} has lost its vote records; it must be admitted again.")
            number, record = newest
            after, answer = serve(record, sender, message)
            if after == record or self._append(number, after):
                return answer
        raise NoVote(f"Too many nodes write votes to volume {self._name} at once.")

    def _check_volume(self) -> None:
        found = json.loads((self._root / IDENTITY).read_bytes())
        if (found.get("array_id"), found.get("volume")) != (self._array_id, self._name):
            raise NoVote(f"{self._root} is not volume {self._name} of this array.")

    def _newest(self) -> tuple[int, Record] | None:
        """Walk forward from the last known number, by name; at first from the highest that is listed."""
        if not self._known:
            numbers = [int(path.name[2:]) for path in self._folder.glob("r.*") if path.name[2:].isdigit()]
            self._known = max(numbers, default=0)
        record = self._read(self._known) if self._known else None
        while (following := self._read(self._known + 1)) is not None:
            self._known += 1
            record = following
        return (self._known, record) if record else None

    def _read(self, number: int) -> Record | None:
        found = read_record(self._path(number))
        return msgspec.convert(found, Record) if found else None

    def _append(self, number: int, record: Record) -> bool:
        """Make the next record, durably; False when somebody else was faster."""
        if not claim(self._path(number + 1), msgspec.to_builtins(record)):
            return False
        self._known = number + 1
        self._collect()
        return True

    def _collect(self) -> None:
        """Drop one record that is both old and far behind; one a time keeps up with one new one a time."""
        path = self._path(self._known - RECORDS_KEPT)
        with contextlib.suppress(FileNotFoundError):
            if wall_ms() / 1000 - path.stat().st_mtime > SECONDS_KEPT:
                path.unlink()

    def _path(self, number: int) -> Path:
        return self._folder / f"r.{number:08d}"


def claim(path: Path, record: Any) -> bool:
    """Make this record under this name, durably; False when somebody else was faster."""
    private = path.with_name(f"w.{secrets.token_hex(8)}")
    write_record(private, record)
    try:
        os.link(private, path)
    except FileExistsError:
        return False
    except OSError:
        if private.stat().st_nlink != 2:
            raise
    finally:
        private.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def respond(chain: VoteChain, line: str) -> Any:
    """What to print for one line of input."""
    sender, name, body = json.loads(line)
    if name == "Enrol":
        return ["Enrolled", {"incarnation": chain.enrol().incarnation}]
    answer = chain.answer(sender, msgspec.convert(body, MESSAGES[name]))
    return None if answer is None else [type(answer).__name__, msgspec.to_builtins(answer)]


def main(root: str, array_id: str, name: str) -> int:
    chain = VoteChain(Path(root), array_id, name)
    for line in sys.stdin:
        try:
            answer = respond(chain, line)
        except (OSError, FaError, ValueError) as error:
            print(f"volume {name} gives no vote: {error}", file=sys.stderr, flush=True)
            answer = None
        print(json.dumps(answer), flush=True)
    return 0
