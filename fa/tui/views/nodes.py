"""Screen 3: the servers, and the chosen one whole: what it runs, offers, mounts and refuses."""

from __future__ import annotations

from collections.abc import Sequence

from fa.tui.host import Host, listed
from fa.tui.line import Line, Span, cell, exactly, line, say, wrapped
from fa.tui.look import VOLUMES, badge_of
from fa.tui.panel import facts, frame, panel
from fa.tui.scene import Scene
from fa.tui.table import Column
from fa.tui.times import size
from fa.tui.values import Node
from fa.tui.views.lists import ListView
from fa.tui.views.node_cells import node_columns, role, seen, slots
from fa.tui.views.page import Page

DETAIL_ROWS = 30  # screens from this height on show the chosen node below the list


class Nodes(ListView[Node]):
    name, title = "nodes", "Nodes"
    needs = ("nodes", "status", "volumes", "running")
    empty = "no node"

    def rows(self) -> Sequence[Node]:
        return self.host.world.nodes

    def key_of(self, row: Node) -> str:
        return row.name

    def columns(self, scene: Scene) -> list[Column[Node]]:
        return node_columns(scene)

    def lines(self, scene: Scene) -> list[Line]:
        across, down = frame(scene.boxed)
        width, height = scene.size.width, scene.size.height
        upper = min(len(self.rows()) + 1 + down, height // 2) if height >= DETAIL_ROWS else height
        self._first_row = 2
        top = panel("Nodes", self.table(scene, width - across, upper - down), width, upper, scene.boxed)
        node = self.what()
        if upper == height or node is None:
            return exactly(top, height, width)
        rows = node_facts(node, scene, width - across)
        return [*top, *panel(f"Node {node.name}", rows, width, height - upper, scene.boxed)]


class NodeView(Page):
    """A node alone, for screens that are too low to show it below the list."""

    name, needs = "node", ("nodes", "status", "volumes", "running")

    def __init__(self, host: Host, node: str) -> None:
        super().__init__(host, f"Node {node}")
        self.node = node

    def lines(self, scene: Scene) -> list[Line]:
        found = self.what()
        width, height = scene.size.width, scene.size.height
        rows = node_facts(found, scene, width) if found else [line(Span("  this node is no longer in the array"))]
        return panel(self.title, self.shown(rows, height - 1), width, height, False)

    def what(self) -> Node | None:
        return next((node for node in self.host.world.nodes if node.name == self.node), None)


def node_facts(node: Node, scene: Scene, room: int) -> list[Line]:
    rows = facts(
        [
            ("role", line(say(role(node, scene)))),
            ("slots", slots(node, room - 11)),
            ("address", line(say(node.address or "-"))),
            ("version", line(say(node.version or "-"))),
            ("seen", line(say(seen(node)))),
        ]
    )
    lists = (("only for", (*node.only_factories, *node.only_tags)), ("quarantine", node.quarantined))
    for name, names in lists:
        if names:
            rows += facts([(name, line(say(listed(names), "warn")))])
    for what, why in sorted(node.unhealthy.items()):
        rows += facts([("not now", line(say(f"{what}: {why}", "warn")))])
    return [*rows, *_runs(node, scene), *_volumes(node, scene), *_offers(node, room)]


def _runs(node: Node, scene: Scene) -> list[Line]:
    """The tasks there; with the job where the list of what runs knows it."""
    jobs = {task.id: job for job in scene.world.running for task in job.tasks}
    rows = []
    for each in node.tasks:
        job = jobs.get(each.task)
        what = f"job {job.id}  {job.factory}  {job.source}" if job else f"task {each.task}"
        rows.append(("runs", line(say(f"{what}  try {each.attempt}"))))
    return facts(rows)


def _volumes(node: Node, scene: Scene) -> list[Line]:
    rows = []
    for volume in scene.world.volumes:
        if volume.node == node.name:
            free = f"{size(volume.free)} free of {size(volume.total)}  " if volume.total else ""
            state, where = badge_of(VOLUMES, volume.state, 15), say(f"{free}{volume.path}  ")
            rows.append(("volume", line(cell(volume.name, 10, "title"), state, where, say(volume.why, "warn"))))
    return facts(rows)


def _offers(node: Node, room: int) -> list[Line]:
    rows = wrapped(listed(sorted(node.offers)), room - 11, "dim") if node.offers else []
    return [line(Span(("offers" if number == 0 else "").ljust(11), "dim"), *row) for number, row in enumerate(rows)]
