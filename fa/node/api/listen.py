"""Sockets: where requests come in, how many may come, and what is said to who does not speak HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from fa.errors import Conflict, FaError, Invalid
from fa.node.api.problems import MEDIA, problem
from fa.node.as_json import encode
from fa.node.authority import identity_of
from fa.node.settings import Limits

LINE_BYTES = 8190
FIELD_BYTES = 16384
HANDSHAKE_SECONDS = 10.0
SOCKET_MODE = 0o660
IP_FREEBIND = 15  # linux/in.h; the socket module has no name for it
SUN_PATH_MAX = 100  # of 108 bytes that the address of a Unix socket has

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nFa-Undone: 1\r\n"
    b"Content-Type: application/problem+json\r\n\r\n"
    b'{"type":"/problems/busy","title":"Busy","status":503,"code":"busy",'
    b'"detail":"Too many connections come from this address: close some, or use fewer."}'
)

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connections(web.Server):
    """The connections that are open. Those over the Unix socket and those of other nodes are not limited: a flood of
    clients must not keep out who could end it."""

    def __init__(self, handle: Handle, limits: Limits) -> None:
        super().__init__(
            handle,
            access_log=None,
            keepalive_timeout=limits.idle_seconds,
            max_line_size=LINE_BYTES,
            max_field_size=FIELD_BYTES,
            auto_decompress=False,
            lingering_time=2.0,
        )
        self._limits = limits
        self._by_address: Counter[str] = Counter()

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def admit(self, address: str) -> bool:
        total, here = self._by_address.total(), self._by_address[address]
        if total >= self._limits.connections or here >= self._limits.connections_per_address:
            return False
        self._by_address[address] += 1
        return True

    def left(self, address: str) -> None:
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]


class _Connection(RequestHandler):
    """One connection, counted by address; errors of the protocol itself are problems, too."""

    __slots__ = ("_address", "_connections")

    def __init__(self, manager: Connections, *, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        super().__init__(manager, loop=loop, **kwargs)
        self._connections = manager
        self._address = ""  # under which it was counted, "" = it was not

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a stream"
        address = _counted_address(transport)
        if address and not self._connections.admit(address):
            self.close()  # whatever it sends is not looked at
            transport.write(_FULL)
            transport.close()
            return
        self._address = address
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._address:
            self._connections.left(self._address)
            self._address = ""
        super().connection_lost(exc)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What came is no HTTP, or too long to be."""
        error: FaError = Invalid(f"The request is not valid HTTP: {(message or 'it cannot be read').splitlines()[0]}.")
        body = encode(problem(error, "", ""))
        response = web.Response(status=error.status, body=body, content_type=MEDIA, headers={"Server": "fa"})
        response.force_close()
        return response


def _counted_address(transport: asyncio.Transport) -> str:
    sock = transport.get_extra_info("socket")
    certificate = transport.get_extra_info("peercert")
    if sock is None or sock.family == socket.AF_UNIX or (certificate and identity_of(certificate)):
        return ""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


class Listeners:
    """What is listened on. Open them, then close them all."""

    def __init__(self, handle: Handle, limits: Limits) -> None:
        self._connections = Connections(handle, limits)
        self._servers: list[asyncio.Server] = []
        self._socket: Path | None = None
        self.port = 0

    async def open_socket(self, path: Path) -> None:
        """Listen on the Unix socket; one that a dead process left is replaced.

        Raises `Conflict` when a living one answers there."""
        loop = asyncio.get_running_loop()
        with _short(path) as short:
            await _make_room(short, path)
            sock = _bound(short)
        self._servers.append(await loop.create_unix_server(self._connections, sock=sock, backlog=512))
        self._socket = path

    async def open_address(self, listen: str, context: ssl.SSLContext) -> None:
        """Listen on ``host:port`` with TLS. Raises `Conflict` when it is taken, `Invalid` when it is not ours."""
        host, _, port = listen.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                self._connections,
                host.strip("[]"),
                int(port),
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                backlog=512,
                reuse_address=True,
            )
        except OSError as error:
            kind = Conflict if "in use" in str(error) else Invalid
            raise kind(f"Cannot listen on {listen}: {error.strerror}.", hint="Set listen in fa.toml.") from None
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]

    async def open_virtual(self, address: str, context: ssl.SSLContext) -> None:
        """Listen on an address that this node may hold later (``IP_FREEBIND``, ip(7)), on the port of `open_address`:
        what comes to the virtual address is answered from the moment it is here."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        try:
            sock.bind((address, self.port))
        except OSError as error:
            sock.close()
            raise Conflict(f"Cannot listen on {address}:{self.port}: {error.strerror}.", hint="Look at vip.") from None
        server = await asyncio.get_running_loop().create_server(
            self._connections, sock=sock, ssl=context, ssl_handshake_timeout=HANDSHAKE_SECONDS, backlog=512
        )
        self._servers.append(server)

    def shut(self) -> None:
        """Let nobody in any more; who is in stays until his request is answered."""
        for server in self._servers:
            server.close()
        if self._socket is not None:
            self._socket.unlink(missing_ok=True)
        self._connections.pre_shutdown()

    async def close(self, patience_seconds: float) -> None:
        self.shut()
        await self._connections.shutdown(patience_seconds)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for ``path`` that fits the address of a Unix socket, however deep the directory is."""
    if len(os.fsencode(path)) <= SUN_PATH_MAX:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _bound(short: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.bind(short)
    Path(short).chmod(SOCKET_MODE)
    return sock


async def _make_room(short: str, path: Path) -> None:
    try:
        _, writer = await asyncio.open_unix_connection(short)
    except FileNotFoundError:
        return
    except OSError:
        os.unlink(short)  # noqa: PTH108  # nobody listens: a dead process left it
        return
    writer.close()
    raise Conflict(f"Another fa runs in {path.parent}.", hint="Stop it first, or use another --dir.")
