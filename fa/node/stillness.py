"""For how long nothing was written to what others left on a volume: as this process saw it, by a clock that only grows.
What a file says of when it was written is no measure: the clock of its node, of the file server, or of this node may be
a day wrong, and then what is being encoded at this moment would seem to be left over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fa.node.clock import monotonic

LOOK_EVERY = 600.0  # seconds; a look may walk a folder with thousands of segments
COUNTED = 2 * LOOK_EVERY  # at most so much between two looks: of a volume that was away nobody knows


@dataclass(frozen=True, slots=True)
class _Seen:
    mark: int
    at: float
    still: float


class Stillness:
    """Of what lies on one volume. `enough`: seconds."""

    def __init__(self, enough: float) -> None:
        self._enough = enough
        self._seen: dict[str, _Seen] = {}
        self._asked: set[str] = set()

    def lasted(self, name: str, look: Callable[[], int | None]) -> bool:
        """Whether it was seen unchanged for long enough, now included. `look` gives a mark that changes with whatever
        is written; None when it is gone."""
        self._asked.add(name)
        now, seen = monotonic(), self._seen.get(name)
        if seen and seen.still < self._enough and now < seen.at + LOOK_EVERY:
            return False
        mark = look()
        if mark is None:
            self._seen.pop(name, None)
            return False
        still = seen.still + min(now - seen.at, COUNTED) if seen and seen.mark == mark else 0.0
        self._seen[name] = _Seen(mark, now, still)
        return still >= self._enough

    def forget_others(self) -> None:
        """All that nobody asked about since this was called last: it is gone."""
        self._seen = {name: self._seen[name] for name in self._asked & self._seen.keys()}
        self._asked.clear()
