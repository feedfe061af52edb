"""Asking the coordinator on behalf of a client of this node.

A request is sent on with this node's own certificate. A bearer token goes along as it is: who knows tokens is the
coordinator. For a user of the Unix socket the node says the role and name itself, which is believed from a member of
the array only. Bodies of requests are small and kept, so that a request can be sent again when a coordinator died over
it; bodies of answers are passed on as they come.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from yarl import URL

from fa.errors import Unavailable
from fa.node.api.auth import VIA, WHO
from fa.node.api.call import Call
from fa.node.api.problems import NotCoordinator
from fa.node.authority import host_of
from fa.node.gateway import Gateway

CONNECT_SECONDS = 2.0
SILENCE_SECONDS = 30.0  # of an answer that has begun: streams of events say something every five seconds
LOOK_SECONDS = 0.1  # how often a waiting request looks whether the coordinator is still the one it asked
SMALL_BYTES = 1 << 20  # answers up to this are taken whole before a byte is passed on: then it can still be retried
STRANGER = "It joins at this moment, or it was removed: then ask another node, and stop this one."
UNDONE = "Fa-Undone"  # in a 503: nothing was begun, any request may be sent again

# What belongs to one connection (RFC 9110 section 7.6.1), and what is said anew or must not be said by a client.
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"}
    | {"transfer-encoding", "upgrade"}
)
NOT_SENT_ON = HOP_BY_HOP | {
    "host",
    "authorization",
    "content-length",
    "expect",
    WHO.lower(),
    VIA.lower(),
    "fa-request-id",
}
NOT_PASSED_BACK = HOP_BY_HOP | {"server", "date", "content-length"}


_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)  # the rest is timed here


class Lost(Unavailable):
    """The coordinator went away over this request; it may have been done or not. Send it again with the same
    Idempotency-Key."""


class Forwarder:
    """Keeps connections to other nodes. ``node`` is this node's name."""

    def __init__(self, context: ssl.SSLContext, array_id: str, node: str) -> None:
        self._array_id, self._node = array_id, node
        connector = aiohttp.TCPConnector(ssl=context, limit=0, keepalive_timeout=15.0)
        skip = ("Accept-Encoding", "User-Agent")  # the client says what it takes, not we
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False, skip_auto_headers=skip)

    async def close(self) -> None:
        await self._session.close()

    async def to_coordinator(self, call: Call, patience_seconds: float) -> web.StreamResponse:
        """Raises `NotCoordinator` when nothing was done, `Lost` when that cannot be known."""
        standing = call.gateway.standing()
        if standing.coordinator is None or not standing.coordinator_url:
            raise NotCoordinator("The array has no coordinator at the moment.", hint=standing.why or "Try again soon.")
        asked = standing.coordinator

        def moved() -> bool:
            return call.gateway.standing().coordinator != asked

        url = standing.coordinator_url + call.request.rel_url.raw_path_qs
        return await self._to(call, asked, url, self._client_headers(call), patience_seconds, moved)

    async def to_node(self, call: Call, node: str, url: str, patience_seconds: float) -> web.StreamResponse:
        """Ask another node in this node's own name, and pass its answer on."""
        lost = partial(is_lost, call.gateway, node)
        return await self._to(call, node, url, self._own_headers(call), patience_seconds, lost)

    async def ask_node(self, call: Call, node: str, url: str, body: Any, patience_seconds: float) -> Any:
        """The JSON with which another node answers this one. Raises `Unavailable` for anything but a good answer."""
        timeout = aiohttp.ClientTimeout(total=patience_seconds, sock_connect=CONNECT_SECONDS)
        headers = {VIA: self._node, "Fa-Request-Id": call.request_id, "Content-Type": "application/json"}
        host, data = host_of(self._array_id, node), msgspec.json.encode(body)
        try:
            async with self._session.post(
                url, data=data, headers=headers, server_hostname=host, timeout=timeout
            ) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"Node {node} did not answer ({str(error) or type(error).__name__}).") from None
        if answer.status != 200:
            raise Unavailable(f"Node {node} answered {answer.status}: {_detail(raw) or 'no more is known'}")
        return msgspec.json.decode(raw)

    def _own_headers(self, call: Call) -> list[tuple[str, str]]:
        kept = [(name, value) for name, value in call.headers.items() if name.lower() not in NOT_SENT_ON]
        return [*kept, (VIA, self._node), ("Fa-Request-Id", call.request_id)]

    def _client_headers(self, call: Call) -> list[tuple[str, str]]:
        """With who asks: known here (the Unix socket), or a token that the coordinator will judge."""
        headers = self._own_headers(call)
        if call.who.name:
            headers.append((WHO, f"{call.who.role} {call.who.name}"))
        elif "Authorization" in call.headers:
            headers.append(("Authorization", call.headers["Authorization"]))
        if call.route.keyed and "Idempotency-Key" not in call.headers:
            # A key of our own: only so can it be tried again without doing it twice, by whoever leads then: also here.
            call.own_key = f"{self._node}-{call.key}"
            headers.append(("Idempotency-Key", call.own_key))
        return headers

    async def _to(
        self,
        call: Call,
        node: str,
        url: str,
        headers: list[tuple[str, str]],
        patience_seconds: float,
        moved: Callable[[], bool],
    ) -> web.StreamResponse:
        sent = self._session.request(
            call.request.method,
            URL(url, encoded=True),
            headers=headers,
            data=call.raw or None,
            allow_redirects=False,
            timeout=_TIMEOUT,
            server_hostname=host_of(self._array_id, node),  # TLS refuses any other node before it is told anything
        )
        try:
            async with asyncio.timeout(patience_seconds):
                answer = await _unless(moved, sent)
        except aiohttp.ClientConnectorError as error:
            raise NotCoordinator(f"Node {node} cannot be reached: {error.strerror or error}.") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Lost(f"Node {node} did not answer ({type(error).__name__}).") from None
        try:
            return await self._pass_on(call, answer, moved)
        finally:
            answer.release()

    async def _pass_on(
        self, call: Call, answer: aiohttp.ClientResponse, gone: Callable[[], bool]
    ) -> web.StreamResponse:
        if answer.status == 401 and call.who.name:  # who asks is known here: it is this node that is not
            raise NotCoordinator(f"The array does not know this node {self._node} (any more).", hint=STRANGER)
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_PASSED_BACK}
        headers |= {VIA: self._node, "Server": "fa"}
        size = answer.content_length
        if call.request.method == "HEAD" or answer.status in (204, 304):
            return web.Response(status=answer.status, headers=headers)
        if size is not None and size <= SMALL_BYTES:
            return await self._small(answer, headers)
        return await _stream(call, answer, headers, gone)

    async def _small(self, answer: aiohttp.ClientResponse, headers: Mapping[str, str]) -> web.StreamResponse:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise Lost from None
        if answer.status == 503:
            raise (NotCoordinator if UNDONE in answer.headers else Lost)(_detail(body))
        return web.Response(status=answer.status, headers=headers, body=body)


