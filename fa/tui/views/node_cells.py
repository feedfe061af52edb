"""How a node looks in a list. Pure."""

from __future__ import annotations

from fa.tui.line import Span, cell
from fa.tui.look import NODES, badge_of
from fa.tui.scene import Scene
from fa.tui.table import Column, text
from fa.tui.values import Node

SLOTS_SHOWN = 12  # more are told by numbers only


def role(node: Node, scene: Scene) -> str:
    """Coordinator, secondary, or a worker: a word, so that no letter has to be learned."""
    status = scene.world.status
    if node.name == status.coordinator:
        return "coordinator"
    return "secondary" if node.name in status.secondaries else "works"


def slots(node: Node, room: int) -> tuple[Span, ...]:
    """Filled and free squares for each class, then numbers; nothing is known of those of a lost node."""
    spans = list[Span]()
    for name, each in sorted(node.slots.items()):
        total = min(each.total, SLOTS_SHOWN)
        used = min(each.used, total)
        label = "" if len(node.slots) == 1 else f"{name} "
        numbers = f" {each.used}/{each.total} "
        spans += [
            cell(label, len(label), "dim"),
            Span("■" * used, "run"),
            Span("□" * (total - used), "rule"),
            Span(numbers),
        ]
    return _within(spans or [Span("-", "dim")], room)


def _within(spans: list[Span], room: int) -> tuple[Span, ...]:
    out, left = list[Span](), room
    for span in spans:
        out.append(cell(span.text, min(left, len(span.text)), span.style))
        left -= min(left, len(span.text))
    return (*out, Span(" " * left))


def seen(node: Node) -> str:
    """Coarse, so that a quiet screen stays quiet."""
    if node.seen_ms_ago < 3000:
        return "now"
    seconds = node.seen_ms_ago // 1000
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"


def trouble(node: Node) -> str:
    """What is wrong with it, in a few words."""
    parts = [f"{what}: {why}" for what, why in sorted(node.unhealthy.items())]
    parts += [f"quarantined for {name}" for name in node.quarantined]
    return ", ".join(parts)


def node_columns(scene: Scene) -> list[Column[Node]]:
    return [
        text("NODE", 8, lambda node: node.name, "title"),
        text("ROLE", 11, lambda node: role(node, scene)),
        Column("STATE", 10, lambda node, room: (badge_of(NODES, node.state, room),)),
        Column("SLOTS", 17, lambda node, room: slots(node, room), grow=1),
        text("SEEN", 6, seen, "dim", need=70),
        text("VERSION", 8, lambda node: node.version, "dim", need=86),
        text("TROUBLE", 16, lambda node: trouble(node) or "-", lambda node: "warn" if trouble(node) else "dim", need=90,
             grow=1),
    ]  # fmt: skip
