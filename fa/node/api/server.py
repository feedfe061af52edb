"""The listeners of a node, and what happens to every request: route, who, limits, handler, reply.

There is no framework above aiohttp's protocol: no middleware, no second router. What is not in the route table does
not exist, and who has not the role that it names is refused. A request that needs no other node costs one lookup, one
decode, one encode.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import ssl
from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from aiohttp import web

from fa.core.model import Role
from fa.errors import FaError, Forbidden, Unauthorized, Unavailable
from fa.node.api.auth import VIA, Doorkeeper, TokenUnknown, local_name, on_unix_socket, peer_of
from fa.node.api.body import decode_body, decode_query, read_body
from fa.node.api.call import NOBODY, Answer, Call, Services, Who, stamps_of
from fa.node.api.forward import UNDONE, Forwarder
from fa.node.api.listen import Listeners
from fa.node.api.metrics import Metrics
from fa.node.api.problems import MEDIA as PROBLEM_MEDIA
from fa.node.api.problems import MethodNotAllowed, NotCoordinator, TooMany, clean, problem
from fa.node.api.reply import finish
from fa.node.api.route import JSON, Route, Router
from fa.node.api.routes import ROUTES
from fa.node.api.selections import Selections
from fa.node.as_json import encode
from fa.node.authority import Authority, TlsFiles, peer_context, server_context
from fa.node.clock import monotonic, wall_ms
from fa.node.gateway import Gateway
from fa.node.links import LINK_PATH
from fa.node.settings import Settings, StateDir
from fa.node.vip_guardian import VirtualAddress

PAUSE_SECONDS = 0.05  # between looks whether there is a coordinator now
RETRY_AFTER_SECONDS = 1
LOCKED_SECONDS = 60
TICK_SECONDS = 1.0
CUT_SECONDS = 1.0  # for handlers to see that their connection is gone

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_log = logging.getLogger("fa.api")


class Face:
    """Answers requests, wherever they came in."""

    def __init__(self, services: Services, routes: Iterable[Route] = ROUTES) -> None:
        self._services = services
        self._gateway, self._settings = services.gateway, services.settings
        self._router = Router(routes)
        self._boot, self._numbers = secrets.token_hex(4), count(1)
        self._running, self.idle = 0, asyncio.Event()  # `idle`: no request is being answered, but for links to nodes
        self.idle.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The one door. Nothing that a request does makes this raise, but that its connection broke."""
        if request.rel_url.raw_path == LINK_PATH:
            return await self._handled(request)
        self._running += 1
        self.idle.clear()
        try:
            return await self._handled(request)
        finally:
            self._running -= 1
            if not self._running:
                self.idle.set()

    async def _handled(self, request: web.BaseRequest) -> web.StreamResponse:
        started, route, request_id = monotonic(), None, ""
        try:
            key = f"{self._boot}-{next(self._numbers)}"
            request_id = _given_id(request) or key
            route, names = self._router.find(request.method, request.rel_url.raw_path)
            response = await self._answer(request, request_id, key, route, dict(names))
        except FaError as error:
            response = self._refuse(request, request_id, error)
        except ConnectionError:
            raise
        except Exception:
            _log.exception("request %s failed", request_id)
            response = self._refuse(request, request_id, FaError())
        self._services.metrics.count(route.path if route else "-", response.status, monotonic() - started)
        return response

    async def _answer(
        self, request: web.BaseRequest, request_id: str, key: str, route: Route, names: dict[str, str]
    ) -> web.StreamResponse:
        who = await self._who(route, request)
        if who is not None:
            _permit(who, route)
        if route.at_the_machine and not on_unix_socket(request):
            raise Forbidden(f"{route.name} works at the machine itself only.", hint="Log in there and use its --dir.")
        via = self._via(request)
        limits = self._settings.limits
        limit = limits.batch_bytes if route.batch else limits.body_bytes
        raw = await read_body(request, limit, limits.body_seconds) if request.body_exists else b""
        call = Call(self._services, route, request, request_id, key, who or NOBODY, wall_ms(), names, raw, via)
        return await self._until_answered(call, who is not None)

    async def _who(self, route: Route, request: web.BaseRequest) -> Who | None:
        """Who asks; None where only the coordinator can tell, because this node's copy of the tokens may lag."""
        if route.role is None:
            return NOBODY
        if on_unix_socket(request):
            return Who(Role.ADMIN, local_name(request))
        leading = self._gateway.standing().leading
        if not leading and not route.local and "Authorization" in request.headers:
            return None
        try:
            return await self._services.doorkeeper.who(request)
        except (TokenUnknown, Unavailable):
            if leading:
                raise
            return None

    def _via(self, request: web.BaseRequest) -> str:
        """The node that sent this on for somebody, if one did."""
        if VIA not in request.headers:
            return ""
        peer = peer_of(request, self._gateway, self._settings.array.id)
        return peer.node if peer else ""

    async def _until_answered(self, call: Call, known: bool) -> web.StreamResponse:
        """Answer here, or let the coordinator answer; waits, bounded, while one is being elected."""
        deadline = monotonic() + self._settings.timing.forward_timeout_seconds
        while True:
            try:
                if self._gateway.standing().leading or (call.route.local and known):
                    return await self._here(call, known)
                if call.via:
                    raise NotCoordinator
                return await self._services.forwarder.to_coordinator(call, call.route.patience_seconds)
            except Unavailable as error:
                if call.via or monotonic() > deadline or not _may_repeat(call, error):
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def _here(self, call: Call, known: bool) -> web.StreamResponse:
        route = call.route
        if not known:
            call = replace(call, who=await self._services.doorkeeper.who(call.request))
            _permit(call.who, route)
        call.query = decode_query(call.request, route.query)
        call.body = decode_body(call.raw, route.body) if route.body is not None and route.media == JSON else None
        reply = await route.handler(call)
        return finish(call, reply) if isinstance(reply, Answer) else reply

    def _refuse(self, request: web.BaseRequest, request_id: str, error: FaError) -> web.StreamResponse:
        standing = self._gateway.standing()
        retry_after = _retry_after(error)
        headers = stamps_of(standing.node, standing.epoch, request_id) | _extra_headers(error, retry_after)
        body = encode(problem(error, clean(request.path), request_id, retry_after))
        response = web.Response(status=error.status, body=body, headers=headers, content_type=PROBLEM_MEDIA)
        if not request.content.is_eof():
            response.force_close()  # what was not read is not waited for
        return response


