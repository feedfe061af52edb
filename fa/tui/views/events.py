"""Screen 7: open alerts on top, then what happened, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from fa.tui.line import Line, Span, wrapped
from fa.tui.look import SEVERITIES, Badge, badge, badge_of
from fa.tui.panel import frame, panel
from fa.tui.scene import Scene
from fa.tui.table import Column, text
from fa.tui.values import Alert, Event
from fa.tui.views.lists import ListView

ALERT, ACKED = Badge("▲", "ALERT", "fail"), Badge("·", "acked", "dim")
Entry = Event | Alert
WHOLE_ROWS, ROWS_MIN = 3, 16  # for the whole text of one, on screens that have so many rows


class Events(ListView[Entry]):
    name, title = "events", "Events"
    needs = ("events", "alerts", "status")
    empty = "nothing happened"

    def rows(self) -> Sequence[Entry]:
        world = self.host.world
        open_alerts = [alert for alert in world.alerts if not alert.cleared_at]
        return [*sorted(open_alerts, key=lambda alert: (alert.acked_at is not None, -alert.id)), *world.events]

    def key_of(self, row: Entry) -> tuple[str, int]:
        return type(row).__name__, row.id

    def columns(self, scene: Scene) -> list[Column[Entry]]:
        return [
            text("TIME", 11, lambda row: scene.clock.time(row.at), "dim"),
            Column("WHAT", 7, lambda row, room: (_badge(row, room),)),
            text("SUBJECT", 12, lambda row: row.subject, "title"),
            text("KIND", 14, lambda row: row.kind, "dim", need=100),
            text("TEXT", 10, lambda row: row.text, grow=1),
        ]

    def lines(self, scene: Scene) -> list[Line]:
        across, down = frame(scene.boxed)
        width, height = scene.size.width, scene.size.height
        below = WHOLE_ROWS + down if height >= ROWS_MIN else 0
        self._first_row = 2
        listing = self.table(scene, width - across, height - below - down)
        whole = panel(*self._whole(width - across), width, below, scene.boxed) if below else []
        return [*panel("Events", listing, width, height - below, scene.boxed), *whole]

    def _whole(self, room: int) -> tuple[str, list[Line]]:
        """What the chosen row says, which is often longer than a line."""
        row = self.what()
        return (row.subject or "array", wrapped(row.text, room)[:WHOLE_ROWS]) if row else ("", [])


def _badge(row: Entry, room: int) -> Span:
    if isinstance(row, Alert):
        return badge(ACKED if row.acked_at else ALERT, room)
    return badge_of(SEVERITIES, row.severity, room)
