"""How this node came to lead, for the history that people read: no rule looks at it."""

from __future__ import annotations

from typing import Any

from fa.core import array_events as av
from fa.core.array_messages import Beat, HandOver
from fa.core.commands import BeginEpoch
from fa.node.clock import Clock

HANDED = "handed over"
FORCED = "forced by "


class Circumstances:
    """Told by the event loop, asked by the writer's thread: both touch single values only."""

    def __init__(self) -> None:
        self._coordinator = ""
        self._heard_at: float | None = None  # monotonic seconds of its last sign of life
        self._handed_at: float | None = None
        self._forced_by = ""

    def saw(self, event: Any, now: float) -> None:
        match event:
            case av.Received(sender, Beat(view)) if view.coordinator == sender:
                self._coordinator, self._heard_at, self._handed_at = sender, now, None
            case av.Received(sender, HandOver()):
                self._coordinator, self._handed_at = sender, now
            case _:
                pass

    def forced(self, by: str) -> None:
        """An operator forces this node to lead; "" = that was refused."""
        self._forced_by = by

    def led(self) -> None:
        """This node leads: what was heard of others is history."""
        self._coordinator, self._heard_at, self._handed_at, self._forced_by = "", None, None, ""

    def begin(self, epoch: int, node: str, clock: Clock) -> BeginEpoch:
        """The first commit of this node in an epoch."""
        return BeginEpoch(epoch, node, clock.wall(), *self.of(clock.mono()))

    def of(self, now: float) -> tuple[str, int | None]:
        """Why it leads, and ms since the one before was heard last (or began to hand over)."""
        handed, heard = self._handed_at, self._heard_at
        if self._forced_by:
            return f"{FORCED}{self._forced_by}", None if heard is None else int((now - heard) * 1000)
        if handed is not None:
            return f"{self._coordinator} {HANDED}", int((now - handed) * 1000)
        if heard is not None:
            return f"{self._coordinator} was not heard any more", int((now - heard) * 1000)
        return "", None
