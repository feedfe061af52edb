"""Stories of the array: see ``tests.sim.story``.

A block runs its commands in order and prints what happened: ``0.503 b: lead 2.1`` reads "at 0.503 s node b leads
epoch 2.1", where the number behind the dot is the index of the node that proposed it. Heartbeats and votes are left
out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

from fa.core import array_effects as ef
from fa.core import array_events as ev
from fa.core.array_messages import Hello
from fa.core.array_volume import Record
from fa.core.view import EPOCH_STRIDE, Ballot, Member, View
from tests.sim.node import Node
from tests.sim.store import Disk
from tests.sim.story import Story
from tests.sim.world import ARRAY_ID, World


class Script(Story):
    """A story of the array."""

    def __init__(self) -> None:
        self.world = StoryWorld()
        self._snapshots: dict[str, Disk] = {}
        self._shares: dict[str, list[Record]] = {}
        super().__init__(self.world)

    # ---- the array

    def _do_cluster(self, *words: str) -> None:
        """``cluster a b w/witness volume:san [voters=a,b,w] [in_sync=a,b] [rank.b=1] [mirror.b=no] [mirrors=1] …``:
        found it and start everybody.
        """
        names = [word for word in words if "=" not in word]
        options = dict(word.split("=") for word in words if "=" in word)
        settings = {key: int(value) for key, value in options.items() if key in ("mirrors", "min_insync")}
        members = {word.split("/")[0]: self._add(word, options, settings) for word in names}
        voters = options.get("voters", ",".join(members)).split(",")
        in_sync = options.get("in_sync", names[0]).split(",")
        votes = tuple(members[name] for name in voters)
        self.world.found(View(EPOCH_STRIDE, names[0], tuple(members[name] for name in in_sync), votes, votes))
        for name in sorted(self.world.nodes):
            self.world.boot(name)

    def _add(self, word: str, options: dict[str, str], settings: dict[str, int]) -> Member:
        name, _, kind = word.partition("/")
        if name.startswith("volume:"):
            return self.world.add_volume(name)
        rank, mirror = int(options.get(f"rank.{name}", "0")), options.get(f"mirror.{name}") != "no"
        self.world.add_node(name, len(self.world.nodes), rank=rank, kind=kind or "data", mirror=mirror, **settings)
        return Member(name, f"{name}.1")

    def _do_advance(self, seconds: str) -> None:
        self.world.run(self.world.now + float(seconds))

    # ---- what goes wrong

    def _do_crash(self, *names: str) -> None:
        for name in names:
            self._node(name).crash()

    def _do_power_off(self, *names: str) -> None:
        """Like a crash, but nobody is refused: the peers only hear nothing."""
        self.world.refuses = False
        self._do_crash(*names)
        self.world.refuses = True

    def _do_boot(self, *names: str) -> None:
        for name in names:
            self.world.boot(name)

    def _do_cut(self, one: str, way: str, *others: str) -> None:
        """``cut a | b w`` cuts both ways, ``cut a > b`` only what a sends to b."""
        for other in others:
            self.world.cut(one, other)
            if way == "|":
                self.world.cut(other, one)

    def _do_mend(self, one: str, way: str, *others: str) -> None:
        """Ends what ``cut`` with the same words began."""
        for other in others:
            self.world.cuts.discard((one, other))
            if way == "|":
                self.world.cuts.discard((other, one))

    def _do_fuse(self, name: str, effects: str) -> None:
        """The process dies after so many effects more."""
        self._node(name).fuse = int(effects)

    def _do_heal(self) -> None:
        self.world.heal()

    def _do_pause(self, name: str, seconds: str) -> None:
        self._node(name).paused_until = self.world.now + float(seconds)

    def _do_clock(self, name: str, rate: str) -> None:
        """The clock of this node runs at another speed from now on."""
        node = self._node(name)
        node.offset += self.world.now * (node.rate - float(rate))
        node.rate = float(rate)

    def _do_fsync(self, name: str, seconds: str) -> None:
        self._node(name).fsync_seconds = float(seconds)

    def _do_hang(self, volume: str, seconds: str) -> None:
        self.world.hang_seconds[volume] = float(seconds)

    def _do_full(self, name: str) -> None:
        self._node(name).handle(ev.StoreFull(True))

    def _do_room(self, name: str) -> None:
        """The disk that was full has room again."""
        self._node(name).handle(ev.StoreFull(False))

    def _do_stall(self, name: str, over: str = "") -> None:
        """Its shell finds that the disk does not answer; ``stall a over``: that it does again."""
        self._node(name).handle(ev.StoreStalled(not over))

    def _do_fsync_fails(self, name: str) -> None:
        self._node(name).handle(ev.StoreFailed("fsync: Input/output error"))

    def _do_wipe(self, name: str) -> None:
        self._node(name).wipe()

    def _do_snapshot(self, name: str) -> None:
        self._snapshots[name] = self._node(name).disk.copy()

    def _do_restore(self, name: str) -> None:
        self._node(name).disk = self._snapshots[name].copy()
        self.world.checks.set_back.add(Member(name, self._node(name).disk.incarnation))

    def _do_tear(self, name: str, what: str, count: str) -> None:
        """``tear a log 2``: a power cut took the last two segments of its disk; ``tear w vote 2``: two votes."""
        disk = self._node(name).disk
        if what == "vote":
            disk.ballot = self.world.ballots[name][-1 - int(count)]
        else:
            del disk.log[-int(count) :]
        self.world.checks.set_back.add(Member(name, disk.incarnation))

    def _do_retain(self, segments: str) -> None:
        """Nodes keep so many segments for shipping; who needs older ones needs a whole copy."""
        self.world.retained = int(segments)

    def _do_volume(self, volume: str, state: str) -> None:
        """``volume volume:san read-only``, ``sound``; ``foreign``: the share of another array is mounted there;
        ``emptied``: its records are lost; ``renewed``: it has one of a new voter.
        """
        self._shares.setdefault(volume, self.world.volumes[volume])
        self.world.read_only.discard(volume)
        self.world.volumes[volume] = self._shares[volume]
        if state == "read-only":
            self.world.read_only.add(volume)
        elif state == "foreign":
            self.world.volumes[volume] = [Record("another", "foreign.1")]
        elif state == "emptied":
            self.world.volumes[volume] = self._shares[volume] = []
        elif state == "renewed":
            self._shares[volume].append(Record(ARRAY_ID, f"{volume}.{self.world.unique()}"))

    def _do_hello(self, name: str, peer: str, *changes: str) -> None:
        """A stranger greets ``name`` as ``peer``, with some fields of its hello changed."""
        hello = self._node(peer).array.hello()
        fields = {field: getattr(hello, field) for field in Hello.__slots__}
        for change in changes:
            field, value = change.split("=")
            fields[field] = type(fields[field])(value)
        self._node(name).handle(ev.LinkUp(peer, Hello(**fields)))

    # ---- what people do

    def _do_write(self, count: str = "1") -> None:
        """Clients submit, at whichever node serves, and retry until they are answered."""
        for _ in range(int(count)):
            self.world.clients.start_one()

    def _do_submit(self, name: str) -> None:
        """A client submits to this node, whatever it is by now."""
        self._node(name).submit((f"at-{name}-{self.world.unique()}", ()))

    def _do_retry(self, name: str, request: str) -> None:
        """A client that lost its answer submits the same request again."""
        self.world.clients.open[request] = (request, ())
        self._node(name).submit((request, ()))

    def _do_read(self, name: str) -> None:
        number = self.world.unique()
        self.world.clients._reads[number] = self.world.checks.end.txid
        self._node(name).handle(ev.ReadBarrier(number))

    def _do_switchover(self, name: str, to: str = "") -> None:
        self._ask(name, ev.SwitchOver, to)

    def _do_add(self, name: str, other: str, votes: str = "") -> None:
        self._ask(name, ev.AddNode, self._member(other), votes == "vote")

    def _do_remove(self, name: str, other: str) -> None:
        self._ask(name, ev.RemoveNode, other)

    def _do_replace(self, name: str, old: str, by: str) -> None:
        self._ask(name, ev.ReplaceVoter, old, self._member(by))

    def _do_force(self, name: str) -> None:
        self.world.lines.extend(f"  {line}" for line in self._node(name).array.force_report().splitlines())
        self.world.checks.forced(self._node(name))
        self._ask(name, ev.Force)

    def _ask(self, name: str, kind: Any, *args: object) -> None:
        self._node(name).handle(kind(self.world.unique(), *args))

    # ---- looking

    def _do_status(self, *names: str) -> None:
        for name in names or sorted(self.world.nodes):
            node = self._node(name)
            self.world.lines.append(f"  {name}: " + (_status(node) if node.alive else "down"))

    def _do_answers(self) -> None:
        open_requests = ", ".join(sorted(self.world.clients.open)) or "none"
        executed = len(self.world.checks.executed)
        self.world.lines.append(
            f"  answered {self.world.counts['answered']}, executed {executed}, open {open_requests}"
        )

    def _do_warning(self, name: str) -> None:
        self.world.lines.append(f"  {self._node(name).array.status().warning or 'nothing to warn of'}")

    def _node(self, name: str) -> Node:
        return self.world.nodes[name]

    def _member(self, name: str) -> Member:
        if name in self.world.volumes:
            return Member(name, self.world.volumes[name][-1].incarnation)
        return Member(name, self._node(name).disk.incarnation)


class StoryWorld(World):
    """A world without chance: fixed delays, and a trace that a person reads."""

    def __init__(self) -> None:
        super().__init__(Random(1), [])
        self.jitter = 0.0
        self.refuses = True
        self.lines: list[str] = []
        self.ballots: defaultdict[str, list[Ballot]] = defaultdict(list)
        """What each disk was told to keep of its vote, oldest first."""

    def told_of_crash(self) -> bool:
        return self.refuses

    def trace_step(self, node: Node, event: ev.Event, effects: list[ef.Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ef.SaveBallot):
                self.ballots[node.name].append(effect.ballot)
            told = WORDS.get(type(effect))
            if told:
                self.lines.append(f"{self.now:.3f} {node.name}: {told(effect)}")


def _epoch(epoch: int) -> str:
    return f"{epoch // EPOCH_STRIDE}.{epoch % EPOCH_STRIDE}"


def _status(node: Node) -> str:
    status = node.array.status()
    copies = "+".join(status.in_sync) or "-"
    parts = f"{status.role} epoch {_epoch(status.epoch)} in sync {copies} {status.mirror} at {status.position.txid}"
    stale = " STALE" if status.stale else ""
    return f"{parts}{stale}" + (f" ({status.why})" if status.why else "")


WORDS: dict[type, Callable[[Any], str]] = {
    ef.Lead: lambda e: f"lead {_epoch(e.epoch)}",
    ef.Serve: lambda e: f"serve {_epoch(e.epoch)}",
    ef.Follow: lambda e: f"follow {e.coordinator} {_epoch(e.epoch)}",
    ef.StepDown: lambda e: "step down",
    ef.TakeVip: lambda e: "take the virtual address",
    ef.DropVip: lambda e: "drop the virtual address",
    ef.Stale: lambda e: "stale" if e.stale else "no longer stale",
    ef.Acknowledge: lambda e: f"acknowledge {e.position.txid}",
    ef.Rewind: lambda e: f"rewind to {e.to.txid}",
    ef.FetchCopy: lambda e: f"fetch a copy from {e.source}",
    ef.SaveIdentity: lambda e: f"mark the copy {e.mark}",
    ef.Freeze: lambda e: "freeze",
    ef.Thaw: lambda e: "thaw",
    ef.Alarm: lambda e: f"ALARM {e.kind}: {e.text}",
    ef.RefuseLink: lambda e: f"refuse the link of {e.peer}",
    ef.Answered: lambda e: f"answer the operator: {e.error or 'done'}",
    ef.BarrierPassed: lambda e: "pass the read",
    ef.BarrierFailed: lambda e: "fail the read",
    ef.Exit: lambda e: f"EXIT {e.reason}",
}
