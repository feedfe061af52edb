"""Peer links: one persistent connection for each pair of nodes, TLS 1.3 with a certificate of the array on both sides.

Of two nodes the one with the lower index dials, and dials again, with back-off, for ever. A link that breaks is
followed by one look whether the other process still listens: refused means that it is dead, and nobody needs to wait
for a time-out (DESIGN.md section 3). Every link has a bounded outbox; a peer that does not read loses its link rather
than making this node wait, and the core makes up for whatever was lost when it is back.

Who is not let in is told why (WebSocket close code 1008), and tries again rarely. Of two processes with one name, a
clone and its original, the one whose link is alive stays: a living link is never given up for a stranger."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_USER_TIMEOUT
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from fa.core import array_events as av
from fa.core.array_messages import Append, Hello
from fa.core.work import Told
from fa.errors import FaError, Forbidden, Unauthorized, Unavailable
from fa.node.authority import host_of, identity_of
from fa.node.wire import FRAME_BYTES_MAX, PROTOCOL, Roster, RosterEntry, decode, encode, is_work
from fa.replication.envelope import Envelope

log = logging.getLogger(__name__)

LINK_PATH = "/v1/peer/link"
OUTBOX_BYTES_MAX = 128 << 20
DIAL_TIMEOUT = 2.0  # seconds
PROBE_TIMEOUT = 0.4
PROBE_AGAIN_AFTER = 0.04
BACKOFF_FIRST, BACKOFF_LONGEST = 0.05, 0.5
REFUSED_WAIT = 10.0
HELLO_TIMEOUT = 5.0
PONG_TIMEOUT = 2.0
UNHEARD_TIMEOUT = 5.0
REASON_BYTES_MAX = 120  # of the 123 that a close frame has (RFC 6455 section 5.5)

Socket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse


def _life(certificate: Any) -> str:
    """In which of its lives the node is that showed this certificate."""
    identity = identity_of(certificate)
    return identity.incarnation if identity else ""


class Refused(Forbidden):
    """The other end does not take this node."""


class _Link:
    """One live connection and what waits to be sent on it."""

    def __init__(self, peer: str, socket: Socket) -> None:
        self.peer = peer
        self.socket = socket
        self.life = _life(socket.get_extra_info("peercert"))
        self.run = ""  # of the process at the other end
        self.is_cut = False
        self._pong = asyncio.Event()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._give_up_soon()

    def _give_up_soon(self) -> None:
        """Both ends dial anew when what they send arrives nowhere. TCP by itself tries again after twice the time, and
        twice that: a line that was cut for a minute would be silent for another one when it has healed."""
        connection = self.socket.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, int(UNHEARD_TIMEOUT * 1000))

    def put(self, frame: bytes) -> bool:
        """False when the outbox is over its bound: nothing more is taken."""
        if self._bytes > OUTBOX_BYTES_MAX:
            return False
        self._waiting.append(frame)
        self._bytes += len(frame)
        self._more.set()
        return True

    def cut(self) -> None:
        """End it without a word: who does not read would not hear a goodbye, and waiting for it takes seconds."""
        if self.is_cut:
            return
        self.is_cut = True
        connection = self.socket.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(SHUT_RDWR)

    async def answers(self) -> bool:
        """Is there still somebody at the other end?"""
        self._pong.clear()
        try:
            async with asyncio.timeout(PONG_TIMEOUT):
                await self.socket.ping()
                await self._pong.wait()
        except (OSError, TimeoutError, aiohttp.ClientError):
            return False
        return True

    async def receive(self) -> bytes | None:
        """The next frame; None at the end. Raises `Refused` when the other end says why it ends."""
        while True:
            frame = await self.socket.receive()
            if frame.type is aiohttp.WSMsgType.BINARY:
                return bytes(frame.data)
            if frame.type is aiohttp.WSMsgType.PING:
                await self.socket.pong(frame.data)
            elif frame.type is aiohttp.WSMsgType.PONG:
                self._pong.set()
            elif frame.type is aiohttp.WSMsgType.CLOSE and frame.data == aiohttp.WSCloseCode.POLICY_VIOLATION:
                raise Refused(str(frame.extra))
            else:
                return None

    async def close(self, reason: str = "") -> None:
        """Say `reason` to the other end."""
        code = aiohttp.WSCloseCode.POLICY_VIOLATION if reason else aiohttp.WSCloseCode.OK
        await self.socket.close(code=code, message=reason.encode()[:REASON_BYTES_MAX])

    async def write(self) -> None:
        while True:
            while self._waiting:
                frame = self._waiting.popleft()
                self._bytes -= len(frame)
                await self.socket.send_bytes(frame)
            self._more.clear()
            await self._more.wait()


class Links:
    """`hello` is said first on every link; `arrived` takes the bytes of a segment before its `Append` is posted;
    `refused` is told why somebody was not let in, or did not let this node in."""

    def __init__(
        self,
        *,
        array_id: str,
        name: str,
        index: int,
        context: ssl.SSLContext,
        post: Callable[[Any], None],
        hello: Callable[[], Hello],
        arrived: Callable[[Append, Envelope, bytes], None],
        on_roster: Callable[[str, Roster], None],
        refused: Callable[[str], None],
    ) -> None:
        self._array_id = array_id
        self._name = name
        self._index = index
        self._context = context
        self._post = post
        self._hello = hello
        self._arrived = arrived
        self._on_roster = on_roster
        self._refused = refused
        self._links: dict[str, _Link] = {}
        self._peers: dict[str, RosterEntry] = {}
        self._dialers: dict[str, asyncio.Task[None]] = {}
        self._said_up: set[str] = set()
        self._session: aiohttp.ClientSession | None = None
        self._rng = Random()

    # --- who there is ---

    def know(self, members: Mapping[str, RosterEntry]) -> None:
        """These are the members now: dial the new ones, drop those that are no more."""
        self._peers = {name: entry for name, entry in sorted(members.items()) if name != self._name}
        for name in [name for name in self._dialers if name not in self._peers]:
            self._dialers.pop(name).cancel()
        for name in [name for name, link in self._links.items() if not self.knows(name, link.life)]:
            self.drop(name)
        for name, entry in self._peers.items():
            if self._index < entry.index and name not in self._dialers:
                self._dialers[name] = asyncio.create_task(self._keep_dialling(name), name=f"dial-{name}")

    def knows(self, name: str, incarnation: str) -> bool:
        """Is that a member, with this certificate? One that had its name before is none."""
        entry = self._peers.get(name)
        return entry is not None and entry.incarnation in ("", incarnation)

    def address(self, name: str) -> str | None:
        entry = self._peers.get(name)
        return entry.address if entry else None

    @property
    def up(self) -> tuple[str, ...]:
        """The peers with a live link, by name."""
        return tuple(sorted(self._links))

    # --- sending ---

    def send(self, peer: str, message: Any, payload: bytes = b"") -> None:
        """Queue a message; dropped when there is no link."""
        link = self._links.get(peer)
        if link is None or link.is_cut:
            return
        if not link.put(encode(message, payload)):
            log.warning("%s does not read what it is sent; its link is dropped", peer)
            link.cut()

    def send_all(self, message: Any) -> None:
        for peer in self.up:
            self.send(peer, message)

    def drop(self, peer: str, reason: str = "") -> None:
        link = self._links.get(peer)
        if link:
            task = asyncio.create_task(link.close(reason))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def close(self) -> None:
        for task in self._dialers.values():
            task.cancel()
        await asyncio.gather(*self._dialers.values(), return_exceptions=True)
        for link in list(self._links.values()):
            with contextlib.suppress(Exception):
                await link.socket.close()
        if self._session:
            await self._session.close()

    # --- dialling ---

    async def _keep_dialling(self, peer: str) -> None:
        wait = BACKOFF_FIRST
        while True:
            try:
                if await self._dial(peer):
                    wait = BACKOFF_FIRST
            except Refused as error:
                log.warning("%s refuses this node: %s", peer, error.detail)
                self._refused(f"{peer} refuses this node: {error.detail}")
                self._post(av.NotLetIn(peer, error.detail))
                await asyncio.sleep(REFUSED_WAIT)
            except aiohttp.WSServerHandshakeError as error:
                log.debug("%s lets no node of that name in: %s", peer, error)
                if error.status in (Forbidden.status, Unauthorized.status):  # of its links, or of its API before them
                    self._post(av.NotLetIn(peer, f"it knows no node {self._name}"))
            except (aiohttp.ClientError, OSError, FaError, TimeoutError) as error:
                log.debug("no link to %s: %s", peer, error)
            await asyncio.sleep(wait * self._rng.uniform(0.7, 1.3))
            wait = min(wait * 2, BACKOFF_LONGEST)

    async def _dial(self, peer: str) -> bool:
        """Connect and stay until the link breaks; whether there was one."""
        if peer in self._links:
            return False
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        async with asyncio.timeout(DIAL_TIMEOUT):
            socket = await self._session.ws_connect(
                self._peers[peer].address + LINK_PATH,
                ssl=self._context,
                server_hostname=host_of(self._array_id, peer),
                protocols=(PROTOCOL,),
                max_msg_size=FRAME_BYTES_MAX,
                compress=0,
                autoping=False,
            )
        link = _Link(peer, socket)
        if not self.knows(peer, link.life):
            link.cut()
            raise Forbidden(f"A server that was removed still runs as {peer}.")
        link.put(encode(self._hello()))
        await self._live(link)
        return True

    async def accept(self, request: web.BaseRequest, peer: str) -> web.WebSocketResponse:
        """The other end of a dial; `peer` is proved by its certificate. Returns when the link has broken."""
        if not self.knows(peer, _life(request.get_extra_info("peercert"))):
            raise Forbidden(f"{peer} is not a node of this array.")
        socket = web.WebSocketResponse(
            protocols=(PROTOCOL,), max_msg_size=FRAME_BYTES_MAX, compress=False, autoping=False
        )
        await socket.prepare(request)
        link = _Link(peer, socket)
        try:
            await self._live(link, self._let_in)
        except (FaError, TimeoutError) as error:
            text = error.detail if isinstance(error, FaError) else f"{peer} said nothing"
            log.warning("no link from %s: %s", peer, text)
            self._refused(text)
        return socket

    async def _let_in(self, link: _Link) -> None:
        """Raises `Forbidden` when there is a link to another process of that name, and somebody at its end."""
        old = self._links.get(link.peer)
        if old and old.run != link.run and await old.answers():
            raise Forbidden(
                f"A second process runs as {link.peer}: one is a clone.", hint="Stop it; join it under another name."
            )
        if old:  # it dialled again: the old one is dead and nobody told us yet
            old.cut()
        link.put(encode(self._hello()))

    # --- a live link ---

    async def _live(self, link: _Link, let_in: Callable[[_Link], Awaitable[None]] | None = None) -> None:
        """Until it breaks. Raises `FaError`, `TimeoutError` when it is none that this node wants."""
        peer = link.peer
        writer = asyncio.create_task(link.write(), name=f"link-{peer}")
        try:
            hello = await self._their_hello(link)
            link.run = hello.run
            if let_in:
                await let_in(link)
            self._links[peer] = link
            self._told_up(peer, hello)
            await self._read(link)
        except FaError as error:
            await link.close(error.detail)
            raise
        finally:
            writer.cancel()
            with contextlib.suppress(Exception):
                await link.close()
            if self._links.get(peer) is link:
                del self._links[peer]
                log.info("no link to %s any more", peer)
                await self._tell_down(peer)

    def _told_up(self, peer: str, hello: Hello) -> None:
        """Up and down alternate, whatever order connections break and come in."""
        if peer in self._said_up:
            self._post(av.LinkDown(peer, False))
        self._said_up.add(peer)
        self._post(av.LinkUp(peer, hello))
        log.info("link to %s", peer)

    async def _their_hello(self, link: _Link) -> Hello:
        async with asyncio.timeout(HELLO_TIMEOUT):
            frame = await link.receive()
        if frame is None:
            raise Unavailable(f"{link.peer} said nothing.")
        hello, _ = decode(frame)
        if not isinstance(hello, Hello) or hello.node != link.peer or hello.array_id != self._array_id:
            raise Forbidden(
                f"Who calls itself {link.peer} is not node {link.peer} of this array: correct its address, or join it."
            )
        return hello

    async def _read(self, link: _Link) -> None:
        while (frame := await link.receive()) is not None:
            message, segment = decode(frame)
            if segment is not None:
                self._arrived(message, *segment)
            if isinstance(message, Roster):
                self._on_roster(link.peer, message)
            elif is_work(message):
                self._post(Told(link.peer, message))
            elif not isinstance(message, Hello):
                self._post(av.Received(link.peer, message))

    async def _tell_down(self, peer: str) -> None:
        refused = await self._is_refused(peer)
        if peer not in self._links and peer in self._said_up:
            self._said_up.discard(peer)
            self._post(av.LinkDown(peer, refused))

    async def _is_refused(self, peer: str) -> bool:
        """Does nobody listen there any more? A dying process closes its connections before it stops listening, so one
        look is not enough."""
        entry = self._peers.get(peer)
        if entry is None:
            return False
        where = urlsplit(entry.address)
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                while True:
                    _, writer = await asyncio.open_connection(where.hostname, where.port)
                    writer.close()
                    await asyncio.sleep(PROBE_AGAIN_AFTER)
        except ConnectionRefusedError:
            return True
        except (OSError, TimeoutError):
            return False
