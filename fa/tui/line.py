"""Lines of styled text: what every screen is made of. Pure; widths are terminal columns.

A style is a word ("run", "dim", "fail"); several are joined by blanks, later ones win. `fa.tui.look` says what they
look like, so that a presenter neither knows colours nor whether there are any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from fa.client.text import clean, fit
from fa.client.text import width as measured

width = lru_cache(maxsize=8192)(measured)
"""Columns of a text. The same few words are measured again at each repaint."""


class Span(NamedTuple):
    text: str
    style: str = ""


Line = tuple[Span, ...]

EMPTY: Line = ()


def line(*parts: str | Span) -> Line:
    return tuple(part if isinstance(part, Span) else Span(part) for part in parts if part)


def plain(spans: Line) -> str:
    return "".join(span.text for span in spans)


def columns(spans: Line) -> int:
    return sum(width(span.text) for span in spans)


def cell(value: Any, room: int, style: str = "", *, right: bool = False, keep_tail: bool = False) -> Span:
    """A foreign value as exactly ``room`` columns: cleaned, cut with an ellipsis, padded."""
    if room <= 0:
        return Span("")
    text = fit(clean(value), room, keep_tail)
    pad = " " * (room - width(text))
    return Span(pad + text if right else text + pad, style)


def say(value: Any, style: str = "") -> Span:
    """A foreign value at its full length."""
    return Span(clean(value), style)


def crop(spans: Line, room: int) -> Line:
    """Exactly ``room`` columns: the rest cut off, or blanks added."""
    left, out = room, list[Span]()
    for span in spans:
        taken = width(span.text)
        if taken > left:
            text = _head(span.text, left)
            out.append(Span(text, span.style))
            left -= width(text)
            break
        out.append(span)
        left -= taken
    if left > 0:
        out.append(Span(" " * left, out[-1].style if out and "fill" in out[-1].style else ""))
    return tuple(out)


def _head(text: str, room: int) -> str:
    if text.isascii():
        return text[:room]
    out = ""
    for char in text:
        room -= width(char)
        if room < 0:
            break
        out += char
    return out


def tail(spans: Line, start: int) -> Line:
    """What lies from column ``start`` on; half of a wide character becomes a blank."""
    out = list[Span]()
    for span in spans:
        taken = width(span.text)
        if taken <= start:
            start -= taken
            continue
        text = span.text
        while start > 0:
            start -= width(text[0])
            text = text[1:]
        out.append(Span(" " * -start + text, span.style))
        start = 0
    return tuple(out)


def laid(base: Sequence[Line], block: Sequence[Line], x: int, y: int) -> list[Line]:
    """``block`` over ``base``, its upper left corner at column ``x`` of row ``y``."""
    out = list(base)
    for row, spans in enumerate(block, y):
        if 0 <= row < len(out):
            out[row] = (*crop(out[row], x), *spans, *tail(out[row], x + columns(spans)))
    return out


def over(spans: Line, style: str) -> Line:
    """The line with ``style`` laid over all of it."""
    return tuple(Span(span.text, f"{span.style} {style}".strip()) for span in spans)


def beside(left: Sequence[Line], right: Sequence[Line], left_width: int, gap: str = " ") -> list[Line]:
    """Two blocks next to each other; the shorter one is filled up."""
    height = max(len(left), len(right))
    return [
        crop(left[y] if y < len(left) else EMPTY, left_width)
        + (Span(gap, "rule"),)
        + (right[y] if y < len(right) else EMPTY)
        for y in range(height)
    ]


def exactly(lines: Sequence[Line], height: int, room: int) -> list[Line]:
    """``height`` lines of ``room`` columns each."""
    fitted = [crop(each, room) for each in lines[: max(0, height)]]
    return fitted + [crop(EMPTY, room)] * (height - len(fitted))


def wrapped(text: str, room: int, style: str = "") -> list[Line]:
    """Prose broken at blanks; a word that is too long is broken anywhere."""
    out, row = list[str](), ""
    for word in clean(text).split(" "):
        while width(word) > room > 0:
            head = _head(word, room) or word[:1]
            out += [row] if row else []
            out.append(head)
            row, word = "", word[len(head) :]
        joined = f"{row} {word}" if row else word
        if width(joined) <= room:
            row = joined
        else:
            out.append(row)
            row = word
    return [line(Span(each, style)) for each in [*out, row]]


def changed(old: Line, new: Line) -> tuple[int, int] | None:
    """The columns that differ as (start, length); None when the lines look the same. Repainting only those is what
    keeps fifty moving bars cheap (FACES.md section 2.4)."""
    if old == new:
        return None
    before, after = _cells(old), _cells(new)
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end_before, end_after = len(before), len(after)
    while end_after > start and end_before > start and before[end_before - 1] == after[end_after - 1]:
        end_before, end_after = end_before - 1, end_after - 1
    if start == end_before == end_after:
        return None
    first = sum(width(char) for char, _ in after[:start])
    if len(before) != len(after) or end_before != end_after:
        return first, max(columns(old), columns(new)) - first
    return first, max(
        sum(width(char) for char, _ in after[start:end_after]), sum(width(char) for char, _ in before[start:end_before])
    )


def _cells(spans: Iterable[Span]) -> list[tuple[str, str]]:
    return [(char, span.style) for span in spans for char in span.text]
