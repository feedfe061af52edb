"""Fixed sets of jobs that somebody looked at and is about to act on.

What is done is done to what was listed, not to what matches by the time of the answer (docker/cli issue 3014). The
coordinator keeps the sets in memory: a new one, or the same one in a later epoch, does not know them, and says so
before anything is done. Losing a set costs a look at the list; acting on the wrong one could cost a day's work."""

from __future__ import annotations

import secrets
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from fa.errors import SelectionGone

KEPT_SECONDS = 600.0
OF_ONE_MAX = 8  # sets of one person: a ninth takes the place of the one used longest ago
IDS_MAX = 2_000_000  # of all sets together: sixteen megabytes


@dataclass(slots=True)
class _Kept:
    ids: array[int]
    by: str
    epoch: int
    until: float


class Selections:
    """`now` is a steady clock in seconds. Sets are held in the order of their last use."""

    def __init__(self, now: Callable[[], float], ids_max: int = IDS_MAX) -> None:
        self._now, self._ids_max = now, ids_max
        self._kept: dict[str, _Kept] = {}

    def keep(self, ids: array[int], by: str, epoch: int) -> str:
        """The name of the set from now on; a secret, so that nobody comes upon it by guessing."""
        self._forget_old()
        theirs = [name for name, kept in self._kept.items() if kept.by == by]
        if len(theirs) >= OF_ONE_MAX:
            del self._kept[theirs[0]]
        while self._kept and self._held() + len(ids) > self._ids_max:
            del self._kept[next(iter(self._kept))]
        name = secrets.token_urlsafe(18)
        self._kept[name] = _Kept(ids, by, epoch, self._now() + KEPT_SECONDS)
        return name

    def find(self, name: str, by: str, epoch: int) -> array[int]:
        """The ids, the newest first. Raises `SelectionGone`; that a set is somebody else's is not told."""
        self._forget_old()
        kept = self._kept.get(name)
        if kept is None or kept.by != by or kept.epoch != epoch:
            raise SelectionGone
        kept.until = self._now() + KEPT_SECONDS
        self._kept[name] = self._kept.pop(name)
        return kept.ids

    def _held(self) -> int:
        return sum(len(kept.ids) for kept in self._kept.values())

    def _forget_old(self) -> None:
        now = self._now()
        self._kept = {name: kept for name, kept in self._kept.items() if kept.until > now}
