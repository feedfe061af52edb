"""What a presenter is given to draw with."""

from __future__ import annotations

from dataclasses import dataclass

from fa.tui.panel import Size
from fa.tui.times import Clock
from fa.tui.world import World


@dataclass(frozen=True, slots=True)
class Scene:
    """The world, the room, the time. `now` is a steady clock in seconds; `stamps` shows moments instead of ages."""

    world: World
    size: Size
    clock: Clock
    now: float = 0.0
    stamps: bool = False
    boxed: bool = False

    def when(self, moment: str | None) -> str:
        return self.clock.time(moment) if self.stamps else self.clock.age(moment)
