"""Reads that must see everything acknowledged before they began (R11).

Being the coordinator is not something one can know alone: another node may have been chosen a moment ago. So a read
waits for one heartbeat
*begun after it* to be answered, in this epoch, by every in-sync node: none of them had taken part in another view by
then. A coordinator that is alone in its view needs nobody: no view can be chosen without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fa.core.array_effects import BarrierFailed, BarrierPassed
from fa.core.array_roles import Role
from fa.core.array_state import State

if TYPE_CHECKING:
    from fa.core.array_leader import Leader

PATIENCE = 5.0
"""Seconds after which nobody waits for a read any more: a stalled array may be asked for days, and forgets who was."""


class Barriers:
    """Reads that wait, oldest first: each with the number of the heartbeat that must come back from every in-sync node,
    and with the time at which it came."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, float]] = []

    def add(self, state: State, leader: Leader, read: int) -> None:
        self.expire(state)
        first = not self._waiting
        self._waiting.append((read, leader.number + 1, state.now))
        if first and state.role is Role.SERVING and leader.view.secondaries():
            leader.ask_back(state)
        self.progress(state, leader)

    def progress(self, state: State, leader: Leader) -> None:
        """Pass the reads whose heartbeat is back; the others share the next one."""
        if not self._waiting or state.role is not Role.SERVING:
            return
        back = self._back(leader)
        passed = [read for read, number, _ in self._waiting if number <= back]
        self._waiting = [waiting for waiting in self._waiting if waiting[1] > back]
        for read in passed:
            state.emit(BarrierPassed(read))
        if passed and self._waiting and min(number for _, number, _ in self._waiting) > leader.number:
            leader.ask_back(state)

    def restart(self, number: int) -> None:
        """A new view was chosen: only heartbeats of its epoch count, from ``number`` on."""
        self._waiting = [(read, number, since) for read, _, since in self._waiting]

    def expire(self, state: State) -> None:
        """Forget the reads that nobody waits for any more."""
        count = 0
        for read, _, since in self._waiting:
            if state.now - since < PATIENCE:
                break
            state.emit(BarrierFailed(read))
            count += 1
        del self._waiting[:count]

    def fail(self, state: State) -> None:
        for read, _, _ in self._waiting:
            state.emit(BarrierFailed(read))
        self._waiting = []

    def _back(self, leader: Leader) -> int:
        """The newest heartbeat that every in-sync node answered; all of them when there is no other node."""
        copies = leader.mirror.copies
        return min((copies[node].beat for node in leader.view.secondaries()), default=leader.number + 1)
