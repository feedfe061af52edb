"""Child processes for the kill -9 tests: a writer and a copy that are killed one without the other.

    python -m tests.replication.crashing_apart copy HOME
    python -m tests.replication.crashing_apart writer HOME EPOCH

They speak over the socket HOME/socket: the copy says where it stands, then answers every message (what is acknowledged,
and a segment) with where it stands now. HOME/acked gets one line for every acknowledged row.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from fa.core.position import EMPTY, Position
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope, unpack
from fa.replication.retention import Keeper
from fa.replication.secondary import Copy
from fa.replication.writer import Limits, Writer, wall_clock_ms
from tests.replication.conftest import ARRAY, migrate
from tests.replication.crashing_pair import keep_submitting, recover

HEAD = struct.Struct(">QQI")  # the acknowledged position, bytes of the message
REST = 0.02  # seconds between two looks at a directory: there are two processes, and a test that waits
PLACE = struct.Struct(">QQ")


def exactly(link: socket.socket, count: int) -> bytes:
    raw = b""
    while len(raw) < count:
        more = link.recv(count - len(raw))
        if not more:
            raise ConnectionError("the other end is gone")
        raw += more
    return raw


def serve(home: Path) -> None:
    """The copy."""
    copy, directory = recover(home / "b")
    threading.Thread(target=tend, args=(copy, directory), daemon=True).start()
    place = home / "socket"
    place.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(place))
    door.listen()
    print("running", flush=True)
    while True:
        link, _ = door.accept()
        with suppress(ConnectionError), link:
            link.sendall(PLACE.pack(copy.position.txid, copy.position.checksum))
            while True:
                txid, checksum, size = HEAD.unpack(exactly(link, HEAD.size))
                copy.receive(*unpack(exactly(link, size)))
                copy.apply(Position(txid, checksum))
                link.sendall(PLACE.pack(copy.position.txid, copy.position.checksum))


def tend(copy: Copy, directory: ReplicaDirectory) -> None:
    keeper = Keeper(directory)
    while True:
        keeper.keep(copy.settle().txid, wall_clock_ms())
        time.sleep(REST)


class Link:
    """To the copy; made anew, and brought up to date, as often as that dies."""

    def __init__(self, home: Path, directory: ReplicaDirectory) -> None:
        self._place, self._directory = home / "socket", directory
        self._socket: socket.socket | None = None
        self.acknowledged = EMPTY

    def ship(self, envelope: Envelope, ltx: bytes) -> Position:
        """Where the copy stands once it has this segment."""
        while True:
            try:
                if self._socket is not None:
                    return self._send(envelope, ltx)
                if self.catch_up(envelope.max_txid) == envelope.after:
                    return envelope.after
            except OSError:
                self._socket = None
                time.sleep(0.01)  # it is being started again

    def catch_up(self, txid: int) -> Position:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(self._place))
        position = Position(*PLACE.unpack(exactly(self._socket, PLACE.size)))
        for envelope, ltx in self._directory.segments(position, txid, ARRAY, 1):
            position = self._send(envelope, ltx)
        return position

    def _send(self, envelope: Envelope, ltx: bytes) -> Position:
        assert self._socket is not None, "it is connected"
        message = envelope.pack(ltx)
        place = self.acknowledged
        self._socket.sendall(HEAD.pack(place.txid, place.checksum, len(message)) + message)
        self.acknowledged = Position(*PLACE.unpack(exactly(self._socket, PLACE.size)))
        return self.acknowledged


def write(home: Path, epoch: int) -> None:
    """The writer."""
    mine, directory = recover(home / "a")
    state = mine.promote()
    link = Link(home, directory)
    assert link.catch_up(state.position.txid) == state.position, "the copy has what was recovered here, and no more"
    acked = os.open(home / "acked", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def dead(trouble: BaseException) -> None:
        print(repr(trouble), flush=True)
        os._exit(3)

    def ship(envelope: Envelope, ltx: bytes) -> None:
        writer.acknowledge(link.ship(envelope, ltx))

    writer = Writer(
        home / "a" / "store.db", directory, array_id=ARRAY, node_id=1, on_segment=ship, on_dead=dead, migrate=migrate,
        inherited=state, limits=Limits(wal_bytes=200_000),
    )  # fmt: skip
    writer.start()
    writer.open_epoch(epoch)
    keep_submitting(writer, epoch, acked)
    keeper = Keeper(directory)
    print("running", flush=True)
    while True:
        keeper.keep(writer.checkpointed, wall_clock_ms())
        time.sleep(REST)


if __name__ == "__main__":
    if sys.argv[1] == "copy":
        serve(Path(sys.argv[2]))
    else:
        write(Path(sys.argv[2]), int(sys.argv[3]))
