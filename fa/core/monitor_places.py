"""Which node watches which monitor: one that can, the one that does so already, else the one that watches the least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ELSEWHERE_AFTER = 10.0  # seconds that an owner cannot look at a folder, after which another node is tried
SLOW_MAX = 120.0  # seconds of a look that is slow and not hung, however long it took
UNFIT_FOR = 600.0  # seconds until a node that could not is tried again


@dataclass(frozen=True, slots=True)
class Wish:
    """`needs`: words of an offer, such as ``source:san``. `pinned` to a node, or ""; `owner` now, or "". `unfit`: nodes
    that have what it needs and could not look at the folder (:class:`Fitness`)."""

    monitor: int
    needs: frozenset[str]
    pinned: str = ""
    owner: str = ""
    unfit: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seat:
    """A node that may watch. `new`: also what it does not watch yet."""

    offers: frozenset[str]
    new: bool = True


@dataclass(slots=True)
class Fitness:
    """Which nodes could not look at one folder, by what its owners said of it.

    A volume may be well while a folder on it hangs, or is not there for one node. One whose looks take long is given
    twice the time of the longest one more, so that nothing wanders because a server is slow."""

    _since: dict[str, float] = field(default_factory=dict)
    _unfit: dict[str, float] = field(default_factory=dict)
    _slowest: float = 0.0

    def note(self, owner: str, *, away: bool, scan_seconds: float, now: float) -> None:
        """`away`: it says that the folder cannot be looked at."""
        self._slowest = min(SLOW_MAX, max(self._slowest, scan_seconds))
        self._since = {owner: self._since.get(owner, now)} if away else {}
        if away and now >= self._since[owner] + ELSEWHERE_AFTER + 2 * self._slowest:
            self._unfit[owner] = now

    def unfit(self, now: float) -> frozenset[str]:
        return frozenset(name for name, at in self._unfit.items() if now < at + UNFIT_FOR)


def place(wishes: Sequence[Wish], seats: Mapping[str, Seat]) -> dict[int, str]:
    """The owner of each monitor; "" where no node can. Moves nothing without a reason: a node that lost a monitor gets
    it back only when it would have two fewer than another one. Where all are unfit nobody is better than the owner."""
    owners = {wish.monitor: wish.owner if _may(wish, seats, wish.owner) else "" for wish in wishes}
    for wish in wishes:
        mine = owners[wish.monitor]
        if not mine or mine in wish.unfit:
            able = _able(wish, seats)
            fit = [name for name in able if name not in wish.unfit]
            choice = fit or ([mine] if mine else able)
            owners[wish.monitor] = min(choice, key=lambda name: _load(owners, name), default="")
    for wish in wishes:
        _even_out(wish, owners, seats)
    return owners


def _even_out(wish: Wish, owners: dict[int, str], seats: Mapping[str, Seat]) -> None:
    mine = owners[wish.monitor]
    able = [name for name in _able(wish, seats) if name not in wish.unfit]
    idle = min(able, key=lambda name: _load(owners, name), default="")
    if mine and idle and _load(owners, mine) - _load(owners, idle) >= 2:
        owners[wish.monitor] = idle


def _able(wish: Wish, seats: Mapping[str, Seat]) -> list[str]:
    return [name for name in sorted(seats) if seats[name].new and _may(wish, seats, name)]


def _may(wish: Wish, seats: Mapping[str, Seat], name: str) -> bool:
    seat = seats.get(name)
    return seat is not None and wish.pinned in ("", name) and wish.needs <= seat.offers


def _load(owners: Mapping[int, str], name: str) -> int:
    return sum(owner == name for owner in owners.values())
