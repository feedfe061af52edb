"""The seam between a node's HTTP API and the node itself: the API sees this and nothing else of the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from fa.core.commands import Command
from fa.core.model import NodeView
from fa.core.places import Place
from fa.core.position import Position
from fa.core.watch_messages import WatchStatus
from fa.node.hub import Hub
from fa.store.readers import Readers


@dataclass(frozen=True, slots=True)
class Done:
    """A command was carried out and is durable on every copy of the in-sync set."""

    value: Any
    position: Position
    durability: str  # "mirrored" or "solo"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running attempt is. Kept in memory on the coordinator only; `progress` 0..1, `eta` seconds."""

    phase: str  # uploading, flipping, delivering
    progress: float = 0.0
    fps: float | None = None
    speed: float | None = None
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How this node sees the array now. `why` says in words what is wrong, when something is."""

    node: str
    array: str
    array_id: str
    epoch: int
    coordinator: str | None
    coordinator_url: str | None
    leading: bool  # this node is the coordinator and serves
    secondaries: tuple[str, ...]
    mirror: str  # lock-step, solo, syncing, stalled
    txid: int
    lag_ms: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A member of the array as the coordinator knows it."""

    view: NodeView
    state: str  # up, draining, paused, lost
    address: str
    version: str
    seen_ms_ago: int
    tasks: tuple[tuple[int, int], ...] = ()  # (task, attempt) that run there
    kind: str = "data"  # or "witness"


@dataclass(frozen=True, slots=True)
class VolumeStatus:
    """One volume as one node sees it. `state`: healthy, full, read-only, disconnected, hung, foreign."""

    name: str
    node: str
    path: str
    state: str
    why: str = ""
    free: int | None = None
    total: int | None = None


class Gateway(Protocol):
    @property
    def readers(self) -> Readers: ...

    @property
    def hub(self) -> Hub: ...

    def standing(self) -> Standing: ...

    def nodes(self) -> Sequence[NodeStatus]: ...

    def knows(self, node: str, incarnation: str) -> bool:
        """Whether a node of this name is a member in this of its lives, as far as this node was told."""
        ...

    async def admit(self, applicant: Any) -> Any:
        """Make who shows a join token a member; `Applicant` → `Admitted` (see `fa.node.admission`)."""
        ...

    def renew(self, identity: Any, request: str) -> str:
        """A new certificate (PEM) for a member, see `fa.node.admission.renew`."""
        ...

    async def accept_link(self, request: web.BaseRequest, node: str) -> web.StreamResponse:
        """Hold a peer link with a node that proved who it is; returns when it has broken."""
        ...

    async def send_copy(self, request: web.BaseRequest, theirs: bytes) -> web.StreamResponse:
        """Stream a whole copy of the store to another node, or what differs from the page sums of its own."""
        ...

    def volumes(self) -> Sequence[VolumeStatus]: ...

    def progress(self) -> Mapping[int, Progress]:
        """By task id, of all that runs in the array."""
        ...

    async def ask(self, command: Command) -> Done:
        """Carry a command out; waits (bounded) through an election.

        Raises `Unavailable` when there is no coordinator in time, else whatever the ledger raised."""
        ...

    def attempt_log(self, task: int, attempt: int) -> Path:
        """Where this node keeps the full log of an attempt (it may not exist here)."""
        ...

    def runs_here(self, task: int, attempt: int) -> bool:
        """Whether this node still runs that attempt: its log may grow."""
        ...

    async def test_factory(self, text: str) -> Sequence[Mapping[str, Any]]:
        """Run two seconds of a synthetic source through every product on this node: one report per product."""
        ...

    def watches(self) -> Mapping[str, WatchStatus]:
        """What the owners of monitors said last, by monitor."""
        ...

    async def test_monitor(self, text: str) -> Mapping[str, Any]:
        """One look from this node, and what the monitor would do: the fields of `MonitorTest`."""
        ...

    async def files(self, folder: Place, after: str, limit: int) -> Mapping[str, Any]:
        """What lies in a folder of a volume of this node: `items` and `next`, see `fa.node.browse`."""
        ...

    def force_report(self) -> str:
        """What forcing this node to lead may lose, as sentences a line."""
        ...

    async def force(self, by: str) -> None:
        """Lead without a majority; returns when this node does. Raises `Conflict` with the core's own sentence."""
        ...

    def check_spare(self, voter: str, hint: str) -> None:
        """Raises `Conflict` when the majority needs the vote of this node, see `fa.node.vote_desk`."""
        ...

    async def remove_vote(self, voter: str, by: str) -> None:
        """Take the vote of a volume, see `fa.node.vote_desk`."""
        ...

    async def renew_vote(self, voter: str, by: str) -> None:
        """Give a volume a fresh vote in the place of one whose records were lost, see `fa.node.vote_desk`."""
        ...

    async def mirror(self, action: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """`status`, `history`, `switchover`, `examine`; raises `Invalid` for an action that does not exist."""
        ...
