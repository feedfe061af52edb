"""The simulated world of one seed: time, network, volumes, nodes. One thread, one ``Random``, one heap of things to
come.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from fa.core import array_events as ev
from fa.core.array_effects import Effect, WitnessCall
from fa.core.array_messages import Message
from fa.core.array_volume import Record, serve
from fa.core.view import Ballot, Member, View
from tests.sim.checks import Checks
from tests.sim.clients import Clients, Operator
from tests.sim.jobs import Jobs
from tests.sim.node import Node
from tests.sim.store import Disk, Op

ARRAY_ID = "0a11"
NO_OPS: tuple[Op, ...] = ()


class World:
    """Everything outside the nodes. ``trace`` is None, or a list of lines."""

    def __init__(self, rng: Random, trace: list[str] | None = None) -> None:
        self.rng = rng
        self.now = 0.0
        self.trace = trace
        self.array_id = ARRAY_ID
        self.nodes: dict[str, Node] = {}
        self.volumes: dict[str, list[Record]] = {}
        self.exclusive_links = True
        self.dedupe = True
        self.cuts: set[tuple[str, str]] = set()
        self.loss = self.doubles = self.corrupt = 0.0
        self.reorders = False
        self.retained = 1_000_000
        """Segments that a node keeps for shipping, besides those not acknowledged; older ones are missing."""
        self._last_arrival: dict[tuple[str, str], float] = {}
        self.delay = 0.001
        self.jitter = 0.002
        self.hang_seconds: dict[str, float] = {}
        self.read_only: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.events = 0
        self._uid = 0
        self._order = 0
        self._heap: list[tuple[float, int, Node | None, int, Callable[..., None], tuple[Any, ...]]] = []
        self.checks = Checks()
        self.clients = Clients(self)
        self.operator = Operator(self)
        self.jobs = Jobs(self)

    # ---- birth

    def add_node(self, name: str, index: int, **settings: Any) -> Node:
        node = Node(self, name, index, Disk(f"{name}.1"), **settings)
        self.nodes[name] = node
        return node

    def add_volume(self, name: str) -> Member:
        self.volumes[name] = [Record(ARRAY_ID, f"{name}.1")]
        return Member(name, f"{name}.1")

    def found(self, view: View) -> None:
        """The view that `fa init` and some joins have made, known to everybody in it."""
        for member in (*view.in_sync, *view.voters):
            node = self.nodes.get(member.node)
            if node:
                node.disk.ballot = Ballot(view.epoch, view)
        for voter in view.voters:
            if voter.node in self.volumes:
                record = self.volumes[voter.node][0]
                self.volumes[voter.node] = [Record(ARRAY_ID, record.incarnation, Ballot(view.epoch, view))]
        self.checks.found(view)

    def boot(self, name: str) -> None:
        node = self.nodes[name]
        node.boot()
        for other in sorted(self.nodes):
            if other != name and self.nodes[other].alive:
                self._link(name, other)

    def _link(self, left: str, right: str) -> None:
        if self.connected(left, right) and self.connected(right, left):
            for one, two in ((left, right), (right, left)):
                self.after(self._travel(), self.nodes[one], self._link_up, one, two)

    def _link_up(self, name: str, peer: str) -> None:
        node, other = self.nodes[name], self.nodes[peer]
        if not other.alive or node.links.get(peer) == other.life:
            return
        if peer in node.links:
            node.handle(ev.LinkDown(peer, refused=False))
        if node.alive:
            node.links[peer] = other.life
            node.handle(ev.LinkUp(peer, other.array.hello()))

    def told_of_crash(self) -> bool:
        return self.rng.random() < 0.7

    def crashed(self, node: Node) -> None:
        """The peers of a dead process are refused soon, or (power off) never told."""
        told = self.told_of_crash()
        for name in sorted(self.nodes):
            other = self.nodes[name]
            if other.alive and node.name in other.links:
                seconds = self._travel() if told else 3.0
                self.after(seconds, other, self._link_down, name, node.name, node.life)

    def _link_down(self, name: str, peer: str, life: int) -> None:
        node, other = self.nodes[name], self.nodes[peer]
        if node.links.get(peer) != life:
            return
        del node.links[peer]
        dead = not other.alive
        node.handle(ev.LinkDown(peer, refused=dead and self.connected(name, peer)))
        if not dead:
            self._link(name, peer)

    # ---- time

    def after(self, seconds: float, node: Node | None, call: Callable[..., None], *args: Any) -> None:
        """Do something later; what belongs to a node is dropped when it has died since, and waits while it is
        stopped.
        """
        self._order += 1
        life = node.life if node else 0
        heapq.heappush(self._heap, (self.now + seconds, self._order, node, life, call, args))

    def run(self, until: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= until:
            at, order, node, life, call, args = heapq.heappop(heap)
            if node is not None:
                if not node.alive or node.life != life:
                    continue
                if node.paused_until > at:
                    heapq.heappush(heap, (node.paused_until, order, node, life, call, args))
                    continue
            self.now = at
            self.events += 1
            call(*args)
        self.now = until

    def unique(self) -> int:
        self._uid += 1
        return self._uid

    # ---- network

    def connected(self, source: str, target: str) -> bool:
        return (source, target) not in self.cuts

    def cut(self, source: str, target: str) -> None:
        """From now on nothing gets through in this direction; the link is found dead after some time."""
        self.cuts.add((source, target))
        for one, two in ((source, target), (target, source)):
            node = self.nodes.get(one)
            if node and node.alive and two in node.links:
                self.after(2.5, node, self._cut_noticed, one, two, node.links[two])

    def _cut_noticed(self, one: str, two: str, life: int) -> None:
        if not (self.connected(one, two) and self.connected(two, one)):
            self._link_down(one, two, life)

    def heal(self) -> None:
        """All cuts end; links that were found dead come back."""
        self.cuts.clear()
        names = [name for name in sorted(self.nodes) if self.nodes[name].alive]
        for index, one in enumerate(names):
            for two in names[index + 1 :]:
                if two not in self.nodes[one].links or one not in self.nodes[two].links:
                    self._link(one, two)

    def send(self, source: Node, target: str, message: Message, ops: tuple[Op, ...] = NO_OPS) -> None:
        if (source.name, target) in self.cuts:
            return
        node = self.nodes.get(target)
        if node is None or not node.alive:
            return
        chance = self.rng.random
        if self.loss and chance() < self.loss:
            return
        good = not (self.corrupt and chance() < self.corrupt)
        self.after(self._arrival(source.name, target), node, node.receive, source.name, message, ops, good)
        if self.doubles and chance() < self.doubles:
            self.after(self._travel() * 20, node, node.receive, source.name, message, ops, good)

    def _arrival(self, source: str, target: str) -> float:
        """Links keep the order of what they carry, as TCP does, unless this seed says otherwise."""
        seconds = self._travel()
        if self.reorders:
            return seconds
        at = max(self.now + seconds, self._last_arrival.get((source, target), 0.0))
        self._last_arrival[source, target] = at
        return at - self.now

    def _travel(self) -> float:
        return self.delay + self.jitter * self.rng.random()

    # ---- volumes: the helper of a node reads the chain, and links a record under the next number

    def volume_call(self, node: Node, call: WitnessCall) -> None:
        if not self.connected(node.name, call.volume) or call.volume not in self.volumes:
            return
        self.after(self._volume_seconds(call.volume), None, self._volume_read, node, node.life, call)

    def _volume_seconds(self, volume: str) -> float:
        return self.hang_seconds.get(volume, 0.0) + 0.002 + 0.01 * self.rng.random()

    def _volume_read(self, node: Node, life: int, call: WitnessCall) -> None:
        records = self.volumes[call.volume]
        if not records:
            self._volume_answer(node, life, call, None)
            return
        number, record = len(records), records[-1]
        changed, answer = serve(record, node.name, call.message)
        if changed == record:
            self._volume_answer(node, life, call, answer)
        elif call.volume in self.read_only:
            self._volume_answer(node, life, call, None)
        else:
            seconds = self._volume_seconds(call.volume)
            self.after(seconds, None, self._volume_link, node, life, call, number, changed, answer)

    def _volume_link(self, node: Node, life: int, call: WitnessCall, number: int, record: Record, answer: Any) -> None:
        """``link(2)`` is exclusive: when the number is taken, read again. A helper outlives its node."""
        records = self.volumes[call.volume]
        if self.exclusive_links and len(records) != number:
            self._volume_read(node, life, call)
            return
        del records[number:]
        records.append(record)
        self.checks.saved_record(self, call.volume, record)
        self._volume_answer(node, life, call, answer)

    def _volume_answer(self, node: Node, life: int, call: WitnessCall, answer: Message | None) -> None:
        if node.life == life and self.connected(call.volume, node.name):
            self.after(0.001, node, node.handle, ev.WitnessAnswer(call.call, answer))

    # ---- who leads, from outside

    def serving(self) -> list[Node]:
        return [node for _, node in sorted(self.nodes.items()) if node.alive and node.serving]

    def trace_step(self, node: Node, event: ev.Event, effects: list[Effect]) -> None:
        assert self.trace is not None
        self.trace.append(f"{self.now:10.4f} {node.name} {event!r}")
        self.trace.extend(f"{'':10} {node.name}   -> {effect!r}" for effect in effects)
