"""The pictures of the README, drawn from the desk itself: ``python -m tests.tui.pictures docs``.

Small on purpose (30 kB each) and without a font from elsewhere: the manual is read in rooms without internet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from fa.client.text import width
from fa.tui.line import Line
from fa.tui.look import BACKGROUND, Paint, paint
from tests.tui.fake import Array
from tests.tui.world import Seat

COLUMNS, ROWS = 110, 31
WIDE, HIGH, MARGIN = 8, 18, 8  # pixels
TXID = 2_117_702
NAMES = {"a": "tx01", "b": "tx02", "c": "tx03"}


class Studio(Array):
    """An array in good health, with names as they are given to machines."""

    def nodes(self) -> list[dict[str, Any]]:
        shown = zip(super().nodes(), ("up", "up", "draining"), (4, 3, 2), strict=True)
        quiet = {"unhealthy": {}, "quarantined": [], "seen_ms_ago": 200}
        return [
            {**node, **quiet, "name": NAMES[node["name"]], "state": state, "slots": {"cpu": {"used": used, "total": 4}}}
            for node, state, used in shown
        ]

    def status(self) -> dict[str, Any]:
        good = {"coordinator": "tx01", "secondaries": ["tx02"], "health": "ok", "why": "", "alerts": 0, "via": "tx03"}
        return {**super().status(), **good}

    def job(self, number: int) -> dict[str, Any]:
        job = super().job(number)
        tasks = [{**task, "node": NAMES.get(task["node"])} for task in job["tasks"]]
        return {**job, "tasks": tasks, "source": f"san:in/show/EP{number % 90:02}_v{number}.mxf"}

    def mirror(self) -> dict[str, Any]:
        mirror = super().mirror()
        copies = [{**copy, "node": NAMES[copy["node"]], "txid": TXID} for copy in mirror["copies"]]
        voters = [*NAMES.values()]
        return {
            **mirror,
            "coordinator": "tx01",
            "secondaries": ["tx02"],
            "voters": voters,
            "copies": copies,
            "txid": TXID,
        }

    def history(self) -> dict[str, Any]:
        told = super().history()
        return {**told, "items": [{name: _renamed(value) for name, value in item.items()} for item in told["items"]]}

    def events(self) -> dict[str, Any]:
        rows = (
            ("info", "job/481160", "succeeded after 4 min"),
            ("info", "node/tx03", "drains: asked for by admin:QX7"),
            ("warning", "node/tx01", "tx01 leads the array in epoch 7"),
        )
        told = zip(super().events()["items"], rows * 4, strict=True)
        items = [{**item, "severity": how, "subject": what, "text": text} for item, (how, what, text) in told]
        return {"items": items}


def _renamed(value: Any) -> Any:
    return " ".join(NAMES.get(word, word) for word in value.split(" ")) if isinstance(value, str) else value


def svg(rows: list[Line]) -> str:
    size = f"0 0 {COLUMNS * WIDE + 2 * MARGIN} {ROWS * HIGH + 2 * MARGIN}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" font-family="monospace" font-size="13">'
    ground = f'<rect width="100%" height="100%" rx="6" fill="{BACKGROUND}"/>'
    return "\n".join([head, ground, *(part for y, row in enumerate(rows) for part in _row(row, y)), "</svg>\n"])


def _row(row: Line, y: int) -> list[str]:
    out: list[str] = []
    x = 0
    for text, look in _runs(row):
        if look.background:
            at = f'x="{x * WIDE + MARGIN}" y="{y * HIGH + MARGIN}"'
            out.append(f'<rect {at} width="{width(text) * WIDE}" height="{HIGH}" fill="{look.background}"/>')
        if text.strip():
            out.append(_text(text, look, x, y))
        x += width(text)
    return out


def _runs(row: Line) -> list[tuple[str, Paint]]:
    """Neighbours that look alike, joined."""
    runs: list[tuple[str, Paint]] = []
    for span in row:
        look = paint("dark", span.style)
        if runs and runs[-1][1] == look:
            runs[-1] = (runs[-1][0] + span.text, look)
        elif span.text:
            runs.append((span.text, look))
    return runs


def _text(text: str, look: Paint, x: int, y: int) -> str:
    body = text.strip()
    left = (x + len(text) - len(text.lstrip())) * WIDE + MARGIN
    more = (' font-weight="bold"' if look.bold else "") + (' text-decoration="line-through"' if look.strike else "")
    place = f'x="{left}" y="{y * HIGH + MARGIN + 13}" textLength="{width(body) * WIDE}" xml:space="preserve"'
    return f'<text {place} lengthAdjust="spacingAndGlyphs" fill="{look.color}"{more}>{escape(body)}</text>'


def main() -> None:
    seat = Seat(Studio(total=481_177, running=9), COLUMNS, ROWS)
    seat.desk.world.link.node = "tx03"
    seat.desk.world.delays.extend(3.0 + n * 7 % 11 * 0.1 + (6.0 if n % 37 == 0 else 0.0) for n in range(300))
    for key, name in (("1", "array"), ("2", "jobs"), ("6", "mirror")):
        seat.press(key)
        Path(sys.argv[1], f"dashboard-{name}.svg").write_text(svg(seat.desk.lines(COLUMNS, ROWS)))


if __name__ == "__main__":
    main()
