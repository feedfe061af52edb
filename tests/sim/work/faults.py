"""What goes wrong. A seed enables some kinds (a swarm), so that rare combinations come up; they strike at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.work.node import Node
    from tests.sim.work.world import World

KINDS = ("crash", "crash_leader", "take_over", "view", "pause", "pause_leader", "cut", "hang", "stall", "bad_node",
         "bad_source", "lose_reports")  # fmt: skip


class Faults:
    def __init__(self, world: World) -> None:
        self._world = world
        self._kinds: list[Callable[[], None]] = []
        self._every = 2.0
        self._stopped = False
        self.meddling = 0.0

    def choose(self) -> None:
        world, rng = self._world, self._world.rng
        often = rng.choice((0.15, 0.45))
        names = [name for name in KINDS if rng.random() < often]
        self._kinds = [getattr(self, f"_{name}") for name in names]
        self._every = rng.choice((1.0, 2.0, 4.0))
        self.meddling = rng.choice((0.0, 0.2, 0.5))
        world.loss = rng.choice((0.0, 0.0, 0.02, 0.05, 0.3))
        world.doubles = rng.choice((0.0, 0.1))
        world.late = rng.choice((0.0, 0.0, 0.02, 0.1))
        world.files.trouble = rng.choice((0.0, 0.0, 0.3))
        world.store.trouble = rng.choice((0.0, 0.0, 0.05))
        world.store.slow = rng.choice((0.02, 0.5))
        if world.loss > 0.1 or world.late > 0.05:  # then a node may seem lost that is well
            world.checks.touched.update(world.nodes)

    def start(self) -> None:
        if self._kinds:
            self._world.after(self._world.rng.expovariate(1 / self._every), self._strike)

    def _strike(self) -> None:
        if not self._stopped:
            self._world.rng.choice(self._kinds)()
            self.start()

    def stop(self) -> None:
        """Everything heals: what can run runs, undisturbed."""
        self._stopped = True
        world = self._world
        world.loss = world.doubles = world.late = world.files.trouble = world.store.trouble = 0.0
        world.cut.clear()
        world.store.stalled, world.store.slow = False, 0.02
        for name in sorted(world.nodes):
            node = world.nodes[name]
            node.fails = 0.0
            if not node.alive:
                node.start()
            if node.paused:
                node.pause(False)
            if node.hung:
                self._mend(node)
            node.stale(False)
        if world.leader is None or world.nodes[world.leader].reign != world.reign:
            world.lead(world.rng.choice(sorted(world.nodes)))
        world.after(0.5, world.new_view)
        if world.wide:
            self._hang_one_for_good()
        self._lose_one_for_good()

    def _lose_one_for_good(self) -> None:
        """A server that never comes back: what it ran is for the others."""
        world = self._world
        others = self._spare()
        if len(others) >= 2 and world.rng.random() < 0.3:
            lost = world.nodes[world.rng.choice(others)]
            world.checks.touched.add(lost.name)
            lost.crash()

    def _hang_one_for_good(self) -> None:
        """A mount that never answers again, perhaps of a node that was started anew before it did not."""
        world = self._world
        node = world.nodes[world.rng.choice(sorted(set(world.nodes) - {"a"}))]
        if world.rng.random() < 0.5:
            world.checks.touched.add(node.name)
            if world.rng.random() < 0.5 and node.name != world.leader:
                node.crash()
                node.start()
            node.hung = node.hangs_for_good = True
            node.offer()
            world.counts["hung for good"] += 1

    def _spare(self) -> list[str]:
        """Without whom everything can still be done."""
        world = self._world
        return sorted(set(world.nodes) - {world.leader} - ({"a"} if world.wide else set()))

    # --- victims ---

    def _any(self) -> Node:
        world = self._world
        name = world.rng.choice(sorted(world.nodes))
        world.checks.touched.add(name)
        return world.nodes[name]

    def _leader(self) -> Node:
        world = self._world
        if world.leader is None:
            return self._any()
        world.checks.touched.add(world.leader)
        return world.nodes[world.leader]

    # --- processes ---

    def _crash(self) -> None:
        self._down(self._any())

    def _crash_leader(self) -> None:
        self._down(self._leader())

    def _down(self, node: Node) -> None:
        if not node.alive:
            return
        node.crash()
        rng = self._world.rng
        self._world.after(rng.choice((0.1, 1.0, 6.0)) * rng.uniform(0.5, 1.5), self._up, node)
        if node.name == self._world.leader:
            self._world.after(rng.uniform(0.5, 4.0), self._succeed, node.name)

    def _up(self, node: Node) -> None:
        if not node.alive:
            node.start()

    def _succeed(self, dead: str) -> None:
        """Somebody who lives takes over; the same one, when it is back first or alone."""
        world = self._world
        alive = [name for name, node in sorted(world.nodes.items()) if node.alive and not node.paused]
        if world.leader != dead:
            return
        if not alive:
            world.after(1.0, self._succeed, dead)
            return
        world.lead(world.rng.choice(alive))

    def _take_over(self) -> None:
        """With the old one alive: it goes on for a while and knows nothing."""
        world = self._world
        alive = [name for name, node in sorted(world.nodes.items()) if node.alive and not node.paused]
        others = [name for name in alive if name != world.leader]
        if others and world.leader and world.nodes[world.leader].alive:
            world.lead(world.rng.choice(others))

    def _view(self) -> None:
        self._world.new_view()

    def _pause(self) -> None:
        self._stop_for_a_while(self._any(), (0.3, 2.0, 6.0, 12.0))

    def _pause_leader(self) -> None:
        self._stop_for_a_while(self._leader(), (0.3, 2.0, 6.0, 10.0))

    def _stop_for_a_while(self, node: Node, seconds: tuple[float, ...]) -> None:
        if node.alive and not node.paused:
            node.pause(True)
            self._world.after(self._world.rng.choice(seconds), self._go_on, node, node.boot)

    def _go_on(self, node: Node, boot: int) -> None:
        if node.alive and node.boot == boot and node.paused:
            node.pause(False)

    # --- network, volume, store ---

    def _cut(self) -> None:
        victim, other = self._any().name, self._any().name
        if victim != other:
            pair = frozenset((victim, other))
            self._world.say(f"-- {victim} and {other} are cut off from each other")
            self._world.cut.add(pair)
            self._world.after(self._world.rng.choice((1.0, 4.0, 10.0)), self._world.cut.discard, pair)

    def _hang(self) -> None:
        node = self._any()
        if node.alive and not node.hung:
            self._world.say(f"-- the mount of {node.name} hangs")
            node.hung = True
            node.offer()
            self._world.after(self._world.rng.choice((1.0, 5.0, 20.0)), self._mend, node)

    def _mend(self, node: Node) -> None:
        if node.alive and node.hung and not node.hangs_for_good:
            node.hung = False
            node.offer()

    def _stall(self) -> None:
        """The coordinator reaches nobody for a while: nothing is acknowledged, and it knows."""
        world = self._world
        if world.leader and world.nodes[world.leader].alive and not world.store.stalled:
            world.say(f"-- {world.leader} reaches no majority")
            world.store.stalled = True
            world.nodes[world.leader].stale(True)
            pairs = {frozenset((world.leader, name)) for name in world.nodes if name != world.leader}
            world.cut |= pairs
            world.after(world.rng.choice((1.0, 5.0, 8.0)), self._go_through, world.leader, pairs)

    def _go_through(self, leader: str, pairs: set[frozenset[str]]) -> None:
        self._world.cut -= pairs
        self._world.store.stalled = False
        self._world.nodes[leader].stale(False)

    # --- work that fails ---

    def _bad_node(self) -> None:
        """At most one at a time, and never all: elsewhere it works."""
        world = self._world
        for node in world.nodes.values():
            node.fails = 0.0
        if len(world.nodes) > 1:
            self._any().fails = world.rng.choice((0.5, 1.0))

    def _bad_source(self) -> None:
        if self._world.checks.jobs:
            self._world.checks.bad_sources.add(self._world.rng.choice(self._world.checks.jobs))

    def _lose_reports(self) -> None:
        """A disk forgets what its node had to report."""
        node = self._any()
        if not node.alive:
            node.shelf.clear()
