"""Tasks whose output found no room on its volume: what was free then, so that they are not encoded in vain again.

The coordinator gives such a task again and again, after a wait; the node looks first. Remembered by the node only: one
that was restarted, or another one, tries once more."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from math import inf
from time import monotonic

MORE_SHARE, MORE_BYTES = 1.1, 1 << 20  # as much has to be free as was, times that, and that
PLENTY = 10  # where more than one of so many bytes is free, it was a quota that refused, or something else that figures
ASK_AGAIN = 600.0  # do not show: then it is tried after so many seconds
KEPT = 10_000  # tasks; the oldest go


@dataclass(frozen=True, slots=True)
class Space:
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class _Shortage:
    free: int
    until: float


def space_of(root: str) -> Space:
    """Blocking."""
    found = os.statvfs(root)
    return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


class Shortages:
    def __init__(self) -> None:
        self._found: OrderedDict[int, _Shortage] = OrderedDict()

    def found(self, task: int, space: Space, quota: bool) -> None:
        """It found no room; this much is free now that what it wrote is gone."""
        shows = not quota and space.free * PLENTY <= space.total
        self._found[task] = _Shortage(space.free, inf if shows else monotonic() + ASK_AGAIN)
        while len(self._found) > KEPT:
            self._found.popitem(last=False)

    def lasts(self, task: int, space: Space) -> bool:
        """Whether there is no more room than when it found none."""
        before = self._found.get(task)
        if before is None:
            return False
        if monotonic() < before.until and space.free <= before.free * MORE_SHARE + MORE_BYTES:
            return True
        del self._found[task]
        return False
