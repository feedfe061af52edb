"""Numbers as pictures of text: a spark of one row, a graph of several. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fa.tui.line import Line, Span, line
from fa.tui.look import SPARK


def squeezed(values: Sequence[float], room: int) -> list[float]:
    """At most ``room`` values, each the highest of its part: a peak is never hidden."""
    if len(values) <= room:
        return list(values)
    return [
        max(values[part * len(values) // room : (part + 1) * len(values) // room])
        for part in range(room)
    ]  # fmt: skip


def spark(values: Sequence[float], room: int, top: float | None = None) -> str:
    """One row of bars, as high as the highest value (or ``top``)."""
    shown = squeezed(values, room)
    highest = top or max(shown, default=0.0)
    if highest <= 0:
        return SPARK[0] * len(shown)
    return "".join(SPARK[min(7, int(value / highest * 7.999))] for value in shown)


def graph(values: Sequence[float], room: int, height: int, unit: str) -> list[Line]:
    """Bars of ``height`` rows, with the scale on the left; newest on the right."""
    shown = squeezed(values, max(1, room - 9))
    top = max(shown, default=0.0) or 1.0
    rows = []
    for row in range(height, 0, -1):
        eighths = [max(0.0, min(8.0, value / top * height * 8 - (row - 1) * 8)) for value in shown]
        bars = "".join(" " if each < 1 else SPARK[int(each) - 1] for each in eighths)
        label = f"{top * row / height:>7.1f} " if row in (height, (height + 1) // 2, 1) else " " * 8
        rows.append(line(Span(label, "dim"), Span(bars, "run")))
    return [line(Span(f"{unit:>7} ", "dim")), *rows]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the values lie; 0 for none."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
