"""The one place that looks at clocks."""

from __future__ import annotations

import time

from fa.core.work import Moment


def monotonic() -> float:
    """Seconds that only grow; what rules and time-outs look at."""
    return time.monotonic()


def wall_ms() -> int:
    """Milliseconds since 1970 UTC, for people."""
    return time.time_ns() // 1_000_000


class Clock:
    """Monotonic seconds for rules, wall milliseconds for people."""

    def mono(self) -> float:
        return monotonic()

    def wall(self) -> int:
        return wall_ms()

    def now(self) -> Moment:
        return Moment(self.mono(), self.wall())
