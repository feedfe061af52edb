"""When two nodes are alike: then they will do the same, and one of them need be looked at."""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import replace
from enum import Enum
from types import MethodType
from typing import Any

from fa.core.array_messages import Beat, BeatOk, Query, Stat
from fa.core.array_roles import Role
from tests.sim.node import FOREVER, Node

SOON, LATE = 0.01, 1.0
"""Seconds that pass when a node is woken, and at no other time: those of a heartbeat, or those of all time-outs."""
YOUNG = 0.5
"""Nothing that is younger has timed out."""

UNSEEN = frozenset({
    "world", "perform", "settings", "rate", "offset", "fsync_seconds", "paused_until", "fuse", "wake_at", "arriving",
    "_handlers", "_routes", "_proven", "config", "rng", "why", "effects", "now", "call", "number", "beat", "round_trip",
    "_asked_at", "_round", "work", "_probe_at", "_note_at", "up_at", "alone_at",
})  # fmt: skip
"""What decides nothing here, or is the same for ever, or is a number of a heartbeat or a question."""
DUE = frozenset({"suspect_at", "_until", "until", "_marks_at", "_beat_at"})
"""Deadlines: they are looked at only when the node is woken."""


def likeness(node: Node) -> Any:
    """Equal for two nodes exactly when they will do the same, however late it is. What belongs to a question that was
    asked is forgotten on the way, for the next one begins anew."""
    if not node.alive:
        return node.name, node.life, _frozen(node.disk, 0.0, set())
    state, election = node.array._state, node.array._seat.election
    if state.role is not Role.ASKING:
        election._stats, election._until, election._waits_for_ok = {}, FOREVER, False
        election._found, election._sets = None, ()
    silent = tuple(sorted(name for name, peer in state.peers.items() if peer.up_at <= election._heard_at))
    return silent, _frozen(node, state.now, set())


def _frozen(value: Any, now: float, seen: set[int]) -> Any:
    kind = type(value)
    if kind in (int, str, bool, type(None)) or isinstance(value, Enum):
        return value
    if kind is float:
        return _age(value, now)
    if kind in (tuple, list, deque):
        return tuple([_frozen(each, now, seen) for each in value])
    if kind in (set, frozenset):
        return frozenset(value)
    if kind is dict:
        return frozenset([(key, _frozen(each, now, seen)) for key, each in value.items()])
    if kind is array:
        return tuple(value)
    if kind is MethodType:
        return None
    parameters = getattr(kind, "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        return value
    if id(value) in seen:
        return "seen"
    seen.add(id(value))
    return tuple([_field(name, getattr(value, name, None), now, seen) for name in _fields(value)])


def _field(name: str, value: Any, now: float, seen: set[int]) -> Any:
    if name in DUE and value != FOREVER:
        return SOON if value - now < YOUNG else LATE
    return _frozen(value, now, seen)


def _age(at: float, now: float) -> float:
    """Two times are alike when no time-out tells them apart: soon, later, never; now, lately, long ago."""
    if abs(at) == FOREVER or at == now:
        return at - now
    if at > now:
        return SOON if at - now < YOUNG else LATE
    return -SOON if now - at < YOUNG else -LATE


_FIELDS: dict[type, list[str]] = {}


def _fields(value: Any) -> list[str]:
    kind = type(value)
    if kind not in _FIELDS:
        _FIELDS[kind] = sorted(name for name in getattr(kind, "__slots__", ()) if name not in UNSEEN)
    return _FIELDS[kind] or sorted(name for name in vars(value) if name not in UNSEEN)


def unnumbered(message: Any) -> Any:
    match message:
        case Beat() | BeatOk():
            return replace(message, number=0)
        case Query() | Stat():
            return replace(message, round=1)
    return message
