"""When a request is tried again, and where: decisions only, shared by the plain and the asynchronous client.

A door that never opened is reported at once: nothing is listening, and waiting would not help. A door that was open is
waited for: the array is electing, or the node restarts. Doing most things twice is the same as once, a submit by its
Idempotency-Key; what is not (`once`) is sent again only as long as nothing can have been done.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

PATIENCE = 30.0  # seconds; an election takes less than 5 (DESIGN.md section 3)
PAUSE_FIRST, PAUSE_MAX = 0.1, 2.0  # seconds between rounds over all doors


class Trouble(Enum):
    """What went wrong with one try."""

    REFUSED = auto()  # nobody listens; nothing was sent
    LOST = auto()  # the connection ended or stalled; the request may have been carried out
    BUSY = auto()  # 503: the node is there, but cannot take it now; it may have been carried out, too
    UNDONE = auto()  # 503, and nothing was begun


STAYS = frozenset({Trouble.BUSY, Trouble.UNDONE})  # at the same door


def busy(headers: Mapping[str, str]) -> Trouble:
    """What a 503 with these headers says."""
    return Trouble.UNDONE if "Fa-Undone" in headers else Trouble.BUSY


class Retry:
    """The tries of one request. ``door`` is the address to use next; times are seconds of one steady clock."""

    def __init__(
        self, doors: int, door: int, opened: bool, started: float, patience: float = PATIENCE, once: bool = False
    ) -> None:
        self.door = door
        self._once = once
        self._doors = doors
        self._opened = opened
        self._until = started + patience
        self._refused = 0  # doors in a row
        self._pause = PAUSE_FIRST

    def after(self, trouble: Trouble, now: float, retry_after: float = 0.0) -> float | None:
        """Seconds to wait before the next try at ``door``; None to give up and report the trouble."""
        self._opened = self._opened or trouble is not Trouble.REFUSED
        self._refused = self._refused + 1 if trouble is Trouble.REFUSED else 0
        if trouble not in STAYS:
            self.door = (self.door + 1) % self._doors
        wait = self._wait(trouble, retry_after)
        return None if wait is None or now + wait > self._until else wait

    def _wait(self, trouble: Trouble, retry_after: float) -> float | None:
        if self._once and trouble in (Trouble.LOST, Trouble.BUSY):
            return None
        if trouble is Trouble.REFUSED and self._refused % self._doors:
            return 0.0
        if trouble is Trouble.REFUSED and not self._opened:
            return None
        pause, self._pause = self._pause, min(self._pause * 2, PAUSE_MAX)
        return max(pause, retry_after)
