"""What everybody did, and what the array told them: the checks at the end are made against this."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(slots=True)
class Told:
    """One acknowledged job. `final` is the last final state that a client was told, None once that may have changed;
    `cancels` and `retries`: how often somebody asked for that. `unsure`: one who asked for a retry got no answer, so it
    may happen at any time."""

    id: int
    kind: str
    key: str
    source: str
    final: str | None = None
    cancels: int = 0
    retries: int = 0
    unsure: bool = False


@dataclass(slots=True)
class Book:
    """Written by all threads. `wrong` are answers that no client should ever get; `backlog` is how many
    jobs are not over."""

    path: Path
    jobs: dict[int, Told] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    backlog: int = 0
    dropped: list[str] = field(default_factory=list)  # names of files put into the watch folder
    _early: dict[int, Told] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _began: float = field(default_factory=time.monotonic)

    def note(self, who: str, what: str) -> None:
        """A line of the story."""
        with self._lock, self.path.open("a") as file:
            clock = time.strftime("%H:%M:%S", time.gmtime())
            file.write(f"{clock} {time.monotonic() - self._began:8.2f} {who}: {what}\n")

    def count(self, what: str, more: int = 1) -> None:
        with self._lock:
            self.counts[what] += more

    def fault(self, kind: str, what: str) -> None:
        with self._lock:
            self.faults[kind] += 1
        self.note("fault", f"{kind}: {what}")

    def bad(self, what: str) -> None:
        with self._lock:
            self.wrong.append(what)
        self.note("WRONG", what)

    def acknowledged(self, told: Told) -> None:
        with self._lock:
            if told.id in self.jobs:
                self.bad(f"job {told.id} was given to two requests: {self.jobs[told.id].key} and {told.key}")
            if early := self._early.pop(told.id, None):
                told.cancels, told.retries, told.unsure = early.cancels, early.retries, early.unsure
            self.jobs[told.id] = told

    def some(self, count: int) -> list[int]:
        """The ids of the last ones."""
        with self._lock:
            return list(self.jobs)[-count:]

    def asked(self, action: str, ids: Iterable[int]) -> None:
        """Somebody is about to ask for this: it may happen from now on, whatever is answered."""
        with self._lock:
            for told in map(self._known, ids):
                told.cancels += action == "cancel"
                told.retries += action == "retry"
                told.final = None if action == "retry" else told.final

    def _known(self, job: int) -> Told:
        """Of one that is not acknowledged yet, what will be true of it when it is."""
        return self.jobs.get(job) or self._early.setdefault(job, Told(job, "", "", ""))

    def unanswered(self, action: str, ids: Iterable[int]) -> None:
        with self._lock:
            for told in map(self._known, ids):
                told.unsure |= action == "retry"
                told.final = None if told.unsure else told.final

    def saw(self, job: Any, retries_before: int) -> None:
        """An answer says how a job stands. A state that is final stays, unless somebody asks for a retry: then what
        was said before tells nothing."""
        with self._lock:
            told = self.jobs.get(job["id"])
            if told is None or told.unsure or told.retries != retries_before:
                return
            if told.final and job["state"] != told.final:
                self.count("stale reads")
                return
            if job["state"] in FINAL:
                told.final = job["state"]

    def retries(self, job: int) -> int:
        with self._lock:
            return self.jobs[job].retries if job in self.jobs else 0
