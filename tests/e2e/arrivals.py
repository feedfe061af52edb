"""Files that arrive in a watch folder in ten ways, each with what it came to: for tests and measurements of monitors.

Whoever writes in pieces keeps the file open meanwhile, as those that copy over a network do; a test can then not be
wrong about what is complete, however slow the machine is."""

from __future__ import annotations

import http.client
import os
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import quote

from fa.node.scan import digest_of
from tests.e2e.kit import Array, Failed

Version = tuple[str, int, str]  # path below the volume, size, digest: an identity, but for its times


@dataclass(slots=True)
class Arrivals:
    """`submitted(path)` says how many jobs a file has; who replaces a file waits for the first one."""

    san: Path
    folder: str
    rng: Random
    submitted: Callable[[str], int]
    growing_bytes: int = 2_000_000
    growing_seconds: float = 2.0
    growing_steps: int = 20
    longest_pause: float = 0.0  # seconds between two writes to a file of `appended`
    expected: list[Version] = field(default_factory=list)
    trouble: list[BaseException] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def root(self) -> Path:
        return self.san / self.folder

    def ways(self) -> tuple[Callable[[str], None], ...]:
        return (
            self.slowly, self.preallocated, self.renamed, self.copied_with_old_time, self.truncated_and_rewritten,
            self.replaced, self.linked, self.nested, self.growing, self.at_once,
        )  # fmt: skip

    def thread(self, way: Callable[[str], None], count: int, first: int = 0) -> threading.Thread:
        """So many files of one way, one after the other."""
        names = [f"{way.__name__}-{number}.dat" for number in range(first, first + count)]
        return threading.Thread(target=self._run, args=(way, names))

    def _run(self, way: Callable[[str], None], names: list[str]) -> None:
        try:
            for name in names:
                way(name)
        except BaseException as trouble:
            self.trouble.append(trouble)

    # --- the ways ---

    def slowly(self, name: str) -> None:
        with (self.root / name).open("wb") as file:
            for _ in range(4):
                file.write(self._bytes(5_000))
                file.flush()
                self._pause(0.02, 0.15)
        self.complete(name)

    def preallocated(self, name: str) -> None:
        """Its size is final at once, its content is not."""
        with (self.root / name).open("wb") as file:
            file.truncate(20_000)
            for _ in range(4):
                self._pause(0.02, 0.15)
                file.write(self._bytes(5_000))
                file.flush()
        self.complete(name)

    def renamed(self, name: str) -> None:
        """Under a name that nobody takes, half of it for a while."""
        partial = self.root / f"{name}.part"
        partial.write_bytes(self._bytes(8_000))
        self._pause(0.0, 0.3)
        with partial.open("ab") as file:
            file.write(self._bytes(2_000))
        partial.rename(self.root / name)
        self.complete(name)

    def copied_with_old_time(self, name: str) -> None:
        """As `cp -p` does: at the end its mtime is that of years ago."""
        old = self.san / "elsewhere" / name
        old.parent.mkdir(exist_ok=True)
        old.write_bytes(self._bytes(9_000))
        os.utime(old, (946_684_800, 946_684_800 + self.rng.random()))
        with old.open("rb") as source, (self.root / name).open("wb") as target:
            shutil.copyfileobj(source, target, 3_000)
            self._pause(0.0, 0.2)
            shutil.copystat(old, self.root / name)
        self.complete(name)

    def truncated_and_rewritten(self, name: str) -> None:
        with (self.root / name).open("wb") as file:
            file.write(self._bytes(30_000))
            file.flush()
            self._pause(0.05, 0.3)
            file.seek(0)
            file.truncate()
            file.write(self._bytes(12_000))
        self.complete(name)

    def replaced(self, name: str) -> None:
        """By new content of the same size, after the first was taken."""
        for number in (1, 2):
            fresh = self.root / f".{name}"
            fresh.write_bytes(self._bytes(7_000))
            fresh.rename(self.root / name)
            self.complete(name)
            while number == 1 and self.submitted(f"{self.folder}/{name}") == 0:
                time.sleep(0.5)

    def linked(self, name: str) -> None:
        """Two names of one file are two arrivals."""
        (self.root / f".{name}").write_bytes(self._bytes(6_000))
        os.link(self.root / f".{name}", self.root / name)
        os.link(self.root / f".{name}", self.root / f"linked-{name}")
        (self.root / f".{name}").unlink()
        self.complete(name)
        self.complete(f"linked-{name}")

    def nested(self, name: str) -> None:
        folder = f"day {self.rng.randrange(5)}/reel {self.rng.randrange(5)}"
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.slowly(f"{folder}/{name}")

    def growing(self, name: str) -> None:
        with (self.root / name).open("wb") as file:
            for _ in range(self.growing_steps):
                file.write(self._bytes(self.growing_bytes // self.growing_steps))
                file.flush()
                time.sleep(self.growing_seconds / self.growing_steps)
        self.complete(name)

    def appended(self, name: str) -> None:
        """Opened anew for every piece, so that nothing but standing still tells when it is complete; not one of the
        ten, as `quiet` must be longer than its longest pause."""
        began = written = time.monotonic()
        for step in range(1, self.growing_steps + 1):
            with (self.root / name).open("ab") as file:
                file.write(self._bytes(self.growing_bytes // self.growing_steps))
            self.longest_pause, written = max(self.longest_pause, time.monotonic() - written), time.monotonic()
            time.sleep(max(0.0, began + step * self.growing_seconds / self.growing_steps - written))
        self.complete(name)

    def at_once(self, name: str) -> None:
        """One of a burst."""
        with (self.root / name).open("wb") as file:
            file.write(self._bytes(1_000))
        self.complete(name)

    # --- the books ---

    def complete(self, name: str) -> None:
        path = self.root / name
        fd = os.open(path, os.O_RDONLY)
        try:
            size = os.fstat(fd).st_size
            version = (f"{self.folder}/{name}", size, digest_of(fd, size))
        finally:
            os.close(fd)
        with self._lock:
            self.expected.append(version)

    def _bytes(self, count: int) -> bytes:
        return self.rng.randbytes(16) * (count // 16)

    def _pause(self, low: float, high: float) -> None:
        time.sleep(self.rng.uniform(low, high))


def jobs_of(made: Array) -> Callable[[str], int]:
    """How many jobs a file has; 0 while nobody can say."""

    def submitted(path: str) -> int:
        query = quote(f'source:"san:{path}"')
        for node in made.nodes:
            with suppress(Failed, OSError, http.client.HTTPException):
                return len(node.jobs(query))
        return 0

    return submitted


def taken(database: Path) -> list[Version]:
    """What the store says arrived."""
    store = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return [tuple(row) for row in store.execute("SELECT path, size, digest FROM arrival")]  # type: ignore[misc]
    finally:
        store.close()


def differences(expected: list[Version], found: list[Version]) -> dict[str, list[Version]]:
    """What is lost, what came that never was complete, and what came twice; empty when all is well."""
    wanted, there = Counter(expected), Counter(found)
    return {
        what: versions
        for what, versions in {
            "lost": sorted((wanted - there).elements()),
            "half or twice": sorted((there - wanted).elements()),
        }.items()
        if versions
    }
