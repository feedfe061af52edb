"""Screen 1: the whole array at a glance: nodes, job counters, what runs (nearest end first), what happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fa.tui.chrome import STALE_AFTER
from fa.tui.host import Host
from fa.tui.line import Line, Span, beside, cell, crop, line, say, wrapped
from fa.tui.look import JOBS, SEVERITIES, badge, badge_of
from fa.tui.panel import frame, panel
from fa.tui.scene import Scene
from fa.tui.table import Column, fitted, header, row_line
from fa.tui.values import Job, Node
from fa.tui.views.job_cells import columns, lead
from fa.tui.views.lists import ListView
from fa.tui.views.node_cells import node_columns

COUNTERS = 22  # columns of the panel of counters
TROUBLE_ROWS = 2


class Array(ListView[Job]):
    """Its list, and so its cursor, is what runs."""

    name, title = "array", "Array"
    needs = ("running", "status", "nodes", "events", "alerts")
    empty = "nothing runs"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._ranks: dict[int, float] = {}

    def rows(self) -> Sequence[Job]:
        """By the end that was expected when the job was first seen running: an order that does not jump about."""
        world = self.host.world
        for job in world.running:
            eta = world.progress_of(lead(job)).eta
            if job.id not in self._ranks and eta is not None:
                self._ranks[job.id] = self.host.now + eta
        self._ranks = {job.id: self._ranks[job.id] for job in world.running if job.id in self._ranks}
        return sorted(world.running, key=lambda job: (self._ranks.get(job.id, float("inf")), job.id))

    def key_of(self, row: Job) -> int:
        return row.id

    def columns(self, scene: Scene) -> list[Column[Job]]:
        return columns(scene)

    def lines(self, scene: Scene) -> list[Line]:
        width = scene.size.width
        told = _trouble(scene, width)
        height = scene.size.height - len(told)
        across, down = frame(scene.boxed)
        heights = _heights(height, down, len(scene.world.nodes or scene.world.status.nodes))
        top = self._top(scene, width, heights[0])
        self._first_row = len(told) + heights[0] + down // 2 + 1 + (0 if scene.boxed else 1)
        running = self.table(scene, width - across, heights[1] - down)
        return [
            *told,
            *top,
            *panel(f"Running {len(scene.world.running)}", running, width, heights[1], scene.boxed),
            *panel(_what_happened(scene), _events(scene, width - across), width, heights[2], scene.boxed),
        ]

    def _top(self, scene: Scene, width: int, height: int) -> list[Line]:
        across, _ = frame(scene.boxed)
        counters = COUNTERS if width >= 70 else 0
        room = width - counters - (1 if counters else 0)
        nodes = panel("Nodes", nodes_table(scene, room - across, height), room, height, scene.boxed)
        if not counters:
            return nodes
        jobs = panel("Jobs", _counters(scene), counters, height, scene.boxed)
        return beside(nodes, jobs, room)


def _trouble(scene: Scene, width: int) -> list[Line]:
    """What is wrong with the array as a whole, in the array's own words."""
    link, why = scene.world.link, scene.world.status.why
    if link.silence(scene.now) > STALE_AFTER:
        why = f"Nothing is heard of the array ({link.why}): what is shown may be old."
    return [line(Span(" "), *row) for row in wrapped(why, width - 2, "warn")[:TROUBLE_ROWS]] if why else []


def _heights(height: int, down: int, nodes: int) -> tuple[int, int, int]:
    """Of the panels: nodes and counters, what runs, events."""
    top = min(max(nodes + 1, 6) + down, max(3, height // 3 + down))
    events = min(height // 5 + down, 8)
    return top, max(0, height - top - events), max(0, events)


def nodes_table(scene: Scene, room: int, height: int) -> list[Line]:
    nodes: Sequence[Node] = scene.world.nodes or scene.world.status.nodes
    shown: list[Any] = fitted(node_columns(scene), room)
    return [header(shown, room), *(row_line(shown, node, room, False, False) for node in nodes[: max(0, height - 1)])]


def _counters(scene: Scene) -> list[Line]:
    counts = scene.world.status.jobs
    if counts is None:
        return [line(Span("no copy here", "dim"))]
    names = ("running", "queued", "held", "failed", "succeeded", "cancelled")
    return [line(badge(JOBS[name], 8), cell(f"{getattr(counts, name):,}", 10, right=True)) for name in names]


def _what_happened(scene: Scene) -> str:
    alerts = scene.world.status.alerts
    return f"Events, {alerts} open alert{'s' if alerts != 1 else ''} (7)" if alerts else "Events"


def _events(scene: Scene, room: int) -> list[Line]:
    return [event_line(scene, event, room) for event in scene.world.events[:8]]


def event_line(scene: Scene, event: Any, room: int) -> Line:
    spans = line(
        Span("  "),
        cell(scene.clock.time(event.at), 11, "dim"),
        Span(" "),
        badge_of(SEVERITIES, event.severity, 7),
        Span(" "),
        cell(event.subject, 12, "title"),
        Span(" "),
        say(event.text),
    )
    return crop(spans, room)
