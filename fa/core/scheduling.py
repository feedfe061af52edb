"""Which node runs which task, and, for every node that does not, why.

The head of the queue is the task with the highest priority, among equals the oldest. The first node with an open slot
that is eligible gets it; of several, the one with the largest free share, then by name. A task that fits nowhere only
because it wants several slots at once holds back the node where it will fit first, so that small ones behind it cannot
starve it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from fa.core.model import Group, NodeMode, NodeView, Reserve
from fa.core.recipe_needs import to_prove


class Why(StrEnum):
    """The kinds of "no". Those in `NEVER` do not pass by waiting: somebody has to change something."""

    LOST = "lost"
    SILENT = "silent"
    TRYING = "trying"
    PAUSED = "paused"
    DRAINING = "draining"
    BUSY = "busy"
    RESERVED = "reserved"
    HELD_BACK = "held-back"
    UNHEALTHY = "unhealthy"
    BLOCKED = "blocked"
    QUARANTINED = "quarantined"
    DEDICATED = "dedicated"
    TOO_SMALL = "too-small"
    LACKS = "lacks"


PRIORITY_MAX = 100
NEVER = frozenset({Why.DEDICATED, Why.TOO_SMALL, Why.LACKS})


@dataclass(frozen=True, slots=True)
class Reason:
    why: Why
    text: str

    @property
    def passes(self) -> bool:
        """Whether waiting can help."""
        return self.why not in NEVER


def why_never(group: Group, node: NodeView, priority: int = PRIORITY_MAX) -> Reason | None:
    """Why this node, as it is set up, can never run such a task; None also of one that has not said how it is. Without
    a priority: whatever that would be."""
    if not node.slots:
        return None
    if node.only_factories and group.factory not in node.only_factories:
        return Reason(Why.DEDICATED, f"is dedicated to {', '.join(node.only_factories)}")
    if node.only_tags and not {f"tag:{tag}" for tag in node.only_tags} & set(group.requires):
        return Reason(Why.DEDICATED, f"takes only work that requires tag {' or '.join(node.only_tags)}")
    total = slots_of(node, group.slot_class)
    if total < group.cost:
        return Reason(Why.TOO_SMALL, f"has {total} {group.slot_class} slots, one task costs {group.cost}")
    ever = slots_ever(node, group.slot_class, priority)
    if ever < group.cost:
        text = f"keeps all but {max(0, ever)} of its {total} {group.slot_class} slots for work of higher priority"
        return Reason(Why.TOO_SMALL, f"{text}, one task costs {group.cost}")
    if node.offers.issuperset(group.requires):
        return None
    unsure = {*dict(node.unhealthy), *_untried(group, node)}
    lacking = [need for need in group.requires if need not in node.offers and need not in unsure]
    return Reason(Why.LACKS, f"has no {', no '.join(lacking)}") if lacking else None


def _untried(group: Group, node: NodeView) -> list[str]:
    """What it needs of the node's ffmpeg that was not tried there yet."""
    if node.failed is None:
        return []
    return sorted(to_prove(group.requires) - node.offers - node.failed)


def why_not_now(group: Group, node: NodeView) -> Reason | None:
    """Why this node takes no such task at present, slots aside."""
    if not node.up:
        return Reason(Why.LOST, "is lost")
    if not node.slots:
        return Reason(Why.SILENT, "has not said yet what it can do")
    if node.mode is NodeMode.PAUSED:
        return Reason(Why.PAUSED, "is paused")
    if node.mode is NodeMode.DRAINING:
        return Reason(Why.DRAINING, "is draining")
    if group.factory in node.quarantined:
        return Reason(Why.QUARANTINED, f"is quarantined for factory {group.factory}")
    if not node.offers.issuperset(group.requires) and (untried := _untried(group, node)):
        return Reason(Why.TRYING, f"is still trying {', '.join(word.replace(':', ' ') for word in untried)}")
    if node.unhealthy:
        ill = dict(node.unhealthy)
        sick = [f"{need} ({ill[need]})" for need in group.requires if need in ill]
        if sick:
            return Reason(Why.UNHEALTHY, f"has trouble with {', '.join(sick)}")
    return None


class Holder(Protocol):
    """An attempt on a node, as far as slots go."""

    @property
    def cost(self) -> int: ...
    @property
    def slot_class(self) -> str: ...
    @property
    def delivering(self) -> bool: ...


H = TypeVar("H", bound=Holder)


