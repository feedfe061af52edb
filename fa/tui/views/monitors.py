"""Screen 5: watch folders: who owns each, what it saw, what settles, what it submitted, what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fa.client import calls
from fa.client.text import clean_lines
from fa.tui.host import Host, listed
from fa.tui.line import Line, Span, line, say, wrapped
from fa.tui.look import MONITORS, badge_of
from fa.tui.panel import facts, frame, panel
from fa.tui.scene import Scene
from fa.tui.table import Column, text
from fa.tui.times import size
from fa.tui.values import Growing, Monitor, read
from fa.tui.views.lists import ListView
from fa.tui.views.page import Page


class Monitors(ListView[Monitor]):
    name, title, needs = "monitors", "Monitors", ("monitors", "status")
    empty = "no monitor yet: fa monitor apply -f FILE"

    def rows(self) -> Sequence[Monitor]:
        return self.host.world.monitors

    def key_of(self, row: Monitor) -> str:
        return row.name

    def columns(self, scene: Scene) -> list[Column[Monitor]]:
        return [
            text("MONITOR", 10, lambda row: row.name, "title", grow=1),
            Column("STATE", 14, lambda row, room: (badge_of(MONITORS, row.state, room),)),
            text("OWNER", 6, lambda row: row.owner or "-"),
            text("SEEN", 5, lambda row: row.seen, right=True),
            text("SETTL", 5, lambda row: row.settling, right=True),
            text("SUBM", 6, lambda row: row.submitted, right=True),
            text("FOLDER", 12, lambda row: row.folder or "-", grow=1, keep_tail=True),
            text("FACTORIES", 12, lambda row: listed(row.factories) or "-", need=110),
            text("LAST FILE", 12, lambda row: row.last_file or "-", need=96, grow=1, keep_tail=True),
        ]

    def lines(self, scene: Scene) -> list[Line]:
        across, down = frame(scene.boxed)
        width, height = scene.size.width, scene.size.height
        below = min(8, height // 3)
        self._first_row = 2
        rows = self.table(scene, width - across, height - below - down)
        chosen = self.what()
        lower = monitor_facts(chosen, width - across, not_taken(chosen)) if chosen else []
        name = f"Monitor {chosen.name}" if chosen else ""
        return [
            *panel("Monitors", rows, width, height - below, scene.boxed),
            *panel(name, lower, width, below, scene.boxed),
        ]


def monitor_facts(monitor: Monitor, room: int, not_taken: str = "") -> list[Line]:
    rows = facts(
        [
            ("folder", line(say(monitor.folder or "-"))),
            ("factories", line(say(listed(monitor.factories) or "-"))),
            ("owner", line(say(monitor.owner or "no node now"))),
            ("last file", line(say(monitor.last_file or "-"))),
            *([("not taken", line(say(not_taken)))] if not_taken else []),
        ]
    )
    if monitor.last_error:
        lines = wrapped(monitor.last_error, room - 11, "warn")
        rows += [
            line(Span(("last error" if number == 0 else "").ljust(11), "dim"), *row) for number, row in enumerate(lines)
        ]
    return rows


def not_taken(monitor: Monitor) -> str:
    """What lies there and is no job, and why; "" when there is nothing of the kind."""
    refused = [f"{monitor.refused} refused"] * bool(monitor.refused)
    growing = [f"{len(monitor.growing)} growing: {_growing(monitor.growing[0])}"] if monitor.growing else []
    return ", ".join(refused + growing)


def _growing(file: Growing) -> str:
    return f"{file.path}  {size(file.size)}" + (f"  {size(file.rate)}/s" if file.rate else "  at rest")


class MonitorView(Page):
    """A monitor alone: its counters, its last words, its TOML."""

    name, needs = "monitor", ("monitors", "status")

    def __init__(self, host: Host, monitor: Monitor) -> None:
        super().__init__(host, f"Monitor {monitor.name}")
        self.monitor = self._seen = monitor

    def opened(self) -> None:
        self.host.send(calls.show_monitor(self.monitor.name), self._shown, self.failed)

    def _shown(self, told: Any) -> None:
        self.monitor = read(Monitor, told)

    def lines(self, scene: Scene) -> list[Line]:
        room, height = scene.size.width, scene.size.height
        monitor = self.monitor
        counts = f"seen {monitor.seen}  settling {monitor.settling}  submitted {monitor.submitted}"
        counts += f"  refused {monitor.refused}" if monitor.refused else ""
        rows = [line(badge_of(MONITORS, monitor.state, 14), say(counts)), *monitor_facts(monitor, room)]
        rows += [line(Span("growing    ", "dim"), say(_growing(each))) for each in monitor.growing]
        if monitor.text:
            rows += [line(Span("")), *(line(Span(each)) for each in clean_lines(monitor.text).split("\n"))]
        if self.trouble:
            rows += wrapped(self.trouble, room, "warn")
        return panel(self.title, self.shown(rows, height - 1), room, height, False)

    def tick(self) -> None:
        """Counters move without an event: asked for again when the list behind it was."""
        row = next((row for row in self.host.world.monitors if row.name == self.monitor.name), None)
        if row is not None and row != self._seen:
            self._seen = row
            self.opened()

    def what(self) -> Monitor:
        return self.monitor
