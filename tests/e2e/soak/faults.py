"""What happens to the nodes: killed, frozen, stopped in order, two at once, removed and joined anew. Nothing that makes
recovery impossible: no disk is lost but that of a node which the array was told to forget."""

from __future__ import annotations

import http.client
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.e2e import failpoints, kit
from tests.e2e.deaths import STORIES
from tests.e2e.soak.book import Book

SETTLED = 150.0  # seconds within which the array is whole again, once nobody does anything to it
BETWEEN_CHECKS = (3, 14)  # faults
ARMED = 0.4  # of the starts
STEPS = (
    "SaveBallot", "SaveIdentity", "SaveMarks", "SaveUnproven", "Ship", "StoreSegment", "Apply", "Acknowledge", "Lead",
    "Serve", "Follow", "StepDown", "Freeze", "Thaw", "Rewind", "FetchCopy", "BarrierPassed",
)  # fmt: skip
POINTS = (
    *failpoints.POINTS,
    *(point for _, points in STORIES.values() for point in points),
    *(f"{when} {step}" for step in STEPS for when in ("before", "after")),
)


class Stuck(Exception):
    """The array did not come back by itself."""


def status(node: kit.Node) -> Any:
    """What it says of the array; None without an answer."""
    try:
        code, answer = node.request("GET", "/v1/status", timeout=4.0)
    except (OSError, http.client.HTTPException):
        return None
    return answer if code == 200 else None


def leader(array: kit.Array) -> kit.Node | None:
    for node in array.nodes:
        if node.alive and (said := status(node)) and said["coordinator"] == said["via"] == node.name and said["nodes"]:
            return node
    return None


def is_whole(array: kit.Array) -> bool:
    """In lock-step, and nobody is lost; whom the operator pauses is there."""
    first = leader(array)
    said = status(first) if first else None
    if not said or said["mirror"]["state"] != "lock-step":
        return False
    states = {node["name"]: node["state"] for node in said["nodes"]}
    return all(states.get(node.name, "lost") != "lost" for node in array.nodes)


