"""Panels: a titled block of lines, with a box where there is room, else with a rule above it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fa.client.text import clean, fit, width
from fa.tui.line import Line, Span, crop, exactly, line

BOX_COLUMNS, BOX_ROWS = 100, 30  # from this size of the screen on, boxes (FACES.md section 4)


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int

    @property
    def boxed(self) -> bool:
        return self.width >= BOX_COLUMNS and self.height >= BOX_ROWS


def frame(boxed: bool) -> tuple[int, int]:
    """Columns and rows that the frame of a panel takes."""
    return (4, 2) if boxed else (0, 1)


def panel(title: str, lines: Sequence[Line], room: int, height: int, boxed: bool) -> list[Line]:
    """Exactly ``height`` lines of ``room`` columns."""
    if not boxed:
        return exactly([rule(title, room), *lines], height, room)
    if height < 2 or room < 6:
        return exactly(lines, height, room)
    inner = exactly(lines, height - 2, room - 4)
    side = Span("│", "rule")
    top = line(Span("┌─", "rule"), *_titled(title, room - 4), Span("─┐", "rule"))
    foot = line(Span("└" + "─" * (room - 2) + "┘", "rule"))
    return [top, *((side, Span(" "), *row, Span(" "), side) for row in inner), foot]


def rule(title: str, room: int) -> Line:
    return crop(line(Span("──", "rule"), *_titled(title, room - 2)), room)


def _titled(title: str, room: int) -> tuple[Span, ...]:
    if not title or room < 4:
        return (Span("─" * max(0, room), "rule"),)
    text = f" {fit(clean(title), room - 2)} "
    return Span(text, "title"), Span("─" * max(0, room - width(text)), "rule")


def facts(pairs: Sequence[tuple[str, Line]], label: int = 11) -> list[Line]:
    """Names and values, one a line."""
    return [line(Span(name.ljust(label), "dim"), *value) for name, value in pairs]
