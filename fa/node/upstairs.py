"""Asking the coordinator in this node's own name: over HTTP with the certificate of the node, as other nodes do."""

from __future__ import annotations

import ssl
from typing import Any, TypeVar

import aiohttp
import msgspec

from fa.errors import FaError, Unavailable
from fa.node.authority import host_of

T = TypeVar("T")
SECONDS = 10.0
ANSWER_BYTES_MAX = 1 << 20


class Refused(FaError):
    """The coordinator did not do what this node asked of it."""

    code = "refused"


class Upstairs:
    def __init__(self, array_id: str, context: ssl.SSLContext) -> None:
        self._array_id = array_id
        self._context = context

    async def post(self, node: str, address: str, path: str, body: Any, answer: type[T]) -> T:
        """Raises `Unavailable` when nobody answers in time, `Refused` for any other answer than a good one."""
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        host = host_of(self._array_id, node)
        data = msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    address + path, data=data, headers=headers, ssl=self._context, server_hostname=host
                ) as response,
            ):
                raw = await response.content.read(ANSWER_BYTES_MAX)
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"Node {node} does not answer: {error or type(error).__name__}.") from None
        if status >= 400:
            raise (Unavailable if status == 503 else Refused)(f"Node {node} answered {status}: {raw[:200]!r}.")
        return msgspec.json.decode(raw, type=answer)
