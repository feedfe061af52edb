"""A tiny job log on top of the store, for the publish rule (R9): grant, revoke and done are log entries, acted on
only when acknowledged.

Each job has one source part per attempt on a shared volume. A worker that holds a grant renames the part to the final
name, whenever the grant reaches it, however late. The coordinator that is tired of waiting commits a revoke, renames
the part away, and looks which side won.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.checks import require

if TYPE_CHECKING:
    from tests.sim.node import Node
    from tests.sim.world import World


class Jobs:
    def __init__(self, world: World) -> None:
        self.world = world
        self.rate = 0.0
        self.grant_early = False
        self.regrant_timeout = False
        self.parts: dict[tuple[int, int], str] = {}
        self.published: dict[int, int] = {}
        self._attempt = 0
        self._number = 0

    def start(self) -> None:
        if self.rate:
            self.world.after(self.world.rng.expovariate(self.rate), None, self._grant_some)

    # ---- the coordinator's decisions

    def _grant_some(self) -> None:
        world = self.world
        serving = world.serving()
        if serving:
            node = world.rng.choice(serving)
            self._number += 1
            job = self._number if world.rng.random() < 0.5 else world.rng.randint(1, self._number)
            self._decide(node, job)
        world.after(world.rng.expovariate(self.rate), None, self._grant_some)

    def _decide(self, node: Node, job: int) -> None:
        """Look at the acknowledged history of the job on this node, and log the next step."""
        last = self._last(node, job)
        if last is None:
            self._log_grant(node, job)
        elif last[0] == "grant":
            if self.regrant_timeout:
                self._log_grant(node, job)
            else:
                self._log(node, ("revoke", job, last[2]))
        elif last[0] == "revoke":
            self._settle_revoke(node, job, last[2])

    def _settle_revoke(self, node: Node, job: int, attempt: int) -> None:
        """Only after the revoke is acknowledged: rename the part away, then see which side won."""
        state = self.parts.get((job, attempt))
        if state == "part":
            self.parts[job, attempt] = "grave"
            self.world.counts["revoke-won"] += 1
        if self.parts.get((job, attempt)) == "grave":
            self._log_grant(node, job)
        else:
            self.world.counts["publish-won"] += 1
            self._log(node, ("done", job, attempt))

    def _log_grant(self, node: Node, job: int) -> None:
        self._attempt += 1
        self.parts[job, self._attempt] = "part"
        op = ("grant", job, self._attempt)
        self._log(node, op)
        if self.grant_early:
            self._send_grant(op)

    def _log(self, node: Node, op: tuple) -> None:
        """A decision is made on acknowledged state and logged only while no other decision about the job is under
        way.
        """
        pending = [ops for _, _, ops in node.disk.log[node.applied.txid :]]
        if node.inflight:
            pending.append(node.inflight[2])
        pending.append(tuple(node.queue))
        if not any(payload and payload[1] == op[1] for ops in pending for _, payload in ops):
            node.submit((f"j{self.world.unique()}", op))

    def _last(self, node: Node, job: int) -> tuple | None:
        for _, _, ops in reversed(node.disk.log[: node.applied.txid]):
            for _, payload in reversed(ops):
                if payload and payload[0] != "epoch" and payload[1] == job:
                    return payload
        return None

    def acknowledged(self, node: Node) -> None:
        """Grants that are acknowledged now are sent; a new coordinator sends those it inherited again."""
        if not self.rate:
            return
        for _, _, ops in node.disk.log[max(0, node.applied.txid - 3) : node.applied.txid]:
            for _, payload in ops:
                if payload and payload[0] == "grant":
                    self._send_grant(payload)

    # ---- the worker

    def _send_grant(self, op: tuple) -> None:
        world = self.world
        if world.rng.random() < 0.8:
            seconds = world.rng.choice((0.01, 0.5, 5.0)) * world.rng.random()
            world.after(seconds, None, self._publish, op[1], op[2])

    def _publish(self, job: int, attempt: int) -> None:
        """The worker's rename: the part is there, or somebody took it away."""
        if self.parts.get((job, attempt)) != "part":
            return
        self.parts[job, attempt] = "final"
        self.world.counts["published"] += 1
        known = self.published.setdefault(job, attempt)
        require(known == attempt, "I4", f"attempts {known} and {attempt} of job {job} were both published")
