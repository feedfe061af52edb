"""The whole screen from its parts: header, tabs, view, what is typed or told, footer, dialogs over all. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fa.tui import chrome
from fa.tui.line import EMPTY, Line, Span, columns, crop, exactly, laid, line, over, say
from fa.tui.panel import Size, panel

if TYPE_CHECKING:
    from fa.tui.desk import Desk

ABOVE, BELOW = 2, 1  # rows around the view
CHROME_ROWS = 8  # lower screens show the view alone


def whole(desk: Desk) -> list[Line]:
    size = desk.size
    if size.height < CHROME_ROWS:
        rows = exactly(desk.view_lines(size), size.height, size.width)
    else:
        inner = Size(size.width, size.height - ABOVE - BELOW)
        scene = desk.scene(size)
        rows = [
            chrome.header(scene, marks(desk), desk.link_ms),
            chrome.tabs(scene, desk.stack[0].name, desk.crumbs),
            *exactly(desk.view_lines(inner), inner.height, size.width),
            chrome.footer(desk.keymap.of(desk.view.name), desk.denied, size.width),
        ]
    return _with_boxes(desk, _with_message(desk, rows))


def marks(desk: Desk) -> list[str]:
    """What the header warns of."""
    out = ["FROZEN"] if desk.frozen else []
    return [*out, "READ ONLY"] if desk.options.readonly else out


def _with_message(desk: Desk, rows: list[Line]) -> list[Line]:
    """The line that is typed, with what it could become above it; else the toast. Both above the footer."""
    width, last = desk.size.width, max(0, len(rows) - 1 - BELOW)
    if desk.typing is not None:
        block = desk.typing.lines(width)[-max(1, last) :]
        return laid(rows, block, 0, last - len(block) + 1)
    toast = desk.toasted
    if toast is None:
        return rows
    text = crop(line(Span(" "), say(toast.text), Span(" ")), min(width, columns(line(say(toast.text))) + 2))
    return laid(rows, [over(text, toast.style)], 0, last)


def _with_boxes(desk: Desk, rows: list[Line]) -> list[Line]:
    for box in desk.boxes:
        inside = box.lines(desk.scene(desk.size))
        wide = max(map(columns, inside), default=0)
        width = min(desk.size.width, max(wide, len(box.title) + 4) + 4)
        height = min(desk.size.height, len(inside) + 2)
        block = panel(box.title, inside, width, height, True)
        x, y = (desk.size.width - width) // 2, (desk.size.height - height) // 2
        rows = laid(rows, block, max(0, x), max(0, y))
    return exactly(rows, desk.size.height, desk.size.width) if rows else [crop(EMPTY, desk.size.width)]
