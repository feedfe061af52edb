"""Which node watches which monitor: one that can, the one that does so already, else the one that watches the least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """`needs`: words of an offer, such as ``source:san``. `pinned` to a node, or ""; `owner` now, or ""."""

    monitor: int
    needs: frozenset[str]
    pinned: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Seat:
    """A node that may watch. `new`: also what it does not watch yet."""

    offers: frozenset[str]
    new: bool = True


def place(wishes: Sequence[Wish], seats: Mapping[str, Seat]) -> dict[int, str]:
    """The owner of each monitor; "" where no node can. Moves nothing without a reason: a node that lost a monitor gets
    it back only when it would have two fewer than another one."""
    owners = {wish.monitor: wish.owner if _may(wish, seats, wish.owner) else "" for wish in wishes}
    for wish in wishes:
        if not owners[wish.monitor]:
            able = [name for name in sorted(seats) if seats[name].new and _may(wish, seats, name)]
            owners[wish.monitor] = min(able, key=lambda name: _load(owners, name), default="")
    for wish in wishes:
        _even_out(wish, owners, seats)
    return owners


def _even_out(wish: Wish, owners: dict[int, str], seats: Mapping[str, Seat]) -> None:
    mine = owners[wish.monitor]
    able = [name for name in sorted(seats) if seats[name].new and _may(wish, seats, name)]
    idle = min(able, key=lambda name: _load(owners, name), default="")
    if mine and idle and _load(owners, mine) - _load(owners, idle) >= 2:
        owners[wish.monitor] = idle


def _may(wish: Wish, seats: Mapping[str, Seat], name: str) -> bool:
    seat = seats.get(name)
    return seat is not None and wish.pinned in ("", name) and wish.needs <= seat.offers


def _load(owners: Mapping[int, str], name: str) -> int:
    return sum(owner == name for owner in owners.values())
