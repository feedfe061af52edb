"""Two ends of a peer link on loopback, with real TLS: who is let in, who is dropped, and what each side is told."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from fa.core import array_events as av
from fa.core.array_messages import Append, Beat, Hello, Ok, Stored
from fa.core.position import EMPTY, Position
from fa.core.view import Member, View
from fa.errors import FaError
from fa.node import links as module
from fa.node import wire
from fa.node.authority import (
    Authority,
    Identity,
    TlsFiles,
    identity_of,
    make_request,
    peer_context,
    server_context,
    write_file,
)
from fa.node.links import Links
from fa.node.wire import RosterEntry, decode, encode
from fa.replication.envelope import Envelope

ARRAY = "arr-1"
DEADLINE = 30.0


class End:
    """One process: its links, where it listens, and all that its core is told."""

    def __init__(self, name: str, index: int, files: TlsFiles, run: str = "") -> None:
        self.name, self.index, self.files = name, index, files
        self.told: list[Any] = []
        self.refusals: list[str] = []
        self.links = Links(
            array_id=ARRAY, name=name, index=index, context=peer_context(files), post=self.told.append,
            hello=lambda: Hello(ARRAY, name, f"{name}.1", "data", 0, 1, run or f"{name}-run", 1),
            arrived=lambda *_: None, on_roster=lambda *_: None, refused=self.refusals.append,
        )  # fmt: skip
        self.handle: Callable[[web.BaseRequest], Any] = self._accept
        self._server: asyncio.Server | None = None
        self.port = 0

    async def _accept(self, request: web.BaseRequest) -> web.StreamResponse:
        identity = identity_of(request.transport.get_extra_info("peercert"))
        try:
            return await self.links.accept(request, identity.node)
        except FaError as error:
            return web.Response(status=error.status)

    async def listen(self) -> None:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self.handle(request)

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            web.Server(handle), "127.0.0.1", self.port, ssl=server_context(self.files)
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def in_life(self, incarnation: str) -> RosterEntry:
        return replace(self.entry, incarnation=incarnation)

    @property
    def entry(self) -> RosterEntry:
        return RosterEntry(self.name, f"https://127.0.0.1:{self.port}", "data", self.index)

    def stop_listening(self) -> None:
        self._server.close()

    async def close(self) -> None:
        await self.links.close()
        if self._server:
            self._server.close()

    def was_told(self, kind: type) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def two(root: Path) -> AsyncIterator[tuple[End, End]]:
    """a, which dials, and b, which listens; they do not know each other yet."""
    authority, now = Authority.create("news", datetime.now(UTC)), datetime.now(UTC)

    def end(name: str, index: int, run: str = "") -> End:
        files = TlsFiles(root / name)
        certificate = authority.issue(make_request(files), Identity(ARRAY, name, "i1"), ("127.0.0.1",), now)
        write_file(files.node, certificate, 0o644)
        write_file(files.ca, authority.pem, 0o644)
        return End(name, index, files, run)

    a, b = end("a", 1), end("b", 2)
    await b.listen()
    try:
        yield a, b
    finally:
        await a.close()
        await b.close()


def introduce(*ends: End) -> None:
    members = {end.name: end.entry for end in ends}
    for end in ends:
        end.links.know(members)


async def linked(a: End, b: End) -> None:
    introduce(a, b)
    await until(lambda: a.links.up == ("b",) and b.links.up == ("a",))


async def test_both_ways_and_in_order(tmp_path):
    async with two(tmp_path) as (a, b):
        await linked(a, b)
        assert [event.peer for event in b.was_told(av.LinkUp)] == ["a"]
        sent = [Stored(7, "a.1", Position(txid, txid), txid, 1) for txid in range(50)]
        for message in sent:
            a.links.send("b", message)
        b.links.send("a", Ok())
        await until(lambda: len(b.was_told(av.Received)) == 50 and a.was_told(av.Received))
        assert [event.message for event in b.was_told(av.Received)] == sent


async def test_who_is_turned_away_at_the_door_of_the_api_is_told(tmp_path, monkeypatch):
    """A node knows its members by their certificates before it looks at where a request goes."""

    async def turned_away(given):
        raise web.HTTPUnauthorized

    monkeypatch.setattr(Links, "accept", lambda self, *given: turned_away(given))
    async with two(tmp_path) as (a, b):
        a.links.know({"b": b.entry})
        await until(lambda: a.was_told(av.NotLetIn))
        assert a.was_told(av.NotLetIn)[0] == av.NotLetIn("b", "it knows no node a")


async def test_who_is_not_a_member_is_not_let_in_and_told(tmp_path):
    async with two(tmp_path) as (a, b):
        a.links.know({"b": b.entry})
        await until(lambda: a.was_told(av.NotLetIn))
        assert a.was_told(av.NotLetIn)[0] == av.NotLetIn("b", "it knows no node a")
        assert not b.told and b.links.up == ()


async def test_who_had_the_name_before_is_not_let_in_and_not_dialled(tmp_path):
    """It was removed, and another server is a member under its name; both certificates are the array's."""
    async with two(tmp_path) as (a, b):
        b.links.know({"a": a.in_life("i2")})
        a.links.know({"b": b.entry})
        await until(lambda: a.was_told(av.NotLetIn))
        assert b.links.up == () and not b.told
        b.links.know({"a": a.in_life("i1")})
        await until(lambda: a.links.up == ("b",) and b.links.up == ("a",))
        a.links.know({"b": b.in_life("i2")})
        await until(lambda: a.links.up == () and b.links.up == ())
        told = len(a.was_told(av.LinkUp))
        dials, dial = [], a.links._dial
        a.links._dial = lambda peer: dials.append(peer) or dial(peer)
        await until(lambda: len(dials) >= 3)
        assert len(a.was_told(av.LinkUp)) == told
        a.links.know({"b": b.in_life("i1")})
        await until(lambda: a.links.up == ("b",))