def _detail(body: bytes) -> str | None:
    """What the problem of another node says."""
    try:
        return str(msgspec.json.decode(body)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return None


async def _stream(
    call: Call, answer: aiohttp.ClientResponse, headers: Mapping[str, str], gone: Callable[[], bool]
) -> web.StreamResponse:
    """Pass an answer on as it comes. When its source breaks off, so does it: the client must not take it as whole."""
    response = web.StreamResponse(status=answer.status, headers=headers)
    if answer.content_length is not None:
        response.content_length = answer.content_length
    await response.prepare(call.request)
    try:
        async for chunk in _chunks(call, answer, gone):
            await response.write(chunk)
    except (aiohttp.ClientError, TimeoutError):
        response.force_close()
        if call.request.transport is not None:
            call.request.transport.abort()
        raise ConnectionResetError("the coordinator went away in the middle of an answer") from None
    await response.write_eof()
    return response


async def _chunks(call: Call, answer: aiohttp.ClientResponse, gone: Callable[[], bool]) -> AsyncIterator[bytes]:
    """What comes, until it ends; raises `TimeoutError` after silence. That of a log only counts when the node that has
    it is gone, or who reads it: ffmpeg says nothing for hours while all is well."""
    while True:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                chunk = await answer.content.readany()
        except TimeoutError:
            if not call.route.silent or gone() or call.request.transport is None:
                raise
            continue
        if not chunk:
            return
        yield chunk


def is_lost(gateway: Gateway, name: str) -> bool:
    """Is no node of that name there, by what this one knows?"""
    return not any(node.view.name == name and node.state != "lost" for node in gateway.nodes())


async def _unless(moved: Callable[[], bool], work: Any) -> Any:
    """The result of ``work``, unless ``moved()`` comes true before: then `Lost`."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_SECONDS)
            if not task.done() and moved():
                raise Lost
        return task.result()
    finally:
        task.cancel()