def holders(attempts: Iterable[H], slots: Iterable[tuple[str, int]]) -> list[tuple[H, int]]:
    """Those that take slots, and how many. One slot is room for one encoder: an attempt whose encoder has ended takes
    none while its output is checked and published, so that the next may encode meanwhile. But only as many slots as the
    node has are let go: behind a destination that hangs no work piles up.

    How many are let go in all depends on no order, and news of an encoder that ended only lets more go. So what the
    coordinator sends finds room, though the node knows other things, and in another order."""
    room, held = dict(slots), []
    for attempt in attempts:
        let_go = min(attempt.cost, room.get(attempt.slot_class, 0)) if attempt.delivering else 0
        if let_go:
            room[attempt.slot_class] -= let_go
        if let_go < attempt.cost:
            held.append((attempt, attempt.cost - let_go))
    return held


def slots_of(node: NodeView, slot_class: str) -> int:
    for name, total in node.slots:
        if name == slot_class:
            return total
    return 0


def has_room(node: NodeView) -> bool:
    """Whether the node could start anything at all."""
    if not node.up or node.mode is not NodeMode.UP:
        return False
    return any(total > sum(cost for of, cost, _ in node.used if of == name) for name, total in node.slots)


def free_slots(node: NodeView, slot_class: str, priority: int) -> int:
    """Open slots of a class for a task of this priority: what is free, less what is reserved for more urgent work and
    not already used by it."""
    used = [(cost, of) for name, cost, of in node.used if name == slot_class]
    free = slots_of(node, slot_class) - sum(cost for cost, _ in used)
    return max(0, free - kept_slots(node.reserve, slot_class, priority, used))


def kept_slots(reserve: Sequence[Reserve], slot_class: str, priority: int, used: Sequence[tuple[int, int]] = ()) -> int:
    """Slots that wait for work more urgent than this. `used`: (cost, priority) of what runs; each running task fills
    one reserve only, the most demanding that it meets."""
    mine = sorted((rule for rule in reserve if rule.slot_class == slot_class), key=lambda rule: -rule.min_priority)
    kept = spent = 0
    for rule in mine:
        meets = sum(cost for cost, of in used if of >= rule.min_priority) - spent
        taken = min(rule.slots, max(0, meets))
        spent += taken
        if priority < rule.min_priority:
            kept += rule.slots - taken
    return kept


def slots_ever(node: NodeView, slot_class: str, priority: int) -> int:
    """As many as a task of this priority can hope for on an idle node."""
    return slots_of(node, slot_class) - kept_slots(node.reserve, slot_class, priority)


def why_no_slot(group: Group, node: NodeView, priority: int) -> Reason | None:
    if free_slots(node, group.slot_class, priority) >= group.cost:
        return None
    if free_slots(node, group.slot_class, PRIORITY_MAX) >= group.cost:
        return Reason(Why.RESERVED, "keeps its open slots for work of higher priority")
    return Reason(Why.BUSY, f"has no {group.cost} open {group.slot_class} slots of {slots_of(node, group.slot_class)}")


def why_not(
    group: Group, node: NodeView, priority: int, blocked: Sequence[str] = (), held_back: bool = False
) -> Reason | None:
    """The first reason why a task of this group does not start on this node now; None when it can."""
    reason = why_never(group, node, priority) or why_not_now(group, node)
    if reason is None and node.name in blocked:
        reason = Reason(Why.BLOCKED, "failed this task before; another node is tried first")
    reason = reason or why_no_slot(group, node, priority)
    if reason is None and held_back:
        reason = Reason(Why.HELD_BACK, "keeps its open slots for a larger task ahead in the queue")
    return reason


def may_run(group: Group, node: NodeView, priority: int) -> bool:
    """Whether a task of this group starts there as soon as enough slots are free."""
    return why_never(group, node, priority) is None and why_not_now(group, node) is None


def may_rename(node: NodeView, volume: str) -> bool:
    """Whether it could make visible now what was granted and lies there: that needs the volume, and no room on it."""
    need = f"volume:{volume}"
    return node.up and (need in node.offers or dict(node.unhealthy).get(need, "").startswith("full:"))


def still_blocked(group: Group, nodes: Iterable[NodeView], priority: int, blocked: Sequence[str]) -> tuple[str, ...]:
    """`blocked`, as long as there is another node that could run the task when it has a slot; else nothing."""
    if not blocked:
        return ()
    others = (node for node in nodes if node.name not in blocked)
    return tuple(blocked) if any(may_run(group, node, priority) for node in others) else ()


