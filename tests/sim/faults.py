"""What goes wrong: each kind is one method; a seed enables some of them (a swarm), so that rare combinations come up.

Faults are aimed: most of them at the coordinator, because that is where a mistake costs something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fa.core import array_events as ev
from fa.core.view import Member, View, has_quorum
from tests.sim.store import Disk

if TYPE_CHECKING:
    from tests.sim.node import Node
    from tests.sim.world import World

COMMON = (
    "crash", "crash_coordinator", "burn_fuse", "isolate", "split", "one_way", "bridge", "pause", "pause_coordinator",
    "slow_disk", "mend",
)  # fmt: skip
RARE = (
    "restart_all",
    "wipe",
    "full",
    "fsync_fails",
    "set_back",
    "switch_over",
    "replace_voter",
    "add_node",
    "remove_node",
    "hang_volume",
    "duel",
    "clock",
)
SPARED_SECONDS = 8.0
"""Between two disks lost: an array that loses a second one before it noticed the first may rightly stop for ever."""


class Faults:
    """``active`` kinds strike at random until ``stop``."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.spares: list[Member] = []
        self.newcomers: list[Member] = []
        self._kinds: list[Callable[[], None]] = []
        self._snapshots: dict[str, Disk] = {}
        self._every = 1.0
        self._stopped = False
        self._spared_until = 0.0

    def choose(self) -> None:
        """The swarm of this seed."""
        rng = self.world.rng
        names = [name for name in COMMON if rng.random() < 0.5] + [name for name in RARE if rng.random() < 0.3]
        self._kinds = [getattr(self, f"_{name}") for name in (*names, "mend")]
        self._every = rng.choice((0.3, 0.6, 1.5))
        if rng.random() < 0.3:
            self.world.loss = rng.choice((0.01, 0.05, 0.2))
        if rng.random() < 0.3:
            self.world.doubles = rng.choice((0.02, 0.1))
        if rng.random() < 0.2:
            self.world.jitter = rng.choice((0.05, 0.3))
        self.world.reorders = rng.random() < 0.3
        self.world.retained = rng.choice((1_000_000, 1_000_000, 15))
        if rng.random() < 0.1:
            self.world.corrupt = 0.02

    def start(self) -> None:
        self.world.after(self.world.rng.expovariate(1 / self._every), None, self._strike)

    def stop(self) -> None:
        """Everything heals: what can run runs, undisturbed."""
        self._stopped = True
        world = self.world
        world.loss = world.doubles = world.corrupt = 0.0
        world.jitter = 0.002
        world.reorders = False
        world.hang_seconds.clear()
        for name in sorted(world.nodes):
            node = world.nodes[name]
            node.paused_until = 0.0
            node.fsync_seconds = 0.002
            node.fuse = -1
            if not node.alive:
                world.boot(name)
        world.heal()

    def _strike(self) -> None:
        if self._stopped:
            return
        self.world.rng.choice(self._kinds)()
        self.world.after(self.world.rng.expovariate(1 / self._every), None, self._strike)

    # ---- victims

    def _any(self) -> Node | None:
        alive = [node for _, node in sorted(self.world.nodes.items()) if node.alive]
        return self.world.rng.choice(alive) if alive else None

    def _coordinator(self) -> Node | None:
        serving = self.world.serving()
        return self.world.rng.choice(serving) if serving else self._any()

    def _names(self) -> list[str]:
        return [*sorted(self.world.nodes), *sorted(self.world.volumes)]

    # ---- processes

    def _down(self, node: Node | None) -> None:
        if node is None:
            return
        node.crash()
        self._boot_later(node)

    def _boot_later(self, node: Node) -> None:
        seconds = self.world.rng.choice((0.05, 0.5, 2.0, 8.0)) * (0.5 + self.world.rng.random())
        self.world.after(seconds, None, self._boot, node)

    def _boot(self, node: Node) -> None:
        if not node.alive:
            self.world.boot(node.name)

    def _crash(self) -> None:
        self._down(self._any())

    def _crash_coordinator(self) -> None:
        self._down(self._coordinator())

    def _burn_fuse(self) -> None:
        """Crash between two effects, some effects from now."""
        node = self._coordinator() if self.world.rng.random() < 0.6 else self._any()
        if node:
            node.fuse = self.world.rng.randint(0, 12)
            self.world.after(self.world.rng.choice((0.05, 0.5, 4.0)), None, self._boot, node)

    def _restart_all(self) -> None:
        for name in sorted(self.world.nodes):
            self._down(self.world.nodes[name])

    def _pause(self, node: Node | None = None) -> None:
        node = node or self._any()
        if node:
            node.paused_until = self.world.now + self.world.rng.choice((0.3, 2.5, 6.0)) * (
                0.5 + self.world.rng.random()
            )

    def _pause_coordinator(self) -> None:
        self._pause(self._coordinator())

    def _clock(self) -> None:
        """The monotonic clock of one node runs wrong; no rule may care."""
        node = self._any()
        if node:
            rate = self.world.rng.choice((0.5, 1.0, 5.0))
            node.offset += self.world.now * (node.rate - rate)
            node.rate = rate

    # ---- disks

    def _slow_disk(self) -> None:
        node = self._any()
        if node:
            node.fsync_seconds = self.world.rng.choice((0.002, 0.002, 0.1, 1.0, 6.0))

    def _full(self) -> None:
        """A disk has no room for some time."""
        node = self._any()
        if node:
            node.handle(ev.StoreFull(True))
            self.world.after(5.0 * self.world.rng.random(), node, node.handle, ev.StoreFull(False))

    def _fsync_fails(self) -> None:
        """The process ends, and its copy is believed no more: as good as a lost disk."""
        node = self._any()
        if node and self._can_lose(node):
            self._spared_until = self.world.now + SPARED_SECONDS
            node.handle(ev.StoreFailed("fsync: Input/output error"))
            self.world.counts["fsync-failed"] += 1
            self._boot_later(node)

    def _wipe(self) -> None:
        """A disk is replaced by an empty one, when a complete copy and a majority of votes remain."""
        node = self._any()
        if node and self._can_lose(node):
            self._spared_until = self.world.now + SPARED_SECONDS
            node.crash()
            node.wipe()
            self.world.counts["wiped"] += 1
            self._boot_later(node)

    def _can_lose(self, node: Node) -> bool:
        """Does every view that is, or may yet be, the newest keep a complete copy and a majority of real votes?"""
        newest = self.world.checks.newest
        alive = [each for _, each in sorted(self.world.nodes.items()) if each.alive]
        changing = any(each.array.status().role in ("changing", "proposing") for each in alive)
        if newest is None or changing or self.world.now < self._spared_until:
            return False
        ballots = [each.disk.ballot for _, each in sorted(self.world.nodes.items())]
        ballots += [records[-1].ballot for _, records in sorted(self.world.volumes.items())]
        views = [newest, *(b.accepted for b in ballots if b.accepted and b.accepted.epoch > newest.epoch)]
        return all(self._copies_remain(view, node) and self._votes_remain(view, node) for view in views)

    def _copies_remain(self, view: View, lost: Node) -> bool:
        return any(self._is_real(member) for member in view.in_sync if member.node != lost.name)

    def _votes_remain(self, view: View, lost: Node) -> bool:
        return all(
            sum(voter.node != lost.name and self._is_real(voter) for voter in voters) * 2 > len(voters)
            for voters in view.quorums()
        )

    def _is_real(self, member: Member) -> bool:
        node = self.world.nodes.get(member.node)
        if node is None:
            return member.node in self.world.volumes
        sound = node.disk.mark == "ok" and member not in self.world.checks.set_back
        return sound and node.disk.incarnation == member.incarnation

    def _set_back(self) -> None:
        """A disk goes back to a snapshot, when the others remember enough to notice; else a snapshot is taken."""
        node = self._any()
        if node is None:
            return
        old = self._snapshots.get(node.name)
        if old is None or old.incarnation != node.disk.incarnation:
            for name in sorted(self.world.nodes):
                self._snapshots.setdefault(name, self.world.nodes[name].disk.copy())
            self._snapshots[node.name] = node.disk.copy()
        elif self._noticed(node, old) and self._can_lose(node):
            self._spared_until = self.world.now + SPARED_SECONDS
            node.crash()
            node.disk = old.copy()
            del self._snapshots[node.name]
            self.world.counts["set-back"] += 1
            self.world.checks.set_back.add(Member(node.name, old.incarnation))
            self._boot_later(node)
            if self.world.rng.random() < 0.5:
                self._crash_coordinator()

    def _noticed(self, node: Node, old: Disk) -> bool:
        """Does every other voter hold a durable mark above the old disk? (R8 is best effort: inside the interval of
        the marks nobody knows)
        """
        view, believed = self.world.checks.newest, old.ballot.accepted
        if view is None or believed is None or not node.alive:
            return False
        if has_quorum(believed.quorums(), {Member(node.name, old.incarnation)}):
            return False
        voters = (*view.voters, *believed.voters, *believed.prev)
        others = sorted({voter for voter in voters if voter.node != node.name and self._is_real(voter)})
        marks = [self._marks_of(voter.node) for voter in others]
        return bool(others) and all(
            any(
                mark.node == node.name
                and mark.incarnation == old.incarnation
                and (mark.boots > old.boots or mark.epoch > old.ballot.epoch or mark.txid > old.end.txid)
                for mark in each
            )
            for each in marks
        )

    def _marks_of(self, voter: str) -> tuple:
        if voter in self.world.volumes:
            return self.world.volumes[voter][-1].marks
        node = self.world.nodes.get(voter)
        return node.disk.marks if node else ()

    def _hang_volume(self) -> None:
        for name in sorted(self.world.volumes):
            self.world.hang_seconds[name] = self.world.rng.choice((0.0, 0.0, 1.0, 8.0))

    # ---- network

    def _isolate(self) -> None:
        node = self._coordinator()
        if node:
            self._part({node.name})

    def _split(self) -> None:
        names = self._names()
        self._part(set(self.world.rng.sample(names, self.world.rng.randint(1, max(1, len(names) // 2)))))

    def _part(self, island: set[str]) -> None:
        for one in self._names():
            for two in self._names():
                if (one in island) != (two in island):
                    self.world.cut(one, two)
        self._mend_later()

    def _one_way(self) -> None:
        node = self._coordinator()
        if node is None:
            return
        hears_nobody = self.world.rng.random() < 0.5
        for name in self._names():
            if name != node.name:
                self.world.cut(*((name, node.name) if hears_nobody else (node.name, name)))
        self._mend_later()

    def _bridge(self) -> None:
        """Two nodes do not see each other, all others see both (Elasticsearch issue 2488)."""
        if len(self.world.nodes) > 1:
            one, two = self.world.rng.sample(sorted(self.world.nodes), 2)
            self.world.cut(one, two)
            self.world.cut(two, one)
            self._mend_later()

    def _duel(self) -> None:
        """Two nodes that do not see each other want the vote of a slow volume at the same time."""
        self._bridge()
        for name in sorted(self.world.volumes):
            self.world.hang_seconds[name] = self.world.rng.choice((0.1, 0.5, 1.0))

    def _mend_later(self) -> None:
        self.world.after(self.world.rng.choice((1.0, 4.0, 10.0)) * self.world.rng.random(), None, self.world.heal)

    def _mend(self) -> None:
        self.world.heal()

    # ---- operators

    def _switch_over(self) -> None:
        self.world.operator.ask(ev.SwitchOver, "")

    def _add_node(self) -> None:
        if self.newcomers:
            member = self.newcomers[0]
            node = self.world.nodes.get(member.node)
            if node and node.disk.incarnation != member.incarnation:
                member = Member(node.name, node.disk.incarnation)
            if self.world.operator.ask(ev.AddNode, member, self.world.rng.random() < 0.8):
                self.newcomers.append(self.newcomers.pop(0))

    def _remove_node(self) -> None:
        view = self.world.checks.newest
        if view and len(view.voters) > 3:
            self.world.operator.ask(ev.RemoveNode, self.world.rng.choice(view.voters).node)

    def _replace_voter(self) -> None:
        """A witness is lost for ever and another takes its vote."""
        view = self.world.checks.newest
        if not (view and self.spares):
            return
        others = [voter for voter in view.voters if all(member.node != voter.node for member in view.in_sync)]
        if others:
            old = self.world.rng.choice(others)
            spare = self.spares.pop(0)
            self.spares.append(old)
            self.world.operator.ask(ev.ReplaceVoter, old.node, spare)
