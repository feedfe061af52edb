"""The nodes of a small array, and what they may do. Each step of each node is taken once."""

from __future__ import annotations

import io
import pickle  # noqa: TID251 (nothing from outside: what this very process packed)
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fa.core import array_events as ev
from fa.core.array_messages import Hello, Prepare
from fa.core.view import EPOCH_STRIDE, Ballot, Member, View
from tests.sim.explore.likeness import LATE, SOON, likeness, unnumbered
from tests.sim.explore.shell import Even, Fact, Shell
from tests.sim.node import Node
from tests.sim.store import Disk

NAMES = ("a", "b", "w")
TIMES = {"heartbeat": SOON, "suspect_after": LATE, "slow_after": LATE, "readmit_after": 0.0}


@dataclass(frozen=True, slots=True)
class Setting:
    """A small array, and how often what may happen: proposals, writes of clients, crashes."""

    name: str
    in_sync: str
    proposals: int
    writes: int
    crashes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from a step: the node afterwards, the messages sent (a set of bits), what is to be judged."""

    local: int
    sent: int
    facts: tuple[Fact, ...]
    proposals: int


@dataclass(slots=True)
class Local:
    """A node as it was found once: packed, with what the search wants to know of it."""

    packed: bytes
    index: int
    alive: bool
    serving: bool
    fetching: str
    hello: Hello
    peers: dict[str, tuple[str, bool]]
    """Each other node that it has met: which run of it, and whether the link is up."""
    disk: Disk
    applied: Any
    tried: int = 0
    """Messages that were read here once."""
    free: dict[int, int] = field(default_factory=dict)
    """Those of them that change nothing here, and what is sent in answer."""
    idle: int = 0
    """All of those, whether something is said or not."""
    heard: dict[int, Outcome] = field(default_factory=dict)
    did: dict[Any, Outcome] = field(default_factory=dict)


class Steps:
    """All steps of all nodes that were ever met, each taken once."""

    def __init__(self, setting: Setting) -> None:
        self.shell = Shell()
        self.locals: list[Local] = []
        self.messages: list[tuple[str, str, Any, Any]] = []
        self.to = [0] * len(NAMES)
        self._numbers: dict[Any, int] = {}
        self._message_numbers: dict[Any, int] = {}
        members = {name: Member(name, f"{name}.1") for name in NAMES}
        voters = tuple(members.values())
        self.first = View(EPOCH_STRIDE, "a", tuple(members[name] for name in setting.in_sync), voters, voters)

    # ---- nodes

    def forget(self) -> None:
        """The nodes are kept, and not what they did: from now on another rule holds."""
        for local in self.locals:
            local.heard, local.did, local.free = {}, {}, {}
            local.tried = local.idle = 0

    def born(self, index: int) -> Outcome:
        name = NAMES[index]
        kind = "witness" if name == "w" else "data"
        node = Node(self.shell, name, index, Disk(f"{name}.1"), kind=kind, **TIMES)
        node.disk.ballot = Ballot(self.first.epoch, self.first)
        return self._stepped(node, partial(start, node))

    def step(self, number: int, key: Any, act: Callable[[Node], None]) -> Outcome:
        """What follows when this node does ``act``, which ``key`` names."""
        local = self.locals[number]
        if key not in local.did:
            node = self._unpacked(local)
            local.did[key] = self._stepped(node, partial(act, node))
        return local.did[key]

    def deliver(self, number: int, message: int) -> Outcome:
        local = self.locals[number]
        if message not in local.heard:
            source, _, body, ops = self.messages[message]
            node = self._unpacked(local)
            local.heard[message] = self._stepped(node, partial(node.receive, source, body, ops, True))
        return local.heard[message]

    def wake(self, number: int, seconds: float) -> Outcome:
        return self.step(number, seconds, partial(wake, seconds))

    def fetch(self, number: int, source: Local) -> Outcome:
        """The copy that it waits for arrives; not remembered, since it depends on two nodes."""
        node = self._unpacked(self.locals[number])
        self.shell.nodes = {node.fetching: source} if source.alive else {}
        name, node.fetching = node.fetching, ""
        return self._stepped(node, partial(node._fetched, name))

    def _unpacked(self, local: Local) -> Node:
        node: Node = _Unpacking(io.BytesIO(local.packed)).load()
        node.world = self.shell
        return node

    def _stepped(self, node: Node, act: Callable[[], None]) -> Outcome:
        shell = self.shell
        shell.begin(node)
        act()
        shell.finish()
        sent, proposals = 0, set()
        for target, message, ops in shell.sent:
            sent |= 1 << self._message(node.name, target, unnumbered(message), ops)
            if type(message) is Prepare:
                proposals.add(message.epoch)
        return Outcome(self._number(node), sent, tuple(shell.facts), len(proposals))

    def _message(self, *message: Any) -> int:
        number = self._message_numbers.setdefault(message, len(self.messages))
        if number == len(self.messages):
            self.messages.append(message)
            self.to[NAMES.index(message[1])] |= 1 << number
        return number

    def _number(self, node: Node) -> int:
        like = likeness(node)
        number = self._numbers.get(like)
        if number is None:
            number = self._numbers[like] = len(self.locals)
            self.locals.append(_packed(node))
        return number


def start(node: Node) -> None:
    node.fetching = ""
    node.boot()
    node.array._state.rng = Even(f"{node.name}.{node.life}")


_VALUES: list[Any] = []
_NUMBERS: dict[Any, int] = {}
_IS_VALUE: dict[type, bool] = {}


class _Packing(pickle.Pickler):
    """Frozen values are shared by all nodes, not copied."""

    def persistent_id(self, thing: Any) -> int | None:
        kind = type(thing)
        if kind not in _IS_VALUE:
            parameters = getattr(kind, "__dataclass_params__", None)
            _IS_VALUE[kind] = parameters is not None and parameters.frozen and thing is not kind
        if not _IS_VALUE[kind]:
            return None
        number = _NUMBERS.setdefault(thing, len(_VALUES))
        if number == len(_VALUES):
            _VALUES.append(thing)
        return number


class _Unpacking(pickle.Unpickler):
    def persistent_load(self, number: int) -> Any:
        return _VALUES[number]


def _packed(node: Node) -> Local:
    state, election = node.array._state, node.array._seat.election
    election._round = min(election._round, 1)
    peers = {name: (peer.run, peer.up) for name, peer in state.peers.items()} if node.alive else {}
    node.world = None
    packed = io.BytesIO()
    _Packing(packed, pickle.HIGHEST_PROTOCOL).dump(node)
    return Local(
        packed.getvalue(),
        node.index,
        node.alive,
        bool(node.serving),
        node.fetching,
        node.array.hello(),
        peers,
        node.disk,
        node.applied,
    )


# ---- what a node may do besides reading a message


def wake(seconds: float, node: Node) -> None:
    """At the end of a heartbeat; or late, when whatever it waits for has timed out."""
    node.world.now += seconds + SOON
    node.handle(ev.Woken())


def crash(node: Node) -> None:
    node.crash()


def write(request: str, node: Node) -> None:
    node.submit((request, ()))


def die_writing(request: str, node: Node) -> None:
    """The commit is on its disk, and nobody was told."""
    node.submit((request, ()))
    if node.inflight:
        node.disk.log.append(node.inflight)
    node.world._later.clear()
    node.crash()


def meet(peer: str, hello: Any, node: Node) -> None:
    if peer in node.array._state.peers:
        node.handle(ev.LinkDown(peer, refused=False))
    node.handle(ev.LinkUp(peer, hello))


def lose(peer: str, node: Node) -> None:
    node.handle(ev.LinkDown(peer, refused=True))
