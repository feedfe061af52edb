"""Tables of any values: which columns fit, and a row as a line. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fa.tui.line import Line, Span, cell, crop, over
from fa.tui.roll import Roll

Row = TypeVar("Row")
MARGIN = 2  # cursor, mark


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """``draw(row, width)`` gives exactly ``width`` columns. ``grow`` shares what is left; ``need`` is the width of the
    screen from which the column is shown."""

    title: str
    width: int
    draw: Callable[[Row, int], Iterable[Span]]
    grow: int = 0
    need: int = 0
    right: bool = False


def text(
    title: str,
    width: int,
    value: Callable[[Row], object],
    style: str | Callable[[Row], str] = "",
    *,
    grow: int = 0,
    need: int = 0,
    right: bool = False,
    keep_tail: bool = False,
) -> Column[Row]:
    """A column of foreign text."""

    def draw(row: Row, room: int) -> Iterable[Span]:
        worn = style if isinstance(style, str) else style(row)
        return (cell(value(row), room, worn, right=right, keep_tail=keep_tail),)

    return Column(title, width, draw, grow, need, right)


def fitted(columns: Sequence[Column[Row]], room: int, wide: bool = False) -> list[tuple[Column[Row], int]]:
    """The columns that are shown in ``room``, with their widths. ``wide`` ignores what a column needs."""
    shown = [column for column in columns if wide or column.need <= room]
    fixed = sum(column.width for column in shown) + max(0, len(shown) - 1) + MARGIN
    spare, shares = max(0, room - fixed), sum(column.grow for column in shown)
    return [(column, column.width + (spare * column.grow // shares if column.grow else 0)) for column in shown]


def header(columns: Sequence[tuple[Column[Row], int]], room: int) -> Line:
    spans = [Span(" " * MARGIN, "dim")]
    for column, width in columns:
        spans += [cell(column.title, width, "dim", right=column.right), Span(" ")]
    return crop(tuple(spans), room)


def body(
    columns: Sequence[tuple[Column[Row], int]],
    rows: Sequence[Row],
    roll: Roll,
    room: int,
    marked: Callable[[Row], bool] = lambda row: False,
    focused: bool = True,
) -> list[Line]:
    """The rows that are on the screen."""
    return [
        row_line(columns, rows[at], room, at == roll.at and focused, marked(rows[at]))
        for at in roll.rows
        if at < len(rows)
    ]


def row_line(columns: Sequence[tuple[Column[Row], int]], row: Row, room: int, cursor: bool, marked: bool) -> Line:
    spans = [Span("›" if cursor else " ", "key"), Span("●" if marked else " ", "mark")]
    for column, width in columns:
        spans += [*column.draw(row, width), Span(" ")]
    line = crop(tuple(spans), room)
    return over(line, "cursor") if cursor else line