async def test_a_second_process_of_one_name_is_refused_and_the_first_stays(tmp_path):
    async with two(tmp_path) as (a, b):
        await linked(a, b)
        clone = End("a", 1, a.files, run="another run")
        clone.links.know({"b": b.entry})
        try:
            await until(lambda: clone.was_told(av.NotLetIn))
            assert "second process runs as a" in clone.was_told(av.NotLetIn)[0].reason
            assert "second process runs as a" in b.refusals[0]
            assert not clone.was_told(av.LinkUp) and not b.was_told(av.LinkDown)
            a.links.send("b", Ok())
            await until(lambda: b.was_told(av.Received))
        finally:
            await clone.close()


async def test_who_was_not_there_is_dialled_again_until_he_is(tmp_path):
    async with two(tmp_path) as (a, b):
        b.stop_listening()
        dials, dial = [], a.links._dial
        a.links._dial = lambda peer: dials.append(peer) or dial(peer)
        introduce(a, b)
        await until(lambda: len(dials) >= 4)
        assert not a.told
        await b.listen()
        await until(lambda: a.links.up == ("b",))


async def test_a_peer_that_does_not_read_loses_its_link(tmp_path, monkeypatch):
    """Its outbox is bounded: this node neither waits for it nor keeps what it does not take."""
    monkeypatch.setattr(module, "OUTBOX_BYTES_MAX", 1 << 20)
    async with two(tmp_path) as (a, b):

        async def deaf(request: web.BaseRequest) -> web.StreamResponse:
            socket = web.WebSocketResponse(protocols=(module.PROTOCOL,), compress=False, autoping=False)
            await socket.prepare(request)
            await socket.send_bytes(encode(Hello(ARRAY, "b", "b.1", "data", 0, 1, "b-run", 1)))
            decode((await socket.receive()).data)
            request.transport.pause_reading()
            await asyncio.Event().wait()  # it never reads again
            return socket

        b.handle = deaf
        introduce(a, b)
        await until(lambda: a.links.up == ("b",))
        view = View(1024, "a", tuple(Member(f"n{i}", "x" * 4000) for i in range(16)), (), ())
        sent = 0
        while a.links.up == ("b",) and sent < 4000:
            a.links.send("b", Beat(view, 1, EMPTY, False))
            sent += 1
            await asyncio.sleep(0)
        await until(lambda: a.was_told(av.LinkDown))
        assert sent < 4000, "it was not dropped for being slow, but for the bound"


