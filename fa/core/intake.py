"""When a file in a watch folder has settled: decided on successive looks at it, by its owner.

::

    seen first --> settling <--------------+  size, mtime, ctime or inode changed
                      |                    |
                      | the same for       |
                      | `quiet`, marked    |
                      v                    |
                    ready --> offered -----+--> known (the coordinator has it)
                      ^          |
                      +----------+  held open, no closing index yet, refused: again later

What a file server says of a file is only ever compared with what it said before, never with a clock of this machine:
clocks of servers are wrong, and files that are copied may keep the mtime of last year. `now` is monotonic seconds.
While a server does not answer, those that write to it wait too: that time does not count (:meth:`Intake.stalled`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fa.core.arrivals import stat_key
from fa.core.intake_rules import Rules
from fa.core.monitor import End, Monitor
from fa.core.watch_messages import Growing

REFUSED_AGAIN = 20.0  # seconds until what the coordinator refused is offered again
UNREADY_FIRST, UNREADY_LONGEST = 1.0, 60.0  # seconds until a file that could not be taken is looked at again
PATIENCE = 600.0  # seconds that a file may stand still and yet not be complete, before somebody is told
GROWING_SHOWN = 20


class Stamp(NamedTuple):
    """What tells that a file changed. ctime and inode catch what keeps size and mtime: a rename over it, `cp -p`."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(slots=True)
class _Candidate:
    stamp: Stamp
    since: float  # when this stamp was first seen
    seen_at: float
    looks: int = 1  # at this stamp
    rate: float = 0.0  # bytes a second, when it last grew
    offered: bool = False
    again_at: float = 0.0
    waits: float = UNREADY_FIRST
    trouble: str = ""
    hopeless: bool = False  # a person should look at it


