"""What every screen has around it: the header, the tabs, the footer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from fa.tui.keys import Action, shown
from fa.tui.line import Line, Span, columns, crop, line, say
from fa.tui.look import HEALTH, MIRROR, badge_of
from fa.tui.scene import Scene
from fa.tui.world import World

ALWAYS = 80  # actions of this footer rank and above are shown however narrow it is
STALE_AFTER = 3.0  # seconds of a dead stream before the header says so: a switch-over takes less
TABS = ("array", "jobs", "nodes", "factories", "monitors", "mirror", "events")


class Field(NamedTuple):
    """A part of the header; those of the lowest ``weight`` go first when it is narrow."""

    weight: int
    spans: Line


def header(scene: Scene, marks: Sequence[str], link_ms: float | None) -> Line:
    """Health, mirror and the node one is connected through are the last to go."""
    width = scene.size.width
    clock = line(Span(f"{scene.clock.hands()} "))
    fields = [field for field in _fields(scene, marks, link_ms) if field.spans]
    while fields and _room(fields) + columns(clock) > width:
        least = min(field.weight for field in fields)
        if least >= 9:
            break
        fields.remove(next(field for field in reversed(fields) if field.weight == least))
    left = tuple(span for field in fields for span in (*field.spans, Span("  ")))
    row = (*crop(left, max(0, width - columns(clock))), *clock)
    return tuple(Span(span.text, f"bar {span.style}".strip()) for span in crop(row, width))


def _room(fields: Sequence[Field]) -> int:
    return sum(columns(field.spans) + 2 for field in fields)


def _fields(scene: Scene, marks: Sequence[str], link_ms: float | None) -> Iterable[Field]:
    status, link = scene.world.status, scene.world.link
    yield Field(8, line(Span(" fa ", "title")))
    yield Field(8, line(say(status.array, "title")))
    yield Field(10, health(scene))
    for mark in marks:
        yield Field(9, line(Span(f" {mark} ", "alarm")))
    yield Field(5, _nodes(scene.world))
    yield Field(4, _slots(scene.world))
    yield Field(8, _counts(scene.world))
    yield Field(9, mirror(scene.world))
    yield Field(6, line(Span(f"▲ {status.alerts}", "warn")) if status.alerts else ())
    door = status.via or link.node  # the node that was asked; behind it the coordinator answers
    yield Field(7, line(say(f"via {door}", "dim")) if door else ())
    yield Field(3, line(Span(f"link {link_ms:.0f} ms", "dim")) if link_ms is not None and link_ms >= 100 else ())


def health(scene: Scene) -> Line:
    """The word for how the array is, or that what is shown may be old."""
    silence = scene.world.link.silence(scene.now)
    if silence > STALE_AFTER:
        return line(Span(f" STALE {int(silence)}s ", "alarm"))
    if "status" not in scene.world.known:
        return line(Span("connecting…", "dim"))
    return line(badge_of(HEALTH, scene.world.status.health))


def _nodes(world: World) -> Line:
    nodes = world.status.nodes
    up = sum(node.state != "lost" for node in nodes)
    return line(Span("nodes "), say(f"{up}/{len(nodes)}", "warn" if up < len(nodes) else "")) if nodes else ()


def _slots(world: World) -> Line:
    slots = [each for node in world.status.nodes if node.state != "lost" for each in node.slots.values()]
    return line(say(f"slots {sum(each.used for each in slots)}/{sum(each.total for each in slots)}")) if slots else ()


def _counts(world: World) -> Line:
    counts = world.status.jobs
    if counts is None:
        return ()
    failed = (Span(f" ✗ {short(counts.failed)} ", "fail"),) if counts.failed else ()
    return line(Span(f"► {short(counts.running)}", "run"), Span(f"  · {short(counts.queued)} ", "wait"), *failed)


def short(count: int) -> str:
    """A number of jobs in few columns: "1,284", "143k", "1.2M"."""
    if count < 10_000:
        return f"{count:,}"
    return f"{count // 1000}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"


def mirror(world: World) -> Line:
    """Who leads, who follows, and how: ``a►b ✓ LOCK-STEP``."""
    status = world.status
    if "status" not in world.known:
        return ()
    pair = f"{status.coordinator or 'nobody'}►{'+'.join(status.secondaries) or 'none'} "
    return line(say(pair), badge_of(MIRROR, status.mirror.state))


def tabs(scene: Scene, current: str, crumbs: Sequence[str]) -> Line:
    """The seven screens with their numbers, the current one marked, what is opened on top of it behind."""
    spans = [Span(" ")]
    narrow = scene.size.width < (100 if crumbs else 74)
    for number, name in enumerate(TABS, 1):
        label = str(number) if narrow and name != current else f"{number} {name.capitalize()}"
        spans += [Span(f" {label} ", "tab" if name == current else "dim")]
    spans += [say(f" › {crumb}", "title") for crumb in crumbs]
    return crop(tuple(spans), scene.size.width)


def footer(actions: Iterable[Action], denied: Callable[[Action], str], width: int) -> Line:
    """The keys that matter here, in words; those that cannot be used now are grey."""
    ranked = sorted((action for action in actions if action.footer), key=lambda action: action.footer)
    always = [action for action in ranked if action.footer >= ALWAYS]
    room = width - columns(tuple(span for action in always for span in _foot(action, denied)))
    row: list[Span] = [Span(" ")]
    for action in ranked:
        part = _foot(action, denied)
        if action.footer < ALWAYS and columns((*row, *part)) <= room:
            row += part
    return crop((*row, *(span for action in always for span in _foot(action, denied))), width)


def _foot(action: Action, denied: Callable[[Action], str]) -> Line:
    off = bool(denied(action))
    return Span(shown(action.keys[0]), "off" if off else "key"), Span(f" {action.label}  ", "off" if off else "")