@dataclass
class Faults:
    """One after the other; some leave a node down for some seconds in which the next one strikes."""

    array: kit.Array
    book: Book
    rng: Random
    stop: threading.Event
    rude: set[str] = field(default_factory=set)  # nodes that were wiped without a farewell: parts of theirs may be left
    armed: set[str] = field(default_factory=set)  # nodes that may die of themselves
    slowest: float = 0.0  # seconds until the array was whole again
    _left: int = BETWEEN_CHECKS[1]

    def run(self) -> None:
        """Until told to stop. Raises `Stuck`."""
        while not self.stop.is_set():
            self._one()
            self.stop.wait(self.rng.uniform(0.5, 7.0))
            for node in self.array.nodes:
                if not node.alive and self.rng.random() < 0.7:
                    self._revive(node)
            self._left -= 1
            if self._left <= 0:
                self.settle("between faults")

    def settle(self, when: str) -> kit.Node:
        """Everything that was done is undone: the array must be whole again. The node that leads."""
        self._left, began = self.rng.randint(*BETWEEN_CHECKS), time.monotonic()
        for node in self.array.nodes:
            if node.name in self.armed and node.alive:
                node.kill()
        self.armed.clear()
        for node in self.array.nodes:
            self._revive(node, sound=True)
        try:
            kit.wait_until("the array is whole", lambda: is_whole(self.array), SETTLED, every=0.5)
        except kit.Failed as error:
            first = leader(self.array)
            said = [status(node) for node in self.array.nodes]
            raise Stuck(f"{when}: {error}; leads: {first and first.name}; {said}") from error
        found = kit.wait_until("somebody leads", lambda: leader(self.array))
        assert isinstance(found, kit.Node)
        self.slowest = max(self.slowest, took := time.monotonic() - began)
        self.book.note("fault", f"whole after {took:.1f} s, {found.name} leads")
        return found

    def _revive(self, node: kit.Node, *, sound: bool = False) -> None:
        """Some will die again, at a step that they may come to."""
        if node.alive:
            node.signal(signal.SIGCONT)
            return
        point = f"{self.rng.choice(POINTS)} {self.rng.choice([1, 1, 2, 5, 20])}"
        if sound or self.rng.random() >= ARMED:
            self.armed.discard(node.name)
            node.start()
        else:
            self.armed.add(node.name)
            self.book.fault("armed", f"{node.name} will die {point}")
            node.start({"FA_FAILPOINT": point})

    def _one(self) -> None:
        kinds: dict[Callable[[], None], int] = {
            self._kill: 8, self._freeze: 4, self._leave: 4, self._two: 3, self._all: 1, self._flap: 1, self._replace: 1,
        }  # fmt: skip
        self.rng.choices(list(kinds), list(kinds.values()))[0]()

    def _some(self, count: int) -> list[kit.Node]:
        return self.rng.sample(self.array.nodes, count)

    def _down(self, nodes: list[kit.Node], most: float) -> None:
        self.stop.wait(self.rng.choice([0.0, self.rng.uniform(0.2, most)]))
        for node in nodes:
            self._revive(node)

    def _kill(self) -> None:
        nodes = self._some(1)
        self._kill_them("kill", nodes)
        self._down(nodes, 8.0)

    def _kill_them(self, kind: str, nodes: list[kit.Node]) -> None:
        self.book.fault(kind, " ".join(node.name for node in nodes))
        for node in nodes:
            if node.alive:
                node.kill()

    def _freeze(self) -> None:
        nodes = self._some(self.rng.choice([1, 1, 1, 2]))
        self.book.fault("freeze", " ".join(node.name for node in nodes))
        for node in nodes:
            if node.alive:
                node.signal(signal.SIGSTOP)
        self.stop.wait(self.rng.uniform(0.5, 9.0))
        for node in nodes:
            self._revive(node)

    def _leave(self) -> None:
        node = self._some(1)[0]
        if not node.alive:
            return
        self.book.fault("stop", node.name)
        self._farewell(node)
        self._down([node], 5.0)

    def _farewell(self, node: kit.Node) -> None:
        code = node.stop()
        killed = node.name in self.armed and code == -signal.SIGKILL
        if code not in (0, -signal.SIGTERM) and not killed:  # by the signal itself: it had not begun to run
            self.book.bad(f"{node.name} stopped in order with code {code}")

    def _two(self) -> None:
        nodes = self._some(2)
        self._kill_them("kill two", nodes)
        self._down(nodes, 6.0)

    def _all(self) -> None:
        nodes = self._some(len(self.array.nodes))
        self._kill_them("kill all", nodes)
        for node in nodes:
            self._down([node], 3.0)

    def _flap(self) -> None:
        """One that is killed again and again while it comes up."""
        node = self._some(1)[0]
        for _ in range(self.rng.randint(2, 4)):
            self._kill_them("kill again", [node])
            self._revive(node)
            self.stop.wait(self.rng.uniform(0.1, 2.5))

    def _replace(self) -> None:
        """A node is struck off, its disk is wiped, and a new one comes under its name."""
        first = self.settle("before a node is replaced")
        node = self.rng.choice([each for each in self.array.nodes if each is not first])
        rude = self.rng.random() < 0.3
        self.book.fault("replace", f"{node.name}{', killed' if rude else ''}")
        if rude:
            node.kill()
        try:
            kit.fa("node", "remove", node.name, "--yes", "--dir", str(first.root))
        except kit.Failed as error:
            self.book.note("fault", f"not removed: {error}")
            return
        if rude:
            self.rude.add(node.name)
        else:
            self._farewell(node)
        self.array.nodes.remove(node)
        shutil.rmtree(node.root)
        if len(self.array.nodes) > 1:  # else there is nobody to be in step with
            self.settle("after a node was removed")
        self._join(node.name)
        self.settle("after a node was joined anew")

    def _join(self, name: str) -> None:
        try:
            self.array.join(name, "--slots", "2")
        except kit.Failed as error:
            raise Stuck(f"{name} cannot be joined anew: {error}") from error
