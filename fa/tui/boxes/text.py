"""A text to read: help, why, the command log. Grows when what it waits for arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fa.tui.host import Host
from fa.tui.keys import MOVES
from fa.tui.line import Line, Span, line
from fa.tui.roll import Scroll
from fa.tui.scene import Scene


@dataclass(slots=True)
class Text:
    """``draw(scene, room)`` gives all its lines."""

    host: Host
    title: str
    draw: Callable[[Scene, int], list[Line]]
    scroll: Scroll = field(default_factory=Scroll)

    def lines(self, scene: Scene) -> list[Line]:
        room = min(110, scene.size.width - 8)
        rows = self.draw(scene, room)
        height = max(1, min(len(rows), scene.size.height - 7))
        self.scroll.fit(len(rows), height)
        more = f"   {self.scroll.top + height} of {len(rows)}" if len(rows) > height else ""
        foot = line(Span("Esc", "key"), Span(" close"), Span(more, "dim"))
        return [*rows[self.scroll.top : self.scroll.top + height], line(Span(" " * room)), foot]

    def key(self, key: str, character: str | None) -> None:
        if key in MOVES:
            self.scroll.key(MOVES[key])
        elif key in ("escape", "enter") or character in ("q", "?", "@", "W"):
            self.host.close()

    def paste(self, text: str) -> None:
        """There is nothing to write in."""
