"""People: they submit, cancel, hold, retry, raise priorities, drain nodes; and ask again when nobody answers."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from fa.core import commands as c
from fa.core import work as w
from fa.core.model import NewJob, NodeMode

if TYPE_CHECKING:
    from tests.sim.work.node import Node
    from tests.sim.work.world import World

PATIENCE = 4.0  # seconds until a request is sent again, under the same key


class Clients:
    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = count(1)
        self._open: dict[int, str] = {}  # request → key
        self._done: set[str] = set()
        self.busy = True

    def submit(self) -> None:
        rng = self._world.rng
        factory = rng.choice(("one", "one", "two", "big", "again"))
        if self._world.wide and rng.random() < 0.5:
            factory = f"{rng.choice(('cpu', 'gpu'))}-{rng.choice((2, 3, 4))}"
        jobs = tuple(
            NewJob(f"san:in/{number}.mxf", factory, priority=rng.choice((None, 0, 50, 75, 100)))
            for number in range(rng.choice((1, 1, 3)))
        )
        key = f"key{next(self._numbers)}"
        defer = self._world.moment().wall + 5000 if rng.random() < 0.1 else None
        jobs = tuple(NewJob(job.source, job.factory, job.priority, defer_until=defer) for job in jobs)
        self._ask(c.SubmitJobs(jobs, self._world.moment().wall, key=key, digest=key), key)

    def _ask(self, command: c.Command, key: str) -> None:
        if key in self._done:
            return
        leader = self._world.nodes[self._world.leader] if self._world.leader else None
        request = next(self._numbers)
        if leader and leader.alive:
            self._open[request] = key
            leader.post(w.Asked(request, command))
        if isinstance(command, c.SubmitJobs):
            self._world.after(PATIENCE, self._again, command, key, leader, request)

    def _again(self, command: c.Command, key: str, asked: Node | None, request: int) -> None:
        if asked and asked.alive and key not in self._done:
            asked.post(w.GaveUp(request))
        self._ask(command, key)

    def answered(self, request: int, result: Any) -> None:
        if isinstance(result, w.Outcome) and self._open[request]:
            self._done.add(self._open[request])

    @property
    def waiting(self) -> bool:
        """Whether some submission was not acknowledged yet."""
        return bool(set(self._open.values()) - self._done - {""})

    def meddle(self) -> None:
        rng, at = self._world.rng, self._world.moment().wall
        jobs = self._world.checks.jobs
        if not jobs:
            return
        job = rng.choice(jobs)
        choice = rng.random()
        if choice < 0.6:
            action = rng.choice((c.JobAction.CANCEL, c.JobAction.HOLD, c.JobAction.RELEASE, c.JobAction.RETRY))
            self._ask(c.ActOnJobs(action, (job,), at), "")
        elif choice < 0.8:
            self._ask(c.SetPriority((job,), rng.choice((0, 50, 100)), at), "")
        else:
            mode = rng.choice((NodeMode.UP, NodeMode.DRAINING, NodeMode.PAUSED))
            self._ask(c.SetNodeMode(rng.choice(sorted(self._world.nodes)), mode, at), "")

    def settle(self) -> None:
        """In the end everything may run."""
        at = self._world.moment().wall
        for node in sorted(self._world.nodes):
            self._ask(c.SetNodeMode(node, NodeMode.UP, at), "")
        self._ask(c.ActOnJobs(c.JobAction.RELEASE, tuple(self._world.checks.jobs), at), "")
