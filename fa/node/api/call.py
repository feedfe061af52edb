"""One request on its way through a node, and what a handler gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from fa.core.commands import Command
from fa.core.model import Role
from fa.node.api.route import Route
from fa.node.authority import Authority
from fa.node.gateway import Done, Gateway
from fa.node.settings import Settings

if TYPE_CHECKING:
    from fa.node.api.auth import Doorkeeper
    from fa.node.api.forward import Forwarder
    from fa.node.api.metrics import Metrics
    from fa.node.api.selections import Selections

_RANK = {Role.VIEWER: 1, Role.OPERATOR: 2, Role.ADMIN: 3}


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks: a role, and a name for the history ("operator:K3ZQ4A7M", "local:root", "node:b")."""

    role: Role
    name: str

    def may(self, role: Role | None) -> bool:
        """Whether this is enough for a route of ``role``. Nodes may call only what is for nodes."""
        if role is None:
            return True
        if Role.NODE in (role, self.role):
            return role is self.role
        return _RANK[self.role] >= _RANK[role]


NOBODY = Who(Role.NODE, "")  # who calls a route that is open to anybody


@dataclass(frozen=True, slots=True)
class Answer:
    """A value to be sent as JSON, or bytes that are sent as they are."""

    value: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = ""  # "" = JSON


Reply = Answer | web.StreamResponse


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers reach besides their own request."""

    gateway: Gateway
    settings: Settings
    authority: Authority
    forwarder: Forwarder
    doorkeeper: Doorkeeper
    metrics: Metrics
    selections: Selections


@dataclass(slots=True)
class Call:
    """A request that was understood and is allowed. ``at`` is wall time in ms; ``raw`` the body as it came; ``query``
    and ``body`` are filled in where it is answered.

    ``request_id`` may be the client's and come twice; ``key`` is ours and never does."""

    services: Services
    route: Route
    request: web.BaseRequest
    request_id: str
    key: str
    who: Who
    at: int
    names: Mapping[str, str]
    raw: bytes = b""
    via: str = ""  # the node that was asked, when it was another one
    own_key: str = ""  # the Idempotency-Key that this node gave it when it was sent on without one
    query: Any = None
    body: Any = None

    @property
    def gateway(self) -> Gateway:
        return self.services.gateway

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers."""
        return self.request.headers

    async def ask(self, command: Command) -> Done:
        return await self.gateway.ask(command)

    def stamps(self) -> dict[str, str]:
        """The headers that every reply carries."""
        standing = self.gateway.standing()
        return stamps_of(standing.node, standing.epoch, self.request_id)


def stamps_of(node: str, epoch: int, request_id: str) -> dict[str, str]:
    return {
        "Server": "fa",
        "Fa-Node": node,
        "Fa-Epoch": str(epoch),
        "Fa-Request-Id": request_id,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
