"""The asynchronous client: requests and the live stream for the dashboard and `--follow`, on aiohttp."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp

from fa.client.calls import Call
from fa.client.feed import Feed, Live, Relist, Stale
from fa.client.plain import (
    ANSWER_SECONDS,
    BUSY,
    CONNECT_SECONDS,
    STATUS_ERROR,
    Reply,
    encode,
    lost,
    retry_after,
    tls,
    unreachable,
)
from fa.client.problems import BadAnswer, problem
from fa.client.retry import PATIENCE, PAUSE_FIRST, Retry, Trouble, busy
from fa.client.sse import Parser
from fa.client.target import Target, short_path
from fa.errors import FaError

__all__ = ["AsyncClient", "Feed", "Live", "Relist", "Stale"]

STALE_SECONDS = 15.0  # three missed heartbeats of the server (FACES.md section 6)
GONE = 410


class AsyncClient:
    """As `fa.client.plain.Client`, for many requests at once in one event loop. Use it as a context manager."""

    def __init__(
        self,
        target: Target,
        *,
        patience: float = PATIENCE,
        stale_seconds: float = STALE_SECONDS,
        new_key: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.target = target
        self.node = ""
        self.last_id = ""  # of the stream
        self._patience, self._stale, self._new_key = patience, stale_seconds, new_key
        self._door = 0
        self._opened = False
        self._short: Any = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS)
        connector: aiohttp.BaseConnector
        if self.target.urls:
            connector = aiohttp.TCPConnector(ssl=tls(self.target.cafile))
        else:
            self._short = short_path(self.target.socket)
            connector = aiohttp.UnixConnector(self._short.__enter__())
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
        if self._short is not None:
            self._short.__exit__(None, None, None)

    async def send(self, call: Call) -> Any:
        """The JSON value that ``call`` is answered with. Raises as `fa.client.plain.Client.send` does."""
        return (await self.reply(call)).json()

    async def reply(self, call: Call) -> Reply:
        headers = self._headers(call)
        retry = Retry(self.target.doors, self._door, self._opened, time.monotonic(), self._patience, call.once)
        while True:
            reply, trouble, error = await self._once(call, headers, retry.door)
            if reply is not None and trouble is None:
                self._door = retry.door
                return reply
            assert trouble is not None and error is not None, "a try either answers or says what went wrong"
            wait = retry.after(trouble, time.monotonic(), retry_after(reply.headers) if reply else 0.0)
            if wait is None:
                raise error
            await asyncio.sleep(wait)

    async def _once(
        self, call: Call, headers: Mapping[str, str], door: int
    ) -> tuple[Reply | None, Trouble | None, FaError | None]:
        try:
            async with self._request(call.method, call.target, door, headers, encode(call)) as answer:
                reply = Reply(answer.status, dict(answer.headers), await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            trouble = self._trouble(error, door)
            told = unreachable if trouble is Trouble.REFUSED else lost
            return None, trouble, told(self.target, door, error)
        self._opened, self.node = True, reply.headers.get("Fa-Node", "")
        if reply.status == BUSY:
            return reply, busy(reply.headers), problem(reply.status, reply.body, reply.headers)
        if reply.status >= STATUS_ERROR:
            raise problem(reply.status, reply.body, reply.headers)
        return reply, None, None

    def _trouble(self, error: Exception, door: int) -> Trouble:
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            raise BadAnswer(f"{self.target.door(door)} shows a certificate that is not of this array.") from None
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return Trouble.REFUSED
        self._opened = True
        return Trouble.LOST

    def _request(
        self, method: str, target: str, door: int, headers: Mapping[str, str], data: bytes | None = None, **more: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        assert self._session is not None, "use the client as a context manager"
        base = self.target.urls[door] if self.target.urls else "http://fa"
        return self._session.request(method, base + target, headers=headers, data=data, **more)

    def _headers(self, call: Call) -> dict[str, str]:
        headers = {"Accept": "application/json", **call.headers}
        if self.target.token:
            headers["Authorization"] = f"Bearer {self.target.token}"
        if call.writes:
            headers.setdefault("Idempotency-Key", self._new_key())
        if encode(call) is not None:
            headers["Content-Type"] = call.media
        return headers

    async def stream(self, topics: Sequence[str] = (), since: str = "", query: str = "") -> AsyncIterator[Feed]:
        """What happens in the array, for ever: goes to the next node when one dies, resumes after the last id.

        Raises only what trying again cannot help: `Unauthorized`, `Forbidden`, `Invalid`, and `Unreachable` when no
        node ever answered. Between nodes it yields `Stale`, then `Live`; and `Relist` after `Live`, not before, when
        the stream could not be resumed: a list that is read once it is open misses nothing."""
        self.last_id = since
        begun = False
        wanted = {"topics": ",".join(topics), "q": query}
        target = "/v1/stream?" + urlencode({key: value for key, value in wanted.items() if value})
        retry = Retry(self.target.doors, self._door, self._opened, time.monotonic(), float("inf"))
        while True:
            trouble, error = Trouble.LOST, "the stream ended"
            try:
                resumed = bool(self.last_id) or not begun
                async with self._open_stream(target, retry.door) as answer:
                    if answer.status == GONE:
                        self.last_id, begun = "", True
                        await asyncio.sleep(PAUSE_FIRST)
                        continue
                    await self._admit(answer)
                    self._door, self._opened, begun = retry.door, True, True
                    retry = Retry(self.target.doors, self._door, True, time.monotonic(), float("inf"))
                    yield Live(answer.headers.get("Fa-Node", ""))
                    if not resumed:
                        yield Relist()
                    async for event in self._events(answer):
                        yield event
            except _Busy as busy:
                trouble, error = Trouble.BUSY, str(busy)
            except (aiohttp.ClientError, TimeoutError, OSError) as caught:
                trouble, error = self._trouble(caught, retry.door), str(caught) or "nothing was heard"
            wait = retry.after(trouble, time.monotonic())
            if wait is None:
                raise unreachable(self.target, retry.door, OSError(error))
            yield Stale(error)
            await asyncio.sleep(wait)

    def _open_stream(self, target: str, door: int) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = self._headers(Call("GET", target)) | {"Accept": "text/event-stream"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=self._stale)
        return self._request("GET", target, door, headers, timeout=timeout)

    async def _admit(self, answer: aiohttp.ClientResponse) -> None:
        """Pass an open stream; raise `_Busy` for a node that cannot serve it now, else what the problem names."""
        if answer.status == BUSY:
            raise _Busy(problem(answer.status, await answer.read()).detail)
        if answer.status >= STATUS_ERROR:
            raise problem(answer.status, await answer.read(), dict(answer.headers))

    async def _events(self, answer: aiohttp.ClientResponse) -> AsyncIterator[Feed]:
        parser = Parser()
        async for chunk in answer.content.iter_any():
            for event in parser.feed(chunk):
                self.last_id = event.id or self.last_id
                if event.name == "overflow":
                    yield Relist()
                yield event


class _Busy(Exception):
    """The node is there, but cannot serve the stream now."""
