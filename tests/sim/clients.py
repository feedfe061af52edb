"""Clients that submit with request ids and retry, readers, and an operator who asks for changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fa.core import array_events as ev
from tests.sim.checks import require
from tests.sim.store import Op

if TYPE_CHECKING:
    from tests.sim.node import Node
    from tests.sim.world import World

RETRY_AFTER = 1.5


class Clients:
    """``rate`` requests a second over the whole array; each is retried, on another node, until it is answered."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rate = 0.0
        self.read_rate = 0.0
        self._number = 0
        self.open: dict[str, Op] = {}
        self._reads: dict[int, int] = {}

    def start(self) -> None:
        if self.rate:
            self.world.after(self.world.rng.expovariate(self.rate), None, self._submit)
        if self.read_rate:
            self.world.after(self.world.rng.expovariate(self.read_rate), None, self._read)

    def _submit(self) -> None:
        self.start_one()
        self.world.after(self.world.rng.expovariate(self.rate), None, self._submit)

    def start_one(self) -> str:
        self._number += 1
        request = f"r{self._number}"
        self.open[request] = (request, ())
        self._try(request)
        return request

    def _try(self, request: str) -> None:
        op = self.open.get(request)
        if op is None:
            return
        world = self.world
        serving = world.serving()
        if serving:
            world.rng.choice(serving).submit(op)
        world.after(RETRY_AFTER * (0.5 + world.rng.random()), None, self._try, request)

    def answered(self, node: Node, request: str) -> None:
        """The promise is made: from now on it must never be lost."""
        world = self.world
        if request.startswith("r"):
            require(
                world.checks.executed.get(request, 0) > 0,
                "I1",
                f"{node.name} answers {request} before it is acknowledged",
            )
            if self.open.pop(request, None):
                world.counts["answered"] += 1

    # ---- reads (R11)

    def _read(self) -> None:
        world = self.world
        serving = world.serving()
        if serving:
            node = world.rng.choice(serving)
            number = world.unique()
            self._reads[number] = world.checks.end.txid
            node.handle(ev.ReadBarrier(number))
        world.after(world.rng.expovariate(self.read_rate), None, self._read)

    def read_passed(self, node: Node, number: int) -> None:
        before = self._reads.pop(number, None)
        if before is None:
            return
        self.world.counts["reads"] += 1
        require(
            node.applied.txid >= before,
            "I5",
            f"a read on {node.name} sees {node.applied.txid}, but {before} was acknowledged",
        )

    def read_failed(self, number: int) -> None:
        self._reads.pop(number, None)


class Operator:
    """Asks the serving node for a change and repeats until it is done."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wishes: dict[int, object] = {}
        self.answers: dict[int, str] = {}

    def ask(self, kind: type, *args: object) -> int:
        """Ask once; returns the number of the request (0: nobody serves)."""
        serving = [node for node in self.world.serving() if node.paused_until <= self.world.now]
        if not serving:
            return 0
        number = self.world.unique()
        self.wishes[number] = kind
        self.world.rng.choice(serving).handle(kind(number, *args))
        return number

    def answered(self, number: int, error: str) -> None:
        self.answers[number] = error
        kind = self.wishes.pop(number, None)
        if kind is not None:
            name = getattr(kind, "__name__", "")
            self.world.counts[f"{name}-{'refused' if error else 'done'}"] += 1
