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


ANY = 0  # in place of a group
_Work = tuple[str, int]  # factory, group


class Health:
    """`able`: the nodes that can do the work of a group now, slots aside; asked only before a quarantine."""

    def __init__(self) -> None:
        self.able: Callable[[Group], frozenset[str]] | None = None
        self._records: dict[_Work, dict[str, _Record]] = defaultdict(dict)  # by node
        self._works_on: dict[_Work, set[str]] = defaultdict(set)  # nodes where its last attempt succeeded
        self._groups: dict[int, Group] = {}
        self._group_of: dict[int, int] = {}  # of tasks, while the end of an attempt is being written
        self._quarantined: set[tuple[str, str]] = set()

    def expect(self, task: int, group: Group) -> None:
        """The end of an attempt was reported; it is judged when the store has it."""
        self._groups[group.id] = group
        self._group_of[task] = group.id

    def expect_no_more(self, task: int) -> None:
        self._group_of.pop(task, None)

    def factories_of(self, node: str) -> tuple[str, ...]:
        """For which it is quarantined, sorted."""
        return tuple(sorted(factory for name, factory in self._quarantined if name == node))

    def quarantine(self, node: str, factory: str) -> None:
        self._quarantined.add((node, factory))

    def release(self, node: str, factory: str) -> None:
        self._quarantined.discard((node, factory))
        for (of, _), records in self._records.items():
            if of == factory:
                records.pop(node, None)

    def succeeded(self, node: str, factory: str, task: int) -> tuple[Verdict, ...]:
        """Take note; what follows for nodes that failed at it before."""
        verdicts: list[Verdict] = []
        for work in self._works(factory, task):
            records = self._records[work]
            own = records.pop(node, _Record())
            self._works_on[work].add(node)
            if task in own.undecided:
                self._forget(work, task)  # what was missed came meanwhile
            for record in records.values():
                if task in record.undecided:
                    del record.undecided[task]
                    record.failures += 1
                    record.elsewhere.add(node)
            verdicts += self._judge(work)
        return tuple(verdicts)

    def failed(self, node: str, factory: str, task: int, final: bool = False) -> tuple[Verdict, ...]:
        """Take note of a failure that may be the node's own. `final`: the task is not tried again."""
        works = self._works(factory, task)
        for work in works:
            self._works_on[work].discard(node)
        record = self._records[works[0]].setdefault(node, _Record())
        record.undecided[task] = None
        if len(record.undecided) > UNDECIDED_MAX:
            del record.undecided[next(iter(record.undecided))]
        if final and self.forget(factory, task) == [node]:
            record.failures += 1
        return self._judge(works[0])

    def forget(self, factory: str, task: int) -> list[str]:
        """It is given up, and no node is to blame; those where it had failed."""
        return sorted({node for work in self._works(factory, task) for node in self._forget(work, task)})

    def _forget(self, work: _Work, task: int) -> list[str]:
        records = self._records[work]
        failed_on = [node for node, record in records.items() if task in record.undecided]
        for node in failed_on:
            del records[node].undecided[task]
        return failed_on

    def _works(self, factory: str, task: int) -> tuple[_Work, ...]:
        """What an end is evidence of: its group first. No node reports of an order that it does not take; that is
        compared with all work of the factory."""
        return tuple(dict.fromkeys([(factory, self._group_of.get(task, ANY)), (factory, ANY)]))

    def _judge(self, work: _Work) -> tuple[Verdict, ...]:
        """Said until the store has it: :meth:`quarantine` tells when."""
        verdicts, factory = [], work[0]
        for node, record in sorted(self._records[work].items()):
            if record.failures >= FAILURES_IN_A_ROW and (node, factory) not in self._quarantined:
                others = self._can_take_over(work, record.elsewhere | self._works_on[work])
                reason = f"{record.failures} failures in a row, while it succeeds on {', '.join(others)}"
                verdicts += [Verdict(node, factory, reason)] if others else []
        return tuple(verdicts)

    def _can_take_over(self, work: _Work, nodes: set[str]) -> list[str]:
        group = self._groups.get(work[1])
        return sorted(nodes if self.able is None or group is None else nodes & self.able(group))
