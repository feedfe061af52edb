from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fa.errors import Unavailable
from fa.node.authority import (
    Authority,
    Identity,
    TlsFiles,
    host_of,
    identity_in,
    make_request,
    peer_context,
    server_context,
)
from fa.node.certificates import Certificates
from fa.node.troubles import TroubleBook

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
WHO = Identity("array-1", "b", "00ff")


class Site:
    """Node b with a certificate of `BEGAN`; `authority` is that of the coordinator."""

    def __init__(self, root: Path) -> None:
        self.files = TlsFiles(root / "tls")
        self.authority = Authority.create("news", BEGAN)
        self.authority.save(self.files)
        self.files.node.write_bytes(self.issue(make_request(self.files).decode(), BEGAN).encode())
        self.now = BEGAN
        self.book = TroubleBook("node/b", lambda: 0.0)
        self.contexts: list[ssl.SSLContext] = []
        self.away = False
        self.signed = 0
        self.certificates = Certificates(self.files, lambda: self.contexts, self.sign, self.book, lambda: self.now)

    def issue(self, request: str, now: datetime) -> str:
        return self.authority.issue(request.encode(), WHO, ("127.0.0.1",), now).decode()

    async def sign(self, request: str) -> str:
        if self.away:
            raise Unavailable
        self.signed += 1
        return self.issue(request, self.now)

    def days(self, days: int) -> None:
        self.now = BEGAN + timedelta(days=days)

    @property
    def texts(self) -> list[str]:
        return [trouble.text for trouble in self.book.all()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_it_is_renewed_at_two_thirds_of_its_life(site: Site) -> None:
    key = site.files.node_key.read_bytes()
    site.days(200)
    assert await site.certificates.look() and site.signed == 0
    site.days(250)
    assert await site.certificates.look() and site.signed == 1
    assert identity_in(site.files.node.read_bytes()) == WHO and site.files.node_key.read_bytes() == key
    site.days(480)
    assert await site.certificates.look() and site.signed == 1, "the new one has its own life"
    assert site.texts == []


async def test_nobody_signs_it_and_that_is_said_when_the_end_is_near(site: Site) -> None:
    site.away = True
    for day, said in ((250, ""), (340, "and was not renewed"), (400, "ended 2027-01-01")):
        site.days(day)
        assert not await site.certificates.look()
        assert [said in text for text in site.texts] == ([True] if said else []), day
    site.away = False
    assert await site.certificates.look() and site.texts == []


async def test_who_connects_afterwards_is_shown_the_new_one(site: Site) -> None:
    """The listener is not opened anew: nobody's connection is cut for a certificate."""
    listening, dialling = server_context(site.files), peer_context(site.files)
    site.contexts = [listening, dialling]

    async def bye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(bye, "127.0.0.1", 0, ssl=listening)
    port = listener.sockets[0].getsockname()[1]

    async def serial() -> int:
        host = host_of(WHO.array_id, WHO.node)
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=dialling, server_hostname=host)
        shown = writer.get_extra_info("peercert")
        writer.close()
        return int(shown["serialNumber"], 16)

    before = await serial()
    site.days(250)
    await site.certificates.look()
    after = await serial()
    listener.close()
    assert before != after


@pytest.mark.parametrize("wrong", ["text", "node", "authority", "key"])
async def test_what_cannot_take_its_place_is_not_kept(site: Site, tmp_path: Path, wrong: str) -> None:
    """The node would talk to nobody, and not start again."""
    context, before = peer_context(site.files), site.files.node.read_bytes()
    site.contexts = [context]

    def answer(request: str) -> str:
        other = make_request(TlsFiles(tmp_path / "other")).decode() if wrong == "key" else request
        who = Identity("array-1", "c", "00ff") if wrong == "node" else WHO
        authority = Authority.create("news", BEGAN) if wrong == "authority" else site.authority
        return "" if wrong == "text" else authority.issue(other.encode(), who, (), site.now).decode()

    async def sign(request: str) -> str:
        return answer(request)

    site.days(250)
    certificates = Certificates(site.files, lambda: site.contexts, sign, site.book, lambda: site.now)
    assert not await certificates.look()
    assert site.files.node.read_bytes() == before