def _given_id(request: web.BaseRequest) -> str:
    """The id that the client gave its request, if it can be one."""
    given = request.headers.get("Fa-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else ""


def _retry_after(error: FaError) -> int | None:
    """Seconds after which it makes sense to try again."""
    if isinstance(error, TooMany):
        return LOCKED_SECONDS
    return RETRY_AFTER_SECONDS if isinstance(error, Unavailable) else None


def _extra_headers(error: FaError, retry_after: int | None) -> dict[str, str]:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if isinstance(error, NotCoordinator):
        headers[UNDONE] = "1"
    elif isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="fa"'
    elif isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.allow
    return headers


def _permit(who: Who, route: Route) -> None:
    if not who.may(route.role):
        hint = f"It needs role {route.role}." if route.role is not Role.NODE else "It is for nodes only."
        raise Forbidden(f"Role {who.role} may not {route.name}.", hint=hint)


def _may_repeat(call: Call, error: Unavailable) -> bool:
    if isinstance(error, NotCoordinator) or call.route.repeatable:
        return True
    # What was forwarded went with a key, the client's or our own.
    return call.route.keyed and ("Idempotency-Key" in call.headers or call.own_key != "")


class Server:
    """A node's API on its Unix socket and its TLS address. Made by :func:`serve`."""

    def __init__(self, gateway: Gateway, settings: Settings, place: StateDir, authority: Authority) -> None:
        self._gateway, self._settings, self._place, self._authority = gateway, settings, place, authority
        self._listeners: Listeners | None = None
        self._face: Face | None = None
        self._forwarder: Forwarder | None = None
        self._ticker: asyncio.Task[None] | None = None
        self.contexts: list[ssl.SSLContext] = []  # those that show this node's certificate

    async def start(self) -> None:
        """Listen. Raises `Conflict` when another process does so already, `Invalid` for an address that is not ours."""
        files = TlsFiles(self._place.tls)
        array_id, node = self._settings.array.id, self._settings.node.name
        forwarding, listening = self.contexts = [peer_context(files), server_context(files)]
        self._forwarder = Forwarder(forwarding, array_id, node)
        doorkeeper = Doorkeeper(self._gateway, array_id, wall_ms=wall_ms, now=monotonic)
        metrics = Metrics(self._gateway)
        chosen = Selections(monotonic)
        services = Services(
            self._gateway, self._settings, self._authority, self._forwarder, doorkeeper, metrics, chosen
        )
        self._face = Face(services)
        self._listeners = Listeners(self._face.handle, self._settings.limits)
        await self._listeners.open_socket(self._place.socket)
        await self._listeners.open_address(self._settings.node.listen, listening)
        if self._settings.array.vip and not self._settings.node.listens_everywhere:
            virtual = VirtualAddress.parse(self._settings.array.vip)
            await self._listeners.open_virtual(virtual.address, listening)
        self._ticker = asyncio.create_task(self._tick(), name="api-ticker")

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        assert self._listeners is not None, "the server was started"
        return self._listeners.port

    async def quiet(self, patience_seconds: float = 5.0) -> None:
        """Take nothing new, let what was begun finish (bounded), say goodbye to watchers. Links to other nodes stay:
        what was begun may need them.
        """
        if self._ticker is not None:
            self._ticker.cancel()
        self._gateway.hub.end("stopping")
        if self._listeners is None or self._face is None:
            return
        self._listeners.shut()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                await self._face.idle.wait()

    async def stop(self, patience_seconds: float = 5.0) -> None:
        """`quiet`, then cut every connection. Close the links first: their handlers are waited for here."""
        await self.quiet(patience_seconds)
        if self._listeners is not None:
            await self._listeners.close(CUT_SECONDS)
        if self._forwarder is not None:
            await self._forwarder.close()

    async def _tick(self) -> None:
        """Once a second: tell watchers how far running work is, or that they should ask another node now."""
        while True:
            if self._gateway.standing().leading:
                self._gateway.hub.sample(self._gateway.progress())
            else:
                self._gateway.hub.end("moved")
            await asyncio.sleep(TICK_SECONDS)


async def serve(gateway: Gateway, settings: Settings, place: StateDir, authority: Authority) -> Server:
    """Start the API of a node: on ``place.socket`` and on ``settings.node.listen``."""
    server = Server(gateway, settings, place, authority)
    await server.start()
    return server
