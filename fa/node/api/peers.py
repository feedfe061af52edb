"""What nodes ask of each other: to become a member, and to hold a link."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from fa.core.commands import TellTroubles
from fa.core.model import Role
from fa.errors import Forbidden
from fa.node.admission import Admitted, Applicant, Certificate
from fa.node.api import given as g
from fa.node.api.auth import peer_of
from fa.node.api.call import Answer, Call
from fa.node.api.problems import NotCoordinator
from fa.node.api.route import Route
from fa.node.certificates import Signed, Wanted
from fa.node.teller import Heard, Told


async def certificate(call: Call) -> Answer:
    return Answer(Certificate(call.services.authority.pem.decode()))


async def join(call: Call) -> Answer:
    return Answer(await call.gateway.admit(call.body), status=201)


async def link(call: Call) -> web.StreamResponse:
    return await call.gateway.accept_link(call.request, _node(call))


async def troubles(call: Call) -> Answer:
    """What is wrong with a node. It is believed for itself only; the answer shows it this node's clock."""
    name = _node(call)
    if not call.gateway.standing().leading:
        raise NotCoordinator
    await call.ask(TellTroubles(f"node/{name}", tuple(call.body.troubles), call.at))
    return Answer(Heard(call.at))


async def certify(call: Call) -> Answer:
    """A new certificate for the node that asks with its old one."""
    identity = peer_of(call.request, call.gateway, call.services.settings.array.id)
    if identity is None or not call.gateway.standing().leading:
        raise NotCoordinator
    return Answer(Signed(call.gateway.renew(identity, call.body.request)))


def _node(call: Call) -> str:
    kind, _, name = call.who.name.partition(":")
    if kind != "node":
        raise Forbidden
    return name


async def copy(call: Call) -> web.StreamResponse:
    """A whole copy of the store, streamed, or with the page sums of the asking copy as body only the pages that differ.
    A separate connection, so that heartbeats never wait for it."""
    return await call.gateway.send_copy(call.request, call.raw)


async def examine(call: Call) -> Answer:
    """Read all of this node's copy, for the coordinator, and say what is wrong with it."""
    _node(call)
    return Answer(await call.gateway.mirror("examine", {"txid": call.body.txid, "checksum": call.body.checksum}))


ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/ca", None, "Show the array's certificate", certificate, Certificate, local=True),
    Route(
        "POST", "/v1/join", None, "Become a node of the array, with a join token", join, Admitted, 201,
        body=Applicant, repeatable=False,
    ),
    Route("GET", "/v1/peer/link", Role.NODE, "Hold a link (for other nodes)", link, dict[str, Any], local=True),
    Route(
        "POST", "/v1/peer/troubles", Role.NODE, "Tell what is wrong with a node (for other nodes)", troubles, Heard,
        body=Told, local=True,
    ),
    Route(
        "POST", "/v1/peer/certificate", Role.NODE, "Renew the certificate of a node (for other nodes)", certify, Signed,
        body=Wanted, local=True,
    ),
    Route(
        "POST", "/v1/peer/examine", Role.NODE, "Read the copy of a node over (for the coordinator)", examine,
        dict[str, Any], body=g.Examine, local=True,
    ),
    Route(
        "POST", "/v1/peer/copy", Role.NODE, "Stream a copy of the store, or what differs (for other nodes)", copy,
        media="application/octet-stream", local=True, batch=True,
    ),
)  # fmt: skip