@pytest.mark.parametrize("over", [0, 1])
async def test_a_segment_goes_over_a_link_or_is_said_to_be_missing(tmp_path, monkeypatch, over):
    """One that is too large for a frame cost the link at each try, and was tried for ever."""
    for place in (wire, module):
        monkeypatch.setattr(place, "FRAME_BYTES_MAX", 1 << 20)
    segment = Envelope(str(UUID(int=1)), 7, 1, 2, 2, 1, 2, 0), bytes((1 << 20) - wire.BESIDE_BYTES + over)
    payload = wire.payload_of(segment)
    assert (payload is None) == (over > 0)
    assert wire.payload_of(None) is None
    async with two(tmp_path) as (a, b):
        await linked(a, b)
        if payload:
            a.links.send("b", Append(7, Position(1, 1), Position(2, 2), 7, EMPTY), payload)
        a.links.send("b", Ok())
        await until(lambda: len(b.was_told(av.Received)) == (1 if over else 2))
        assert not b.was_told(av.LinkDown)


async def test_what_arrives_nowhere_is_given_up_at_both_ends(tmp_path):
    """A line that is cut for long and healed must not wait for the next try of TCP, which may be a minute away."""
    async with two(tmp_path) as (a, b):
        await linked(a, b)
        for end, peer in ((a, "b"), (b, "a")):
            connection = end.links._links[peer].socket.get_extra_info("socket")
            assert 0 < connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 5000


async def test_who_dials_again_need_not_wait_for_the_end_of_the_old_link(tmp_path):
    """The line is dead for the end that listens: nobody answers its goodbye."""
    async with two(tmp_path) as (a, b):
        await linked(a, b)
        old, over = b.links._links["a"], asyncio.Event()

        async def unanswered(**_: Any) -> bool:
            return await over.wait()

        old.socket.close = unanswered
        again = End("a", 1, a.files)
        again.links.know({"b": b.entry})
        try:
            await until(lambda: again.links.up == ("b",))
        finally:
            over.set()
            await again.close()


async def test_a_dead_process_is_told_from_a_broken_line(tmp_path):
    async with two(tmp_path) as (a, b):
        await linked(a, b)
        b.stop_listening()
        await b.links.close()
        await until(lambda: a.was_told(av.LinkDown))
        assert a.was_told(av.LinkDown) == [av.LinkDown("b", refused=True)]


async def test_a_broken_link_to_who_still_listens_is_no_death(tmp_path):
    async with two(tmp_path) as (a, b):
        await linked(a, b)
        b.links.drop("a")
        await until(lambda: len(a.was_told(av.LinkUp)) == 2)
        assert a.was_told(av.LinkDown) == [av.LinkDown("b", refused=False)]


async def test_another_array_is_not_taken(tmp_path):
    async with two(tmp_path) as (a, b):
        other = Authority.create("other", datetime.now(UTC))
        files = TlsFiles(tmp_path / "stranger")
        certificate = other.issue(make_request(files), Identity(ARRAY, "a", "i1"), ("127.0.0.1",), datetime.now(UTC))
        write_file(files.node, certificate, 0o644)
        write_file(files.ca, other.pem, 0o644)
        stranger = End("a", 1, files)
        b.links.know({"a": a.entry})
        stranger.links.know({"b": b.entry})
        try:
            with pytest.raises(ssl.SSLError):
                reader = await asyncio.open_connection(
                    "127.0.0.1", b.port, ssl=stranger.links._context, server_hostname=f"b.{ARRAY}.fa"
                )
                await reader[0].read(1)
            assert not b.told and not stranger.told
        finally:
            await stranger.close()
