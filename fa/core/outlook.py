"""What is wrong with the array as a whole, as its coordinator sees it: decided from values, so that it can be tested
without an array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fa.core.alarms import ARRAY, Trouble
from fa.core.work_messages import VolumeHealth

SOLO_AFTER = 3.0
"""Seconds: while a copy is replaced by another the array is solo for a moment, which is nobody's business."""


@dataclass(frozen=True, slots=True)
class Space:
    """When room runs out: below `low_percent` of free space; well again above 1.2 times that, so that it does not
    flap."""

    low_percent: float = 5.0

    def is_low(self, free: int | None, total: int | None, was_low: bool) -> bool:
        if free is None or not total:
            return was_low
        limit = self.low_percent * (1.2 if was_low else 1.0)
        return free * 100 < total * limit


def solo(coordinator: str, secondaries: Sequence[str], learners: Sequence[str], nodes: Iterable[str]) -> Trouble | None:
    """`nodes`: those that may hold a copy of the store, the coordinator included."""
    if secondaries:
        return None
    only = f"{coordinator} holds the only complete copy of the job store"
    if learners:
        return Trouble("solo", ARRAY, f"{only}; {', '.join(learners)} is being brought up to date.")
    if any(node != coordinator for node in nodes):
        return Trouble("solo", ARRAY, f"{only}: no other node can take one now. Losing it loses all jobs.")
    how = "`fa token create --role node` here and `fa join` on a second server add one"
    return Trouble("solo", ARRAY, f"{only}: losing it loses all jobs. {how}.")


def low_volumes(seen: Iterable[VolumeHealth], space: Space, was_low: Iterable[str]) -> tuple[Trouble, ...]:
    """One for each volume that some node sees running out of room. `was_low`: names of those that did before."""
    known, low = set(was_low), dict[str, Trouble]()
    for volume in seen:
        if space.is_low(volume.free, volume.total, volume.name in known) and volume.name not in low:
            low[volume.name] = Trouble("disk.low", f"volume/{volume.name}", room(f"volume {volume.name}", volume))
    return tuple(low[name] for name in sorted(low))


def room(what: str, health: VolumeHealth) -> str:
    if not health.total or health.free is None:
        return f"{what} has little room left"
    return f"{what} has {health.free * 100 / health.total:.1f} % of its room left ({health.free // (1 << 20)} MiB)"
