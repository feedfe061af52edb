"""How objects become lines: one row per object, cleaned, aligned for a person or tab-separated for a pipe. Pure."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from fa.cli.times import age, read_time, rfc3339, size
from fa.client.text import clean, clean_json, fit, width

GAP = "  "
CUT_MIN = 12  # columns that a cut value keeps at least
NOTHING = "-"

Item = Mapping[str, Any]


class Column(NamedTuple):
    """``kind``: text, time (an age for people), bytes, state (coloured). ``wide``: only with -o wide and csv.
    ``cut``: may be shortened on a narrow terminal, from the left, since names of files differ at their end."""

    title: str
    value: Callable[[Item], Any]
    kind: str = "text"
    wide: bool = False
    cut: bool = False


class Noun(NamedTuple):
    """A kind of object: what one is called in `name` output, which field names it, its columns."""

    name: str
    key: str
    columns: tuple[Column, ...]

    def ref(self, item: Item) -> str:
        return f"{self.name}/{clean(item.get(self.key))}"


def column(title: str, field: str, kind: str = "text", *, wide: bool = False, cut: bool = False) -> Column:
    """A column that shows one field."""
    return Column(title, lambda item: item.get(field), kind, wide, cut)


class Look(NamedTuple):
    """What the table is for. ``columns`` of the terminal, 0 = a pipe: nothing cut, tabs, RFC 3339."""

    now: datetime
    columns: int = 0
    wide: bool = False
    header: bool = True
    paint: Callable[[str, str], str] = lambda text, state: text


def render(noun: Noun, items: Iterable[Item], look: Look) -> list[str]:
    """The lines of a table."""
    columns = [column for column in noun.columns if look.wide or not column.wide]
    rows = [[cell(column, item, look) for column in columns] for item in items]
    titles = [column.title for column in columns]
    table = [titles, *rows] if look.header else rows
    if not look.columns:
        return ["\t".join(row) for row in table]
    widths = _widths(table, columns, 0 if look.wide else look.columns)
    lines = [_line(row, widths, columns, look) for row in rows]
    return [_line(titles, widths, (), look), *lines] if look.header else lines


def cell(column: Column, item: Item, look: Look) -> str:
    """One value as cleaned text."""
    value = column.value(item)
    if value is None or value == "":
        return NOTHING
    if column.kind == "time":
        moment = read_time(value)
        if moment is not None:
            return age((look.now - moment).total_seconds()) if look.columns else rfc3339(moment)
    if column.kind == "bytes" and isinstance(value, int):
        return size(value) if look.columns else str(value)
    return clean(value)


def _widths(table: Sequence[Sequence[str]], columns: Sequence[Column], room: int) -> list[int]:
    """The width of each column; the cut ones give way until the row fits into ``room`` (0 = any)."""
    widths = [max(map(width, cells)) for cells in zip(*table, strict=True)] if table else [0] * len(columns)
    over = sum(widths) + len(GAP) * (len(widths) - 1) - room if room else 0
    cut = [index for index, each in enumerate(columns) if each.cut]
    for index in sorted(cut, key=lambda index: -widths[index]):
        less = min(max(over, 0), max(0, widths[index] - CUT_MIN))
        widths[index] -= less
        over -= less
    return widths


def _line(row: Sequence[str], widths: Sequence[int], columns: Sequence[Column], look: Look) -> str:
    cells = []
    for index, (text, columns_wide) in enumerate(zip(row, widths, strict=True)):
        shown = fit(text, columns_wide, keep_tail=True)
        painted = look.paint(shown, text) if columns and columns[index].kind == "state" else shown
        cells.append(painted + " " * (columns_wide - width(shown)))
    return GAP.join(cells).rstrip()


def as_csv(noun: Noun, items: Iterable[Item], look: Look) -> str:
    """All columns, RFC 4180 with bare line feeds; times as RFC 3339."""
    import csv  # here, as few ask for it

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if look.header:
        writer.writerow([column.title.lower() for column in noun.columns])
    for item in items:
        cells = [cell(column, item, look) for column in noun.columns]
        writer.writerow(["" if text == NOTHING else text for text in cells])
    return out.getvalue()


def as_json(value: Any, indent: int | None = 2) -> str:
    """JSON that is safe to show and to parse; without ``indent`` on one line."""
    return clean_json(json.dumps(value, ensure_ascii=False, indent=indent))


def facts(pairs: Iterable[tuple[str, Any]]) -> list[str]:
    """Lines ``name   value`` for what has a value."""
    rows = [(name, clean(value)) for name, value in pairs if value not in (None, "", [])]
    wide = max((width(name) for name, _ in rows), default=0)
    return [f"{name}{' ' * (wide - width(name))}  {value}" for name, value in rows]
