"""When a child is stuck: no picture, no byte and no processor time for too long. Pure: the clock is an argument."""

from __future__ import annotations

from fa.transcode.progress import Progress

BUSY_SHARE = 0.01
"""Of one core. A child that only wakes up to say that nothing happened uses less; one that thinks uses far more."""


class StallWatch:
    """``stuck`` is asked now and then with the last progress and the processor seconds used so far."""

    def __init__(self, stall_after: float, now: float) -> None:
        self._stall_after = stall_after
        self._since = now
        self._marks = (0, 0.0, 0)
        self._cpu = 0.0
        self._asked = now

    @property
    def period(self) -> float:
        """Seconds between two questions: often enough to be late by a quarter at most."""
        return min(5.0, self._stall_after / 4)

    def moved(self, progress: Progress) -> bool:
        """Whether the output grew since the last question; then nobody needs to look for processor time."""
        return (progress.frames, progress.seconds, progress.size) != self._marks

    def stuck(self, progress: Progress, cpu: float, now: float) -> bool:
        """Whether nothing has happened for ``stall_after`` seconds."""
        busy = cpu - self._cpu > BUSY_SHARE * max(0.001, now - self._asked)
        if self.moved(progress) or busy:
            self._since = now
        self._marks = (progress.frames, progress.seconds, progress.size)
        self._cpu, self._asked = max(self._cpu, cpu), now
        return now - self._since >= self._stall_after
