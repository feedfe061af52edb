"""The world of a work simulation: time, the network, who leads, and everything that nodes share.

One `Random` sets everything; events are ordered by time and number, so that one seed is one run."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from fa.core.work import Moment
from tests.sim.work.checks import Checks, require
from tests.sim.work.clients import Clients
from tests.sim.work.files import Files
from tests.sim.work.node import Node
from tests.sim.work.store import Store

EVENTS_MAX = 200_000
WALL = 1_700_000_000_000  # ms, when time begins


class World:
    def __init__(self, rng: Random, trace: bool = False) -> None:
        self.rng = rng
        self.now = 0.0
        self.counts: Counter[str] = Counter()
        self.lines: list[str] = []
        self.nodes: dict[str, Node] = {}
        self.checks = Checks(self)
        self.files = Files(self)
        self.store = Store(self)
        self.clients = Clients(self)
        self.leader: str | None = None
        self.epoch = self.reign = 0
        self.cut: set[frozenset[str]] = set()  # pairs that cannot talk
        self.loss = self.doubles = self.late = 0.0
        self.wide = False  # with tasks of several costs, two classes of slots, reserves of any size
        self._trace = trace
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0

    # --- time ---

    def moment(self) -> Moment:
        return Moment(self.now, WALL + int(self.now * 1000))

    def after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        self._number += 1
        heapq.heappush(self._heap, (self.now + seconds, self._number, call, arguments))

    def run(self, until: float) -> None:
        while self._heap and self._heap[0][0] <= until:
            self.now, _, call, arguments = heapq.heappop(self._heap)
            self.counts["events"] += 1
            require(self.counts["events"] < EVENTS_MAX, f"{EVENTS_MAX} events: something turns in circles")
            call(*arguments)
        self.now = until

    def say(self, text: str) -> None:
        if self._trace:
            self.lines.append(f"{self.now:9.3f} {text}")

    # --- messages ---

    def send(self, source: str, target: str, message: Any) -> None:
        """At least none, at most twice; in any order."""
        if source == target:
            self.after(0.0, self._deliver, source, target, message)
            return
        if frozenset((source, target)) in self.cut or self.rng.random() < self.loss:
            return
        for _ in range(2 if self.rng.random() < self.doubles else 1):
            delay = self.rng.uniform(0.001, 0.05)
            if self.rng.random() < self.late:
                delay += self.rng.uniform(0.5, 6.0)
            self.after(delay, self._deliver, source, target, message)

    def _deliver(self, source: str, target: str, message: Any) -> None:
        if target in self.nodes and self.nodes[target].alive:
            self.nodes[target].told(source, message)

    # --- who leads ---

    def lead(self, name: str) -> None:
        """`name` takes over: of what the one before it had on its way to the store, some is kept and the rest lost."""
        before, self.leader = self.leader, name
        self.reign += 1
        self.epoch += self.rng.randint(1, 3)
        self.counts["take-overs"] += before not in (None, name)
        self.say(f"-- {name} leads in epoch {self.epoch}")
        self.store.change_hands(name, self.epoch)
        if before is not None and before != name:
            self.after(self.rng.uniform(0.0, 4.0), self.nodes[before].step_down)
        for other in sorted(self.nodes):
            if other == name:
                self.after(0.0, self.nodes[name].serve, self.reign)
            else:
                self.after(self.rng.uniform(0.0, 1.5), self.hear_of_leader, other, self.epoch)

    def hear_of_leader(self, name: str, epoch: int) -> None:
        if epoch == self.epoch and self.leader is not None:
            self.nodes[name].follow(self.leader, epoch)

    def new_view(self) -> None:
        """The same node leads on in another epoch, as after the loss of a copy."""
        if self.leader is None or self.nodes[self.leader].reign != self.reign:
            return
        self.epoch += 1
        self.counts["views"] += 1
        self.say(f"-- {self.leader} goes on in epoch {self.epoch}")
        self.store.epoch = self.epoch
        for other in sorted(self.nodes):
            delay = 0.0 if other == self.leader else self.rng.uniform(0.0, 1.0)
            self.after(delay, self.hear_of_leader, other, self.epoch)