class Intake:
    """All files of one watch folder, over many scans: :meth:`begin`, :meth:`see` each, :meth:`end`."""

    def __init__(self, monitor: Monitor) -> None:
        self.rules = Rules(monitor)
        self._monitor = monitor
        self._quiet = 0.0 if monitor.end is End.RENAME else monitor.quiet
        self._looks = 1 if monitor.end is End.RENAME else 2
        self._keys: set[int] = set()
        self._known: dict[str, Stamp] = {}
        self._fresh: dict[str, Stamp] = {}
        self._there: set[str] = set()
        self._candidates: dict[str, _Candidate] = {}
        self._queue: list[tuple[str, Stamp]] = []
        self._now = 0.0
        self.seen = 0

    def learn(self, keys: Iterable[int]) -> None:
        """These are submitted (`arrivals.stat_key`)."""
        self._keys.update(keys)

    def place(self, path: str) -> str:
        """A path below the watched folder as a path on the volume."""
        return f"{self._monitor.folder.path}/{path}"

    # --- one scan ---

    def begin(self, now: float) -> None:
        self._now = now
        self._fresh = {}
        self._there = set()

    def knows(self, path: str) -> bool:
        """Whether the rules let that name through before."""
        return path in self._known

    def see(self, path: str, stamp: Stamp) -> None:
        """A regular file that the rules let through. `path` is below the watched folder."""
        if self._known.get(path) == stamp:
            self._fresh[path] = stamp
            return
        candidate = self._candidates.get(path)
        if candidate is not None and candidate.stamp == stamp:
            candidate.seen_at = self._now
            candidate.looks += 1
        elif stat_key(self.place(path), *stamp[:3]) in self._keys:
            self._fresh[path] = stamp
            self._candidates.pop(path, None)
        else:
            self._changed(path, stamp, candidate)

    def _changed(self, path: str, stamp: Stamp, before: _Candidate | None) -> None:
        made = self._candidates[path] = _Candidate(stamp, self._now, self._now)
        if before is not None and stamp.size > before.stamp.size and self._now > before.seen_at:
            made.rate = (stamp.size - before.stamp.size) / (self._now - before.seen_at)

    def mark(self, path: str) -> None:
        """Any name that is there; end markers are looked for among them."""
        self._there.add(path.lower())

    def end(self, whole: bool, unseen: Sequence[str] = ()) -> None:
        """`whole`: all of the folder was seen, so that what was not is gone. `unseen`: or all but these folders."""
        if whole or unseen:
            away = tuple(f"{folder}/" for folder in unseen)
            self._known = {path: stamp for path, stamp in self._known.items() if path.startswith(away)} | self._fresh
            gone = [path for path, candidate in self._candidates.items() if candidate.seen_at != self._now]
            for path in gone:
                if not path.startswith(away):
                    del self._candidates[path]
        else:
            self._known |= self._fresh
        self._fresh = {}
        self.seen = len(self._known) + len(self._candidates)
        self._queue = self._settled()

    def stalled(self, seconds: float) -> None:
        """The folder did not answer for so long: no file stood still meanwhile, as nobody could write to it."""
        for candidate in self._candidates.values():
            candidate.since += seconds

    # --- what comes of it ---

    def ready(self) -> Iterator[tuple[str, Stamp]]:
        """Files that stood still long enough at the last scan and may be looked at closely, those that stand longest
        first. Each is given out once a scan; whoever stops early finds the others next time."""
        while self._queue:
            yield self._queue.pop()

    @property
    def more(self) -> bool:
        return bool(self._queue)

    def _settled(self) -> list[tuple[str, Stamp]]:
        """The last one first."""
        found = [
            (candidate.since, path, candidate.stamp)
            for path, candidate in self._candidates.items()
            if self._is_ready(path, candidate, self._now)
        ]
        found.sort(reverse=True)
        return [(path, stamp) for _, path, stamp in found]

    def _is_ready(self, path: str, candidate: _Candidate, now: float) -> bool:
        still = candidate.seen_at - candidate.since >= self._quiet and candidate.looks >= self._looks
        return still and not candidate.offered and now >= candidate.again_at and self.rules.is_marked(path, self._there)

    def offered(self, path: str, stamp: Stamp) -> None:
        """It is on its way to the coordinator."""
        candidate = self._of(path, stamp)
        if candidate:
            candidate.offered, candidate.trouble, candidate.hopeless = True, "", False

    def heard(self, path: str, stamp: Stamp) -> None:
        """The coordinator has it, and for ever."""
        self._keys.add(stat_key(self.place(path), *stamp[:3]))
        if self._of(path, stamp):
            del self._candidates[path]
            self._known[path] = stamp

    def refused(self, path: str, stamp: Stamp, why: str, now: float) -> None:
        """The coordinator will not have it as things are; a person can change that."""
        candidate = self._of(path, stamp)
        if candidate:
            candidate.offered, candidate.again_at = False, now + REFUSED_AGAIN
            candidate.trouble, candidate.hopeless = why, True

    def unready(self, path: str, stamp: Stamp, why: str, now: float, *, hopeless: bool = False) -> None:
        """A closer look found that it is not complete, or cannot be read (`hopeless`)."""
        candidate = self._of(path, stamp)
        if candidate:
            candidate.offered, candidate.again_at = False, now + candidate.waits
            candidate.waits = min(2 * candidate.waits, UNREADY_LONGEST)
            candidate.trouble, candidate.hopeless = why, hopeless or now - candidate.since >= PATIENCE

    def _of(self, path: str, stamp: Stamp) -> _Candidate | None:
        candidate = self._candidates.get(path)
        return candidate if candidate and candidate.stamp == stamp else None

    # --- what is shown ---

    @property
    def settling(self) -> int:
        return len(self._candidates) - len(self.troubles())

    def troubles(self) -> list[tuple[str, str]]:
        """(path, why) of what a person should look at."""
        return sorted((path, c.trouble) for path, c in self._candidates.items() if c.hopeless)

    def growing(self) -> tuple[Growing, ...]:
        """What somebody writes to at this moment, the largest first."""
        lately = max(self._quiet, 3 * self._monitor.poll)
        grown = [(c, path) for path, c in self._candidates.items() if c.rate and c.seen_at - c.since < lately]
        grown.sort(key=lambda each: (-each[0].stamp.size, each[1]))
        return tuple(Growing(self.place(path), c.stamp.size, c.rate) for c, path in grown[:GROWING_SHOWN])
