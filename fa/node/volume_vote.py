"""The helper process that casts the vote of a volume: a chain of immutable numbered records in `.fa/vote/`.

The next record is made by `link(2)` of a private, fsynced file: an exclusive create, decided by the file server, so of
two nodes that read the same record one loses and reads again (SAFETY.md R13; a read-modify-write loses votes). `link`
may report an error and have happened; then the link count of the private file tells (man 2 open). The volume's identity
is looked at each time: on the wrong share, or on an empty mount point, there is no vote.

Reads one JSON line ``[sender, name of the message, message]``, answers with one: ``[name, message]``, ``null``, or
``["NoVote", {"why": sentence}]``. Besides messages: `Enrol`, `Renew`, `Look`, answered by `Enrolled`."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import msgspec

from fa.core.array_messages import MESSAGES, Accepted, Message
from fa.core.array_volume import Record, serve
from fa.errors import FaError
from fa.node.clock import wall_ms
from fa.node.volume_memory import Memory, digest_of
from fa.node.volume_probe import IDENTITY
from fa.replication.durable import pack_record, parse_record, sync_folder, write_record
from fa.replication.errors import CopyDamaged

FOLDER = ".fa/vote"
RECORDS_KEPT = 1000
SECONDS_KEPT = 24 * 3600  # both: a link that hangs must not land on a number that was given free (SAFETY.md)
CONTENTION_MAX = 100


class NoVote(FaError):
    """The volume cannot vote."""

    code = "no-vote"


class VoteChain:
    """The record chain of one volume. Every call blocks as long as the mount does. `memory`: a file of this node."""

    def __init__(self, root: Path, array_id: str, name: str, memory: Path) -> None:
        self._root = root
        self._folder = root / FOLDER
        self._array_id = array_id
        self._name = name
        self._memory = Memory(memory)
        self._known = self._memory.seen.number  # the newest, by which it is found

    def enrol(self) -> Record:
        """The newest record of a volume that is to be a voter; a new voter where there is none that is believed."""
        try:
            self._check_volume()
            return self._newest()[1]
        except NoVote:
            return self.renew()

    def renew(self) -> Record:
        """Make it another voter, with a new incarnation, which has promised nothing: for as long as nobody counts it.
        Its record follows on those that are there, so that whoever walks the chain comes to it."""
        self._check_volume()
        self._folder.mkdir(exist_ok=True)
        sync_folder(self._folder.parent)
        record = Record(self._array_id, secrets.token_hex(8))
        for _ in range(CONTENTION_MAX):
            number = self._highest()
            while self._read(number + 1) is not None:
                number += 1
            if self._append(number, record):
                return record
        raise self._contended()

    def look(self) -> Record:
        """The newest record, when another one could be made now."""
        self._check_volume()
        record = self._newest()[1]
        private = private_name(self._folder)
        try:
            write_record(private, {})
        finally:
            private.unlink(missing_ok=True)
        return record

    def answer(self, sender: str, message: Message) -> Message | None:
        """Let the voter answer; a changed record is durable before this returns."""
        self._check_volume()
        for _ in range(CONTENTION_MAX):
            number, record = self._newest()
            after, answer = serve(record, sender, message)
            if after == record:
                if isinstance(answer, Accepted):  # who made this record may have died before it was durable
                    sync_folder(self._folder)
                return answer
            if self._append(number, after):
                return answer
        raise self._contended()

    def _check_volume(self) -> None:
        found = json.loads((self._root / IDENTITY).read_bytes())
        if not isinstance(found, dict) or (found.get("array_id"), found.get("volume")) != (self._array_id, self._name):
            raise NoVote(f"{self._root} is not volume {self._name} of this array.")

    def _newest(self) -> tuple[int, Record]:
        """Walk forward from the last known number, by name; from the highest that is listed where there is no such
        record: at first, and when it was collected since. Raises `NoVote`: lost records are no empty promise (R8)."""
        number, raw = self._known, self._read(self._known)
        if raw is not None and number == self._memory.seen.number:
            self._compare(raw)
        if raw is None:
            number = self._highest()
            raw = self._read(number)
        while (following := self._read(number + 1)) is not None:
            number, raw = number + 1, following
        if raw is None:
            raise NoVote(f"Volume {self._name} has lost its vote records.")
        record = self._parse(number, raw)
        if objection := self._memory.check(number, record, digest_of(raw)):
            raise NoVote(f"Volume {self._name} is not believed: {objection}.")
        self._known = number
        return number, record

    def _compare(self, raw: bytes) -> None:
        """With what this node has seen under this number: the chain may have grown again since it was cut."""
        digest = digest_of(raw)
        if digest == self._memory.seen.digest:
            return
        with contextlib.suppress(NoVote):
            if why := self._memory.seen.rewritten(self._parse(self._memory.seen.number, raw), digest):
                self._memory.doubt(why)

    def _highest(self) -> int:
        """The highest number that is listed; 0: none. An unreadable folder is no empty one: raises `OSError`."""
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 (glob takes what it may not read for empty)
        except FileNotFoundError:
            return 0
        return max((int(name[2:]) for name in names if name.startswith("r.") and name[2:].isdecimal()), default=0)

    def _read(self, number: int) -> bytes | None:
        try:
            return self._path(number).read_bytes() if number else None
        except FileNotFoundError:
            return None

    def _parse(self, number: int, raw: bytes) -> Record:
        """Raises `NoVote` for a record that is torn, or of another array."""
        try:
            record = msgspec.convert(parse_record(raw, self._path(number).name), Record)
        except (CopyDamaged, ValueError) as error:
            raise NoVote(f"Vote record {number} of volume {self._name} is damaged.") from error
        if record.array_id != self._array_id:
            raise NoVote(f"Vote record {number} of volume {self._name} is of another array ({record.array_id}).")
        return record

    def _contended(self) -> NoVote:
        return NoVote(f"Too many nodes write votes to volume {self._name} at once.")

    def _append(self, number: int, record: Record) -> bool:
        """Make the next record, durably; False when somebody else was faster."""
        body = msgspec.to_builtins(record)
        if not claim(self._path(number + 1), body):
            return False
        self._known = number + 1
        self._memory.check(self._known, record, digest_of(pack_record(body)))
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
    private = private_name(path.parent)
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


def private_name(folder: Path) -> Path:
    return folder / f"w.{secrets.token_hex(8)}"


def respond(chain: VoteChain, line: str) -> Any:
    """What to print for one line of input."""
    sender, name, body = json.loads(line)
    enrolled = {"Enrol": chain.enrol, "Renew": chain.renew, "Look": chain.look}.get(name)
    if enrolled:
        return ["Enrolled", {"incarnation": enrolled().incarnation}]
    answer = chain.answer(sender, msgspec.convert(body, MESSAGES[name]))
    return None if answer is None else [type(answer).__name__, msgspec.to_builtins(answer)]


def why_not(name: str, error: Exception) -> str:
    """A sentence for people."""
    if isinstance(error, FaError):
        return error.detail
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"No vote record of volume {name} can be read or made: {reason}."


def main(root: str, array_id: str, name: str, memory: str) -> int:
    chain = VoteChain(Path(root), array_id, name, Path(memory))
    for line in sys.stdin:
        try:
            answer = respond(chain, line)
        except (OSError, FaError, ValueError) as error:
            answer = ["NoVote", {"why": why_not(name, error)}]
        print(json.dumps(answer), flush=True)
    return 0
