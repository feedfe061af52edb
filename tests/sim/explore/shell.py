"""The world as one node's step sees it. What takes time happens at once, within the step, in order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from zlib import crc32

from tests.sim.node import Node
from tests.sim.store import Disk
from tests.sim.world import ARRAY_ID


class Even:
    """Stands for chance: time-outs are what they are set to."""

    def __init__(self, name: str = "") -> None:
        self._name = name

    def __reduce__(self) -> tuple[type[Even], tuple[str]]:
        return Even, (self._name,)

    def random(self) -> float:
        return 0.5

    def uniform(self, a: float, b: float) -> float:
        return 1.0 if a <= 1.0 <= b else a

    def getrandbits(self, bits: int) -> int:
        return crc32(self._name.encode())


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that the checkers look at, with the disk as it was then; ``position``: acknowledged."""

    node: str
    disk: Disk
    position: Any = None


class Shell:
    """The world as one node's step sees it. What takes time happens at once, within the step, in order."""

    def __init__(self) -> None:
        self.rng: Any = Even()
        self.array_id = ARRAY_ID
        self.trace = None
        self.dedupe = True
        self.retained = 1_000_000
        self.now = 0.0
        self.counts: Counter[str] = Counter()
        self.nodes: dict[str, Any] = {}
        self.clients = SimpleNamespace(answered=_ignore, read_passed=_ignore, read_failed=_ignore)
        self.jobs = SimpleNamespace(acknowledged=_ignore)
        self.operator = SimpleNamespace(answered=_ignore)
        self.checks = self
        self.begin(None)

    def begin(self, node: Node | None) -> None:
        self._node = node
        self.now = node.array._state.now if node and hasattr(node, "array") else 0.0
        self.sent: list[tuple[str, Any, Any]] = []
        self.facts: list[Fact] = []
        self._later: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()

    def finish(self) -> None:
        while self._later:
            call, arguments = self._later.popleft()
            call(*arguments)

    # ---- what `Node` asks of a world

    def after(self, seconds: float, node: Node, call: Callable[..., None], *arguments: Any) -> None:
        name = getattr(call, "__name__", "")
        if name == "_fetched":
            node.fetching = arguments[0]
        elif name != "wake":
            self._later.append((call, arguments))

    def send(self, source: Node, target: str, message: Any, ops: Any = ()) -> None:
        self.sent.append((target, message, ops))

    def unique(self) -> int:
        """One writer commits once on top of one position, in one epoch and one life."""
        node = self._node
        assert node is not None, "only a node that steps commits"
        return ((node.writer_epoch * 8 + node.index) * 8) + node.disk.boots

    def crashed(self, node: Node) -> None:
        pass

    def connected(self, source: str, target: str) -> bool:
        return True

    # ---- what it tells the checkers, kept until the whole array is known

    def saved(self, world: Any, node: Node) -> None:
        self.facts.append(Fact(node.name, node.disk.copy()))

    def acknowledged(self, world: Any, node: Node, position: Any) -> None:
        self.facts.append(Fact(node.name, node.disk.copy(), position))

    def wrote(self, world: Any, node: Node) -> None:
        pass

    def derived(self, world: Any, base: Any) -> None:
        pass


def _ignore(*arguments: Any) -> None:
    pass
