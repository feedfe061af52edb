"""All that the coordinator remembers while it leads: its nodes, what runs on them, how they fare; and the commands that
are on their way to the store."""

from __future__ import annotations

from collections.abc import Callable

from fa.core import commands as c
from fa.core import work as w
from fa.core.health import Health
from fa.core.members import Member, view_of
from fa.core.model import Group, NodeRow, NodeView
from fa.core.runs import Run, Runs
from fa.core.scheduling import PRIORITY_MAX, may_run
from fa.core.work import Moment, Running

Effects = list[w.WorkEffect]
Then = Callable[[w.Carried, Moment], Effects]


class Crew:
    """`epoch` changes with each view that this node leads; `since` is the one in which it took over. `wanted`: there is
    something new that dispatch should look at."""

    def __init__(self, epoch: int, first_tag: int) -> None:
        self.epoch = epoch
        self.since = epoch
        self.wanted = False
        self.runs = Runs()
        self.health = Health(self.able)
        self.tag = first_tag
        self._members: dict[str, Member] = {}
        self._pending: dict[int, Then] = {}

    # --- nodes ---

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(self._members[name] for name in sorted(self._members))

    def member(self, name: str) -> Member | None:
        return self._members.get(name)

    def know(self, row: NodeRow, now: Moment) -> None:
        """A row of the store: a node came, changed or went."""
        member = self._members.get(row.name)
        if row.removed_at is not None:
            self._members.pop(row.name, None)
            self.runs.forget_node(row.name)
        elif member is not None:
            member.drained = member.drained and member.mode is row.mode
            member.mode, member.address, member.kind = row.mode, row.address, row.kind
            member.index, member.incarnation = row.index, row.incarnation
        else:
            self._members[row.name] = Member(
                row.name, row.mode, row.address, now.mono, row.kind, row.index, row.incarnation
            )
        self.wanted = True

    def views(self) -> tuple[NodeView, ...]:
        """The nodes as dispatch sees them now, by name."""
        views = (self._view(member) for member in self.members)
        return tuple(view for view in views if view is not None)

    def _view(self, member: Member) -> NodeView | None:
        name = member.name
        return view_of(member, [*self.runs.on(name), *self.runs.ending_on(name)], self.health.factories_of(name))

    def able(self, group: Group, priority: int = PRIORITY_MAX) -> frozenset[str]:
        """The nodes on which its tasks would start as soon as slots are free."""
        return frozenset(view.name for view in self.views() if may_run(group, view, priority))

    def able_elsewhere(self, run: Run) -> bool:
        """Whether another node could do it, as soon as it has a slot."""
        return run.group is not None and bool(self.able(run.group, run.priority) - {run.node})

    def progress(self) -> dict[int, Running]:
        """By task, of the attempts that count."""
        shown = (running for member in self.members for running in member.progress)
        return {running.task: running for running in shown if self.runs.get(running.key)}

    # --- commands on their way ---

    def commit(self, command: c.Command, then: Then | None = None) -> Effects:
        """`then` is asked what follows, once every copy has it or it was refused."""
        self.tag += 1
        self._pending[self.tag] = then or _nothing
        return [w.Commit(self.tag, command)]

    def carried(self, tag: int) -> Then | None:
        return self._pending.pop(tag, None)


def _nothing(done: w.Carried, now: Moment) -> Effects:
    return []
