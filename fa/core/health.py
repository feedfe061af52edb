"""Which node fails at what: a node on which a factory keeps failing while it succeeds elsewhere is quarantined for it.

Remembered by the coordinator only; a new coordinator starts counting anew, quarantines themselves are in the store. A
quarantine ends when a person says so: then the node has to fail as often again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass

FAILURES_IN_A_ROW = 3
DOUBTS_KEPT = 1000  # tasks of which some node said that its view of a volume keeps it from them; the oldest go


@dataclass(frozen=True, slots=True)
class Verdict:
    """This node is to get no more work of this factory."""

    node: str
    factory: str
    reason: str


class Health:
    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], int] = {}  # (node, factory) → failures in a row
        self._works_on: dict[str, set[str]] = defaultdict(set)  # factory → nodes where its last attempt succeeded
        self._quarantined: set[tuple[str, str]] = set()
        self._doubts: OrderedDict[int, set[str]] = OrderedDict()  # task → nodes that do not see what it needs

    def factories_of(self, node: str) -> tuple[str, ...]:
        """For which it is quarantined, sorted."""
        return tuple(sorted(factory for name, factory in self._quarantined if name == node))

    def quarantine(self, node: str, factory: str) -> None:
        self._quarantined.add((node, factory))

    def release(self, node: str, factory: str) -> None:
        self._quarantined.discard((node, factory))
        self._failures.pop((node, factory), None)

    def succeeded(self, node: str, factory: str) -> tuple[Verdict, ...]:
        """Take note; what follows for nodes that failed at it before."""
        self._failures.pop((node, factory), None)
        self._works_on[factory].add(node)
        failing = sorted(name for name, of in self._failures if of == factory)
        return tuple(verdict for name in failing for verdict in self._judge(name, factory))

    def failed(self, node: str, factory: str) -> tuple[Verdict, ...]:
        """Take note of a failure that is the node's own."""
        key = (node, factory)
        self._failures[key] = self._failures.get(key, 0) + 1
        self._works_on[factory].discard(node)
        return self._judge(node, factory)

    def doubted(self, task: int, node: str) -> None:
        """It says that a source is not there, or that it may not write: its own trouble, or so for all?"""
        self._doubts.setdefault(task, set()).add(node)
        while len(self._doubts) > DOUBTS_KEPT:
            self._doubts.popitem(last=False)

    def settled(self, task: int, node: str, factory: str) -> tuple[Verdict, ...]:
        """The task succeeded on this node: those that doubted it were wrong, unless what they missed came meanwhile."""
        wrong = self._doubts.pop(task, set())
        if node in wrong:
            return ()
        return tuple(verdict for other in sorted(wrong) for verdict in self.failed(other, factory))

    def _judge(self, node: str, factory: str) -> tuple[Verdict, ...]:
        """Said until the store has it: :meth:`quarantine` tells when."""
        failures = self._failures[node, factory]
        others = sorted(self._works_on[factory])
        if failures < FAILURES_IN_A_ROW or not others or (node, factory) in self._quarantined:
            return ()
        return (Verdict(node, factory, f"{failures} failures in a row, while it succeeds on {', '.join(others)}"),)
