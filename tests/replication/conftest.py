"""A writer that acknowledges by itself, and helpers that wait for conditions."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fa.core.position import Position
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope
from fa.replication.secondary import Copy
from fa.replication.writer import Writer

ARRAY = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
OTHER_ARRAY = "6ba7b810-9dad-11d1-80b4-00c04fd430c9"
WAIT_SECONDS = 60.0


def migrate(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a TEXT UNIQUE) STRICT")


def insert(text: str) -> Callable[[sqlite3.Connection], int | None]:
    return lambda connection: connection.execute("INSERT INTO t (a) VALUES (?)", (text,)).lastrowid


class Bench:
    """One node's writer; ``shipped`` is what left it. With ``own_ack`` it is alone in the in-sync set."""

    def __init__(self, home: Path, *, own_ack: bool = True, start: bool = True, **options: Any) -> None:
        home.mkdir(exist_ok=True)
        self.home, self.db = home, home / "store.db"
        self.directory = ReplicaDirectory(home / "replica")
        self.shipped: list[tuple[Envelope, bytes]] = []
        self.dead: list[BaseException] = []
        self.died = threading.Event()
        self.own_ack = own_ack
        self.unacknowledged_most = 0
        options.setdefault("migrate", migrate)
        self.writer = Writer(
            self.db,
            self.directory,
            array_id=ARRAY,
            node_id=1,
            on_segment=self._ship,
            on_dead=self._die,
            **options,
        )
        if start:
            self.writer.start()

    def _ship(self, envelope: Envelope, ltx: bytes) -> None:
        self.shipped.append((envelope, ltx))
        waiting = self.writer.position.txid - self.writer.acknowledged.txid
        self.unacknowledged_most = max(self.unacknowledged_most, waiting)
        if self.own_ack:
            self.writer.acknowledge(envelope.after)

    def _die(self, trouble: BaseException) -> None:
        self.dead.append(trouble)
        self.died.set()

    def begin(self, work: Callable[[sqlite3.Connection], Any]) -> Answer:
        answer = Answer()
        self.writer.submit(work, answer)
        return answer

    def do(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Submit and wait; raises what the work raised."""
        return self.begin(work).result()

    def sql(self, statement: str, *values: object) -> Any:
        return self.do(lambda connection: connection.execute(statement, values).fetchall())

    def wait_shipped(self, count: int) -> None:
        wait_for(lambda: len(self.shipped) >= count)

    def rows(self) -> list[tuple[Any, ...]]:
        return rows(self.db)

    def close(self) -> None:
        self.writer.close()
        self.directory.close()


class Follower:
    """A copy that is fed by hand."""

    def __init__(self, home: Path) -> None:
        home.mkdir(exist_ok=True)
        self.home, self.db = home, home / "store.db"
        self.open()

    def open(self) -> Position:
        """Open, or open again as after a crash."""
        self.directory = ReplicaDirectory(self.home / "replica")
        self.copy = Copy(self.db, self.directory, array_id=ARRAY)
        return self.copy.open()

    def take(self, shipped: Iterable[tuple[Envelope, bytes]], *, apply: bool = True) -> None:
        for envelope, ltx in shipped:
            assert self.copy.receive(envelope, ltx) == envelope.after
            if apply:
                self.copy.apply(envelope.after)

    def close(self) -> None:
        self.copy.close()
        self.directory.close()

    def lead(self, epoch: int) -> Bench:
        """Become the coordinator."""
        self.close()
        bench = Bench(self.home)
        bench.writer.open_epoch(epoch)
        return bench


class Answer:
    """A ``done`` callback that can be waited for."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self.outcome: Any = None
        self.position: Position | None = None

    def __call__(self, outcome: Any, position: Position) -> None:
        self.outcome, self.position = outcome, position
        self._came.set()

    @property
    def came(self) -> bool:
        return self._came.is_set()

    def result(self) -> Any:
        assert self._came.wait(WAIT_SECONDS), "no answer came"
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


def rows(db: Path) -> list[tuple[Any, ...]]:
    """The test table, read with a connection that cannot write."""
    connection = sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT * FROM t ORDER BY id").fetchall()
    finally:
        connection.close()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until ``condition()`` holds."""
    tick = threading.Event()
    for _ in range(int(WAIT_SECONDS / 0.01)):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError("the condition never held")


def memory_backed(fallback: Path) -> Path:
    """A folder where fsync costs nothing, for tests of many transactions; ``fallback`` where there is none."""
    shared = Path("/dev/shm")
    roomy = os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 512 << 20
    return Path(tempfile.mkdtemp(prefix="fa-test-", dir=shared)) if roomy else fallback


@pytest.fixture
def fast_home(tmp_path: Path) -> Iterator[Path]:
    """``memory_backed``, removed afterwards."""
    home = memory_backed(tmp_path)
    yield home
    shutil.rmtree(home)


@pytest.fixture
def bench(fast_home: Path) -> Iterator[Bench]:
    """A started writer in epoch 1 that acknowledges by itself."""
    made = Bench(fast_home / "a")
    made.writer.open_epoch(1)
    yield made
    made.close()


@pytest.fixture
def follower(fast_home: Path) -> Iterator[Follower]:
    """An empty copy."""
    made = Follower(fast_home / "b")
    yield made
    made.close()
