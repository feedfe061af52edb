"""How often to paint over this link. Pure.

Textual's writer blocks the whole program once thirty frames wait for a slow terminal (FACES.md section 2.5). So after a
repaint that nobody asked for, the terminal is asked where its cursor is; the answer comes when everything before it
was taken in. Until then nothing is painted in the background."""

from __future__ import annotations

from dataclasses import dataclass

GIVE_UP_SECONDS = 20.0  # without an answer, it is painted on nevertheless
FIRST_SECONDS = 3.0  # the same before the first answer: the terminal may be one that never gives any
SLOW_SECONDS = 0.3  # a round trip from which held keys are thinned out
QUESTION = "\x1b[6n"


@dataclass(slots=True)
class Pace:
    """``refresh``: the shortest time between two repaints in the background, seconds."""

    refresh: float = 1.0
    trip: float | None = None  # of the last question, seconds
    asked: float | None = None  # an answer is awaited since
    mute: bool = False
    _painted: float = float("-inf")

    def may_paint(self, now: float) -> bool:
        if self.asked is not None and not self.mute:
            if now - self.asked < (FIRST_SECONDS if self.trip is None else GIVE_UP_SECONDS):
                return False
            self.mute = True
        return now - self._painted >= max(self.refresh * 0.9, 4 * (self.trip or 0.0))

    def painted(self, now: float) -> bool:
        """Something was painted in the background; whether to ask the terminal now."""
        self._painted = now
        if self.mute or self.asked is not None:
            return False
        self.asked = now
        return True

    def answered(self, now: float) -> None:
        """Also late: a terminal that answers at all is asked again."""
        if self.asked is not None:
            self.trip, self.asked, self.mute = now - self.asked, None, False

    @property
    def slow(self) -> bool:
        return self.trip is not None and self.trip > SLOW_SECONDS

    def late(self, age: float) -> bool:
        """Whether a repeated key that waited ``age`` seconds is dropped."""
        return self.slow and age > SLOW_SECONDS