class _Seat:
    """A node while it is being filled."""

    __slots__ = ("_free", "_used", "name", "total", "view")

    def __init__(self, view: NodeView) -> None:
        self.name = view.name
        self.view = view
        self.total = dict(view.slots)
        self._free = dict(view.slots)
        self._used: dict[str, list[tuple[int, int]]] = {}  # (cost, priority)
        for slot_class, cost, priority in view.used:
            self.take(slot_class, cost, priority)

    def take(self, slot_class: str, cost: int, priority: int) -> None:
        self._used.setdefault(slot_class, []).append((cost, priority))
        self._free[slot_class] = self._free.get(slot_class, 0) - cost

    @property
    def full(self) -> bool:
        return all(free <= 0 for free in self._free.values())

    def open(self, slot_class: str, priority: int) -> int:
        """As :func:`free_slots`, kept up to date instead of counted anew."""
        free = self._free.get(slot_class, 0)
        if free <= 0 or not self.view.reserve:
            return max(0, free)
        return max(0, free - kept_slots(self.view.reserve, slot_class, priority, self._used.get(slot_class, ())))


class Board:
    """The nodes while one round of dispatch fills them."""

    def __init__(self, nodes: Iterable[NodeView]) -> None:
        taking = (node for node in nodes if node.up and node.mode is NodeMode.UP)
        self._views = sorted(taking, key=lambda node: node.name)
        self._open = [view for view in self._views if has_room(view)]
        self._seats: dict[str, _Seat] = {}
        self._held_back: set[tuple[str, str]] = set()  # (node, slot class)
        self._able: dict[int, list[_Seat]] = {}  # group → nodes to look at for it, by name

    def has_room(self) -> bool:
        """Whether any node could start anything at all, after what was placed on it."""
        return bool(self._open)

    def able(self, group: Group) -> bool:
        """Whether it is worth looking at its queue."""
        return bool(self._able_seats(group))

    def _able_seats(self, group: Group) -> list[_Seat]:
        """Nodes that may run it now; for large tasks the full ones as well, as one of them may be held back."""
        if group.id not in self._able:
            views = self._views if group.cost > 1 else self._open
            able = [view for view in views if why_never(group, view) is None and why_not_now(group, view) is None]
            self._able[group.id] = [self._seat(view) for view in able]
        return self._able[group.id]

    def _seat(self, view: NodeView) -> _Seat:
        if view.name not in self._seats:
            self._seats[view.name] = _Seat(view)
        return self._seats[view.name]

    def held_back(self, slot_class: str) -> frozenset[str]:
        """Nodes that take nothing smaller, so that a large task fits there."""
        return frozenset(node for node, held in self._held_back if held == slot_class)

    def close(self, node: str) -> None:
        """It takes nothing more after all."""
        self._views = [view for view in self._views if view.name != node]
        self._open = [view for view in self._open if view.name != node]
        for group, seats in self._able.items():
            self._able[group] = [seat for seat in seats if seat.name != node]

    def place(self, group: Group, priority: int, blocked: Sequence[str] = ()) -> str | None:
        """The node for the next task of this group, its slots taken; None where it has to wait."""
        seats = [seat for seat in self._able_seats(group) if seat.name not in blocked]
        best = self._emptiest(seats, group, priority)
        if best is not None:
            best.take(group.slot_class, group.cost, priority)
            if best.full:
                self._open = [view for view in self._open if view.name != best.name]
            return best.name
        if group.cost > 1:
            self._hold_back(seats, group, priority)
        return None

    def _emptiest(self, seats: Sequence[_Seat], group: Group, priority: int) -> _Seat | None:
        """The largest free share of those where it fits, then the first name."""
        best, best_share, slot_class = None, 0.0, group.slot_class
        for seat in seats:
            free = seat.open(slot_class, priority)
            if free >= group.cost and (seat.name, slot_class) not in self._held_back:
                share = free / seat.total[slot_class]
                if share > best_share:
                    best, best_share = seat, share
        return best

    def _hold_back(self, seats: Sequence[_Seat], group: Group, priority: int) -> None:
        """Let the node where a large task will fit first take nothing smaller before it."""
        hopes = [seat for seat in seats if slots_ever(seat.view, group.slot_class, priority) >= group.cost]
        if hopes:
            first = max(hopes, key=lambda seat: (seat.open(group.slot_class, priority), seat.name))
            self._held_back.add((first.name, group.slot_class))
