"""Breadth first, from a running array, until a rule is broken, nothing new is found, or the bound is reached."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from fa.core import array as core_array
from fa.core.trust import Memory
from tests.sim.explore.arrays import Search, State
from tests.sim.explore.likeness import SOON
from tests.sim.explore.nodes import Setting
from tests.sim.mutants import MUTANTS, Mutant

SETTINGS = (
    Setting("views", "ab", 2, 0, 0),
    Setting("pair", "ab", 2, 2, 0),
    Setting("crash", "ab", 2, 1, 1),
    Setting("growing", "a", 2, 1, 0),
    Setting("growing-crash", "a", 2, 1, 1),
)


@dataclass(slots=True)
class Found:
    """How far a search came; ``violation``: which rule is broken, ``story``: how."""

    setting: str
    states: int = 0
    steps: int = 0
    depth: int = 0
    exhausted: bool = False
    violation: str = ""
    story: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        rate = self.states / max(self.seconds, 0.001)
        far = "exhausted" if self.exhausted else "bounded"
        said = self.violation or "0 violations"
        figures = f"{self.states} states, {self.steps} steps, depth {self.depth}, {self.seconds:.0f} s, {rate:.0f}/s"
        return f"{self.setting:14} {far}: {figures}: {said}"


Trail = tuple[Any, Any] | None


class Frontier:
    """The states that are to be looked at. Of two that differ only in the messages that were sent, the one with more
    can do all that the other can: the other is left out.
    """

    def __init__(self) -> None:
        self._nets: dict[Any, list[int]] = {}
        self.fresh: list[tuple[State, Trail]] = []

    def add(self, state: State, trail: Trail) -> None:
        net, nets = state.net, self._nets.setdefault(_but_net(state), [])
        if any(not net & ~more for more in nets):
            return
        nets[:] = [less for less in nets if less & ~net]
        nets.append(net)
        self.fresh.append((state, trail))

    def level(self) -> list[tuple[State, Trail]]:
        """Those that were added since, the ones with most messages first."""
        fresh, self.fresh = self.fresh, []
        return sorted(fresh, key=lambda entry: -entry[0].net.bit_count())

    def holds(self, state: State) -> bool:
        return state.net in self._nets[_but_net(state)]


def _but_net(state: State) -> Any:
    return state.locals, state.history, state.proposals, state.writes, state.crashes


def explore(setting: Setting, most: int, progress: bool = False, left_out: Mutant | None = None) -> Found:
    """Look at ``most`` states at most, the nearest first; ``left_out``: a rule, from the running array on."""
    found, began = Found(setting.name), time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(still())
        search, frontier = Search(setting), Frontier()
        if left_out:
            stack.enter_context(left_out.active())
        frontier.add(search.state, None)
        trail: Trail = None
        try:
            while level := frontier.level():
                for state, trail in level:
                    if not frontier.holds(state):
                        continue
                    if found.states == most:
                        return found
                    found.states += 1
                    for what, following in search.after(state):
                        found.steps += 1
                        frontier.add(following, (what, trail))
                found.depth += 1
                if progress:
                    found.seconds = time.monotonic() - began
                    print(f"\r{found}, {len(frontier.fresh)} next ", end="", flush=True)
            found.exhausted = True
        except AssertionError as error:
            found.depth += 1
            found.violation = str(error) or type(error).__name__
            found.story = [*_story(search, trail), *getattr(error, "__notes__", ())]
        finally:
            found.seconds = time.monotonic() - began
    return found


def _story(search: Search, trail: Trail) -> list[str]:
    told: list[str] = []
    while trail:
        what, trail = trail
        told.append(search.told(what))
    return told[::-1]


@contextmanager
def still() -> Iterator[None]:
    """What peers remember of a disk is for disks that forget, and none does here: it would only multiply the states."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(core_array, "MARKS_EVERY", SOON))
        for name in ("acknowledged", "told_epoch"):
            stack.enter_context(patch.object(Memory, name, _nothing))
        yield


def _nothing(*arguments: Any, **more: Any) -> None:
    pass


# ---- rules left out

HUNTED = {
    "ack_primary_only": "pair", "one_vote": "views", "drop_unilateral": "pair", "ack_during_drop": "pair",
    "grow_not_caught": "growing", "same_epoch": "views",
}  # fmt: skip
"""Rules, and where it is seen soon what comes of leaving them out. The others are for seeds and stories."""


def hunt(name: str, most: int) -> Found:
    """Search with this rule left out."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    setting = next(setting for setting in SETTINGS if setting.name == HUNTED[name])
    return explore(setting, most, left_out=mutant)
