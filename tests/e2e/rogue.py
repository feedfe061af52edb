"""A peer that is none: it has the papers of a node of the array, and says over a link whatever a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from fa.core.array_messages import Hello
from fa.node.authority import TlsFiles, host_of, peer_context
from fa.node.links import LINK_PATH
from fa.node.settings import StateDir, load
from fa.node.wire import PROTOCOL, decode, encode
from tests.e2e import kit

T = TypeVar("T")


class Rogue:
    """Speaks as the node whose state directory it was given, to one other node."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, hello: Hello) -> None:
        self._socket = socket
        self.hello = hello

    async def say(self, message: Any, payload: bytes = b"") -> None:
        await self._socket.send_bytes(encode(message, payload))

    async def hear(self, kind: type[T]) -> T:
        """The next message of this kind. Raises `ConnectionError` with the reason when the link is ended."""
        while True:
            frame = await self._socket.receive()
            if frame.type is not aiohttp.WSMsgType.BINARY:
                raise ConnectionError(str(frame.extra))
            message, _ = decode(frame.data)
            if isinstance(message, kind):
                return message

    async def refused(self) -> str:
        """The reason with which the other end ends the link."""
        try:
            await self.hear(_Nothing)
        except ConnectionError as error:
            return str(error)
        raise AssertionError("nobody says this")


class _Nothing:
    """A message that there is not."""


def as_node(
    state: Path, target: kit.Node, story: Callable[[Rogue], Awaitable[T]], seconds: float = kit.DEADLINE, **changes: Any
) -> T:
    """Dial `target` with the papers in `state`, say Hello with `changes`, and tell the story."""

    async def told() -> T:
        place = StateDir(state)
        settings = load(place)
        context = peer_context(TlsFiles(place.tls))
        server = host_of(settings.array.id, target.name)
        url = f"https://{target.listen}{LINK_PATH}"
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession() as session,
            session.ws_connect(url, ssl=context, server_hostname=server, protocols=(PROTOCOL,)) as socket,
        ):
            rogue = Rogue(socket, replace(_hello(place), **changes))
            await rogue.say(rogue.hello)
            return await story(rogue)

    return asyncio.run(told())


def _hello(place: StateDir) -> Hello:
    settings = load(place)
    identity = json.loads((place.votes / "identity.json").read_text().splitlines()[0])
    return Hello(
        array_id=settings.array.id,
        node=settings.node.name,
        incarnation=identity["incarnation"],
        kind=settings.node.kind,
        rank=settings.node.rank,
        boots=identity["boots"],
        run="a rogue",
        protocol=1,
    )
