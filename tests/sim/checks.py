"""The checkers: they watch from outside and know what the nodes cannot know together.

I1 everything acknowledged is on every in-sync disk of the newest chosen view, at the same place for ever; I2 one
acknowledging node per epoch; I3 no two views chosen in one epoch; I4 one published attempt per job; I5 a read sees
everything acknowledged before it began; I6 a request is executed once. Liveness is judged by ``tests.sim.seed`` after
healing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fa.core.array_volume import Record
from fa.core.position import EMPTY, Position
from fa.core.view import Ballot, Member, View, has_quorum

if TYPE_CHECKING:
    from tests.sim.node import Node
    from tests.sim.world import World


class Violation(AssertionError):
    """An invariant does not hold."""


class Checks:
    def __init__(self) -> None:
        self.acked: list[Position] = []
        self.acker: dict[int, str] = {}
        self.executed: dict[str, int] = {}
        self.chosen: dict[int, View] = {}
        self.newest: View | None = None
        self._accepts: dict[View, set[Member]] = {}
        self.set_back: set[Member] = set()

    @property
    def end(self) -> Position:
        return self.acked[-1] if self.acked else EMPTY

    def found(self, view: View) -> None:
        self.newest = self.chosen[view.epoch] = view

    # ---- acknowledgements

    def acknowledged(self, world: World, node: Node, position: Position) -> None:
        view = node.disk.ballot.accepted
        assert view is not None
        world.counts["acks"] += 1
        known = self.acker.setdefault(view.epoch, node.name)
        require(known == node.name, "I2", f"{known} and {node.name} both acknowledge in epoch {view.epoch}")
        require(
            node.disk.holds(position), "I1", f"{node.name} acknowledges {position}, which its own disk does not hold"
        )
        if self.acked and position.txid <= len(self.acked):
            known_position = self.acked[position.txid - 1]
            require(known_position == position, "I1", f"{position} acknowledged where {known_position} was")
        for txid in range(len(self.acked) + 1, position.txid + 1):
            self._extend(node, txid)
        self._all_hold(world, view, position)

    def _extend(self, node: Node, txid: int) -> None:
        position, _, ops = node.disk.log[txid - 1]
        if self.acked:
            require(
                node.disk.holds(self.acked[-1]),
                "I1",
                f"{node.name} does not hold {self.acked[-1]}, acknowledged before",
            )
        self.acked.append(position)
        for request, _ in ops:
            if request:
                known = self.executed.setdefault(request, txid)
                require(known == txid, "I6", f"request {request} was executed by transactions {known} and {txid}")

    def _all_hold(self, world: World, view: View, position: Position) -> None:
        for member in view.in_sync:
            node = world.nodes.get(member.node)
            if node is None or node.disk.incarnation != member.incarnation or member in self.set_back:
                continue
            require(
                node.disk.holds(position), "I1", f"{member.node} is in sync in epoch {view.epoch} and lacks {position}"
            )

    def _all_hold_everything(self, world: World, view: View) -> None:
        for member in view.in_sync:
            self._all_hold(world, replace(view, in_sync=(member,)), self.end)
            node = world.nodes.get(member.node)
            if node and node.disk.incarnation == member.incarnation and member not in self.set_back:
                held = [entry[0] for entry in node.disk.log[: len(self.acked)]]
                require(held == self.acked, "I1", f"{member.node} holds another history than was acknowledged")

    def forced(self, node: Node) -> None:
        """An operator gave up what this node does not hold, knowing it."""
        while not node.disk.holds(self.end):
            self.acked.pop()

    # ---- the register

    def saved(self, world: World, node: Node) -> None:
        self._accepted(world, Member(node.name, node.disk.incarnation), node.disk.ballot)

    def saved_record(self, world: World, volume: str, record: Record) -> None:
        self._accepted(world, Member(volume, record.incarnation), record.ballot)

    def _accepted(self, world: World, voter: Member, ballot: Ballot) -> None:
        view = ballot.accepted
        if view is None or (view.epoch in self.chosen and self.chosen[view.epoch] == view):
            return
        accepts = self._accepts.setdefault(view, set())
        accepts.add(voter)
        if not has_quorum(view.quorums(), accepts):
            return
        known = self.chosen.setdefault(view.epoch, view)
        require(known == view, "I3", f"two views were chosen in epoch {view.epoch}")
        world.counts["views"] += 1
        if self.newest is None or view.epoch > self.newest.epoch:
            self._chosen(world, view)

    def _chosen(self, world: World, view: View) -> None:
        old, self.newest = self.newest, view
        if old is not None:
            world.counts["take-overs"] += old.coordinator != view.coordinator
            world.counts["grows"] += len(view.in_sync) > len(old.in_sync)
            world.counts["voter-changes"] += view.voters != old.voters
        world.counts["multi"] += len(view.in_sync) > 1
        self._all_hold_everything(world, view)

    # ---- what only is counted: that it comes up at all

    def wrote(self, world: World, node: Node) -> None:
        newest = self.newest
        deposed = newest is not None and newest.epoch > node.writer_epoch and newest.coordinator != node.name
        world.counts["deposed-writes"] += deposed

    def derived(self, world: World, base: View | None) -> None:
        """A proposal made its view of this one, which may never have been chosen."""
        world.counts["resurrected"] += base is not None and self.chosen.get(base.epoch) != base

    # ---- at the end

    def final(self, world: World, leader: Node) -> None:
        require(leader.disk.holds(self.end), "I1", f"{leader.name} leads in the end and lacks {self.end}")


def require(holds: bool, name: str, sentence: str) -> None:
    if not holds:
        raise Violation(f"{name}: {sentence}")
