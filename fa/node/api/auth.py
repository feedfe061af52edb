"""Who is asking: file permissions on the Unix socket, a bearer token, or another node that speaks for somebody."""

from __future__ import annotations

import pwd
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from aiohttp import web

from fa.core.model import Role, Token
from fa.errors import FaError, Unauthorized
from fa.node.api.call import Who
from fa.node.api.problems import TooMany
from fa.node.authority import Identity, identity_of
from fa.node.gateway import Gateway
from fa.node.tokens import Presented, proves, read_api_token

WHO = "Fa-Who"  # said by another node: the role and name of the one for whom it asks
VIA = "Fa-Via"  # said by another node: its name; such a request is never forwarded again

TOKENS_KEPT = 1024
TOKEN_SECONDS = 2.0  # how long a token that was looked up is believed, in case another way than this API removed it
TRIES = 300  # wrong tokens from one address in a minute; no one guesses 256 bits, but a loop costs our time
ADDRESSES_KEPT = 1024


class TokenUnknown(Unauthorized):
    """The token is not known here. Make one with `fa token create --role viewer|operator|admin`."""


def on_unix_socket(request: web.BaseRequest) -> bool:
    sock = request.transport.get_extra_info("socket") if request.transport else None
    return sock is not None and sock.family == socket.AF_UNIX


def local_name(request: web.BaseRequest) -> str:
    """The user at the other end of the Unix socket, as the kernel says."""
    assert request.transport is not None
    raw = request.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return f"local:{_user(struct.unpack('3i', raw)[1])}"


@lru_cache(maxsize=64)
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def peer_of(request: web.BaseRequest, gateway: Gateway, array_id: str) -> Identity | None:
    """The node at the other end, if it showed a certificate of this array and is still a member of it: not one that was
    removed and whose name another has by now."""
    certificate = request.transport and request.transport.get_extra_info("peercert")
    identity = identity_of(certificate) if certificate else None
    if identity is None or identity.array_id != array_id:
        return None
    return identity if gateway.knows(identity.node, identity.incarnation) else None


class Doorkeeper:
    """Tells who a request comes from. Keeps tokens for a moment, and counts wrong ones by address."""

    def __init__(
        self, gateway: Gateway, array_id: str, *, wall_ms: Callable[[], int], now: Callable[[], float]
    ) -> None:
        self._gateway, self._array_id = gateway, array_id
        self._wall_ms, self._now = wall_ms, now
        self._tokens: dict[str, tuple[Token, float]] = {}
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    async def who(self, request: web.BaseRequest) -> Who:
        """Raises `TokenUnknown` for a token that this node does not know, `Unauthorized` without a good one,
        `TooMany` after too many bad ones."""
        if on_unix_socket(request):
            return Who(Role.ADMIN, local_name(request))
        peer = peer_of(request, self._gateway, self._array_id)
        if peer is not None and "Authorization" not in request.headers:
            return self._spoken_for(peer, request.headers.get(WHO, ""))
        header = request.headers.get("Authorization")
        if header is None:
            raise Unauthorized
        try:
            return await self._bearer(header)
        except Unauthorized as error:
            raise self._count(request, error) from None

    def _spoken_for(self, peer: Identity, said: str) -> Who:
        role, _, name = said.partition(" ")
        if not said:
            return Who(Role.NODE, f"node:{peer.node}")
        if role not in (Role.VIEWER, Role.OPERATOR, Role.ADMIN) or not name:
            raise Unauthorized(f"Node {peer.node} asks for nobody that is known.")
        return Who(Role(role), name)

    async def _bearer(self, header: str) -> Who:
        scheme, _, text = header.partition(" ")
        shown = read_api_token(text.strip()) if scheme.lower() == "bearer" else None
        if shown is None:
            raise Unauthorized
        token = await self._token(shown)
        if not proves(token, shown.secret, self._wall_ms()):
            raise Unauthorized("The token is wrong or has expired.", hint="Make a new one with `fa token create`.")
        return Who(token.role, f"{token.role}:{token.id}")

    async def _token(self, shown: Presented) -> Token:
        kept = self._tokens.get(shown.id)
        if kept is not None and self._now() < kept[1]:
            return kept[0]
        token = await self._gateway.readers.token(shown.id)
        if token is None or token.role is Role.NODE:
            raise TokenUnknown
        if len(self._tokens) >= TOKENS_KEPT:
            self._tokens.clear()
        self._tokens[shown.id] = (token, self._now() + TOKEN_SECONDS)
        return token

    def forget(self) -> None:
        """Tokens were changed: look each up anew."""
        self._tokens.clear()

    def _count(self, request: web.BaseRequest, error: FaError) -> FaError:
        address, now = request.remote or "", self._now()
        recent = [when for when in self._wrong.pop(address, ()) if now - when < 60.0][-TRIES:]
        self._wrong[address] = [*recent, now]
        if len(self._wrong) > ADDRESSES_KEPT:
            self._wrong.popitem(last=False)
        return TooMany() if len(recent) >= TRIES else error
