"""The one widget: shows the desk's lines and repaints only the columns that changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from fa.client.text import clean
from fa.tui.line import EMPTY, Line, changed
from fa.tui.look import BACKGROUND, paint


@lru_cache(maxsize=512)
def style_of(theme: str, style: str) -> Style:
    found = paint(theme, style)
    background = found.background or (BACKGROUND if theme == "dark" else None)
    return Style(
        color=found.color,
        bgcolor=background,
        bold=found.bold,
        dim=found.dim,
        reverse=found.reverse,
        underline=found.underline,
        strike=found.strike,
    )


def strip_of(line: Line, theme: str, width: int) -> Strip:
    """A line for the terminal. Everything passes `clean` here once more: this is the last door."""
    segments = [Segment(clean(span.text), style_of(theme, span.style)) for span in line if span.text]
    return Strip(segments).adjust_cell_length(width, style_of(theme, ""))


class Canvas(Widget):
    DEFAULT_CSS = "Canvas { width: 1fr; height: 1fr; background: ansi_default; color: ansi_default; }"

    def __init__(self) -> None:
        super().__init__()
        self.theme = "dark"
        self.rows: list[Line] = []

    def show(self, lines: Sequence[Line], theme: str) -> int:
        """Put these on the screen; how many rows had to be painted."""
        if theme != self.theme or len(lines) != len(self.rows):
            self.theme, self.rows = theme, list(lines)
            self.refresh()
            return len(self.rows)
        regions = []
        for y, (old, new) in enumerate(zip(self.rows, lines, strict=True)):
            part = changed(old, new)
            if part is not None:
                regions.append(Region(part[0], y, max(1, part[1]), 1))
        self.rows = list(lines)
        if regions:
            self.refresh(*regions)
        return len(regions)

    def render_line(self, y: int) -> Strip:
        row = self.rows[y] if y < len(self.rows) else EMPTY
        return strip_of(row, self.theme, self.size.width)
