"""A child process for the kill -9 tests: a writer and a copy, each with its own directory; acknowledged rows are noted.

    python -m tests.replication.crashing_pair HOME EPOCH

HOME/acked gets one line for every acknowledged row, written (not fsynced: kill -9 loses no page cache) after the copy
has answered for it.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import Any

from fa.core.position import Position
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope
from fa.replication.resync import file_sums, install
from fa.replication.retention import Keeper
from fa.replication.secondary import Copy
from fa.replication.snapshot import write_diff
from fa.replication.transfer import Kind, announce
from fa.replication.writer import Limits, Writer, wall_clock_ms
from tests.replication.conftest import ARRAY, insert, migrate


def recover(home: Path) -> tuple[Copy, ReplicaDirectory]:
    directory = ReplicaDirectory(home / "replica")
    copy = Copy(home / "store.db", directory, array_id=ARRAY)
    copy.open()
    return copy, directory


def follow(writer_directory: ReplicaDirectory, position: Position, home: Path) -> tuple[Copy, ReplicaDirectory]:
    """The copy, caught up by segments, or by a page diff where the records of some were lost."""
    copy, directory = recover(home)
    for envelope, ltx in writer_directory.segments(copy.position, position.txid, ARRAY, 1):
        copy.receive(envelope, ltx)
    copy.apply(copy.position)
    if copy.position != position:
        common = copy.position
        copy.close()
        made = home / "diff"
        write_diff(writer_directory, position, file_sums(home / "store.db"), made)
        epoch = writer_directory.chain.epoch(position.txid) or 0
        install(home / "store.db", directory, ARRAY, announce(Kind.DIFF, made, ARRAY, position, epoch), made, common)
        copy = Copy(home / "store.db", directory, array_id=ARRAY)
        assert copy.open() == position
    return copy, directory


def main(home: Path, epoch: int) -> None:
    mine, directory = recover(home / "a")
    position = mine.position
    state = mine.promote()
    copy, _ = follow(directory, position, home / "b")
    acked = os.open(home / "acked", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def ship(envelope: Envelope, ltx: bytes) -> None:
        writer.acknowledge(copy.receive(envelope, ltx))
        copy.apply(envelope.after)

    def dead(trouble: BaseException) -> None:
        print(repr(trouble), flush=True)
        os._exit(3)

    writer = Writer(
        home / "a" / "store.db",
        directory,
        array_id=ARRAY,
        node_id=1,
        on_segment=ship,
        on_dead=dead,
        migrate=migrate,
        inherited=state,
        limits=Limits(wal_bytes=200_000),
    )
    writer.start()
    writer.open_epoch(epoch)
    keep_submitting(writer, epoch, acked)
    keeper, copy_keeper = Keeper(directory), Keeper(copy._directory)
    print("running", flush=True)
    while True:
        copy_keeper.keep(copy.settle().txid, wall_clock_ms())
        keeper.keep(writer.checkpointed, wall_clock_ms())


def keep_submitting(writer: Writer, epoch: int, acked: int) -> None:
    """Sixteen rows on their way at any time, from now on; a line into ``acked`` for each that was acknowledged."""
    numbers = itertools.count()

    def submit() -> None:
        text = f"{epoch}-{next(numbers)}"

        def done(outcome: Any, position: Position) -> None:
            assert not isinstance(outcome, BaseException), outcome
            os.write(acked, f"{text}\n".encode())
            submit()

        writer.submit(insert(text), done)

    for _ in range(16):
        submit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
