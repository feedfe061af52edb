"""Acknowledged single-row commits per second on this machine: 1, 8 and 64 submitters, alone and with a copy.

    python bench/commit.py [--seconds 2] [--dir FOLDER]

"alone": the writer acknowledges by itself (in-sync set of one). "mirrored": a copy in the same process receives every
segment in a thread of its own, fsynced, before it is acknowledged; both share one disk and one interpreter, so this is
a lower bound of what two machines do. Prints one line each: acknowledged and groups per second, p50 and p99 in ms.
"""

from __future__ import annotations

import argparse
import queue
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from fa.core.position import Position
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope
from fa.replication.secondary import Copy
from fa.replication.writer import Writer

ARRAY = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
ROW = "x" * 100


class Run:
    """A writer, with or without a copy, under the load of ``submitters`` that each wait for their answer."""

    def __init__(self, home: Path, mirrored: bool) -> None:
        self.groups = 0
        self.latencies: list[float] = []
        self.segments: queue.SimpleQueue[tuple[Envelope, bytes] | None] = queue.SimpleQueue()
        (home / "b").mkdir()
        self.copy = Copy(home / "b" / "store.db", ReplicaDirectory(home / "b" / "replica"), array_id=ARRAY)
        self.copy.open()
        self.writer = Writer(
            home / "store.db",
            ReplicaDirectory(home / "replica"),
            array_id=ARRAY,
            node_id=1,
            on_segment=self.mirror if mirrored else self.alone,
            on_dead=lambda trouble: sys.exit(f"the writer died: {trouble}"),
            migrate=lambda c: c.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a TEXT)"),
        )
        self.follower = threading.Thread(target=self.follow, daemon=True)
        self.follower.start()
        self.writer.start()
        self.writer.open_epoch(1)

    def alone(self, envelope: Envelope, ltx: bytes) -> None:
        self.groups += 1
        self.writer.acknowledge(envelope.after)

    def mirror(self, envelope: Envelope, ltx: bytes) -> None:
        self.groups += 1
        self.segments.put((envelope, ltx))

    def follow(self) -> None:
        """Take whatever has arrived with one sync, as a node does."""
        item = self.segments.get()
        while item is not None:
            batch = []
            while item is not None:
                batch.append(item)
                if self.segments.empty():
                    break
                item = self.segments.get()
            self.writer.acknowledge(self.copy.receive_all(batch))
            self.copy.apply(self.copy.position)
            item = item and self.segments.get()

    def load(self, submitters: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        waiting = threading.Semaphore(0)

        def submit() -> None:
            begin = time.monotonic()

            def done(outcome: Any, position: Position) -> None:
                now = time.monotonic()
                self.latencies.append(now - begin)
                if now < end:
                    submit()
                else:
                    waiting.release()

            self.writer.submit(lambda c: c.execute("INSERT INTO t (a) VALUES (?)", (ROW,)), done)

        for _ in range(submitters):
            submit()
        for _ in range(submitters):
            waiting.acquire()

    def close(self) -> None:
        self.segments.put(None)
        self.follower.join()
        self.writer.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--dir", type=Path)
    chosen = options.parse_args()
    for mirrored in (False, True):
        for submitters in (1, 8, 64):
            home = Path(tempfile.mkdtemp(dir=chosen.dir))
            run = Run(home, mirrored)
            run.load(submitters, chosen.seconds)
            run.close()
            shutil.rmtree(home)
            cuts = statistics.quantiles(run.latencies, n=100)
            name = "mirrored" if mirrored else "alone"
            rate, groups = len(run.latencies) / chosen.seconds, run.groups / chosen.seconds
            print(
                f"{name:9}{submitters:3} submitters: {rate:8.0f} acked/s {groups:6.0f} groups/s"
                f"  p50 {cuts[49] * 1000:6.2f}  p99 {cuts[98] * 1000:6.2f} ms"
            )


if __name__ == "__main__":
    main()
