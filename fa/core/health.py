"""Which node fails at what: a node on which a factory keeps failing while it succeeds elsewhere is quarantined for it.

What is compared is the work of one group, as products of a factory may need other nodes and other programs. Elsewhere
is a node that can take over: it is there, able, and not quarantined itself.

A failure says little by itself: the source may be one that no node can do. It counts against the node once the same
task has succeeded elsewhere; or at once, where the task was tried nowhere else and is given up. What failed on other
nodes as well, and is given up or then succeeds on one of those, counts against nobody.

Remembered by the coordinator only; a new coordinator starts counting anew, quarantines themselves are in the store. A
quarantine ends when a person says so: then the node has to fail as often again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from fa.core.model import Group

FAILURES_IN_A_ROW = 3
UNDECIDED_MAX = 1000  # failures of one node at one factory that are remembered until they are decided


@dataclass(frozen=True, slots=True)
class Verdict:
    """This node is to get no more work of this factory."""

    node: str
    factory: str
    reason: str


@dataclass(slots=True)
class _Record:
    """What a node failed at since its last success. `elsewhere`: where that succeeded."""

    failures: int = 0  # that count
    undecided: dict[int, None] = field(default_factory=dict)  # tasks, the oldest first
    elsewhere: set[str] = field(default_factory=set)


Able = Callable[[Group], frozenset[str]]


class Health:
    """`able`: the nodes that can do the work of a group now, slots aside; asked only before a quarantine."""

    def __init__(self, able: Able) -> None:
        self._able = able
        self._records: dict[Group, dict[str, _Record]] = defaultdict(dict)  # by node
        self._works_on: dict[Group, set[str]] = defaultdict(set)  # nodes where its last attempt succeeded
        self._quarantined: set[tuple[str, str]] = set()

    def factories_of(self, node: str) -> tuple[str, ...]:
        """For which it is quarantined, sorted."""
        return tuple(sorted(factory for name, factory in self._quarantined if name == node))

    def quarantine(self, node: str, factory: str) -> None:
        self._quarantined.add((node, factory))

    def release(self, node: str, factory: str) -> None:
        self._quarantined.discard((node, factory))
        for group, records in self._records.items():
            if group.factory == factory:
                records.pop(node, None)

    def succeeded(self, node: str, group: Group, task: int) -> tuple[Verdict, ...]:
        """Take note; what follows for nodes that failed at it before."""
        records = self._records[group]
        own = records.pop(node, _Record())
        self._works_on[group].add(node)
        if task in own.undecided:
            self.forget(group, task)  # what was missed came meanwhile
        for record in records.values():
            if task in record.undecided:
                del record.undecided[task]
                record.failures += 1
                record.elsewhere.add(node)
        return self._judge(group)

    def failed(self, node: str, group: Group, task: int, final: bool = False) -> tuple[Verdict, ...]:
        """Take note of a failure that may be the node's own. `final`: the task is not tried again."""
        record = self._records[group].setdefault(node, _Record())
        self._works_on[group].discard(node)
        record.undecided[task] = None
        if len(record.undecided) > UNDECIDED_MAX:
            del record.undecided[next(iter(record.undecided))]
        if final and self.forget(group, task) == [node]:
            record.failures += 1
        return self._judge(group)

    def forget(self, group: Group, task: int) -> list[str]:
        """It is given up, and no node is to blame; those where it had failed."""
        records = self._records[group]
        failed_on = [node for node, record in records.items() if task in record.undecided]
        for node in failed_on:
            del records[node].undecided[task]
        return failed_on

    def _judge(self, group: Group) -> tuple[Verdict, ...]:
        """Said until the store has it: :meth:`quarantine` tells when."""
        verdicts = []
        for node, record in sorted(self._records[group].items()):
            if record.failures >= FAILURES_IN_A_ROW and (node, group.factory) not in self._quarantined:
                others = sorted((record.elsewhere | self._works_on[group]) & self._able(group))
                reason = f"{record.failures} failures in a row, while it succeeds on {', '.join(others)}"
                verdicts += [Verdict(node, group.factory, reason)] if others else []
        return tuple(verdicts)
