"""Notices to real servers on loopback: HTTP and SMTP, by the helper process as a node runs it."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fa.core.alarms import Notice
from fa.core.mailroom import Letter
from fa.node.helper import Helper, helper_command
from fa.node.postman import question
from fa.node.settings import Alerts

WAIT = 120.0  # seconds; Apprise takes a while to load on a busy machine
HOSTILE = "clip\r\nBcc: all@news\x1b[31m\u202e.mxf"


@dataclass
class Server:
    """Takes connections, answers as `talk` says, and keeps what it was sent."""

    port: int = 0
    got: list[Any] = field(default_factory=list)


@asynccontextmanager
async def listening(talk: Callable[[Server, asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[Server]:
    server = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(server, reader, writer)
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


def http(answer: str = "204 No Content", more: str = "") -> Any:
    async def talk(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        server.got.append(Request(head[0], headers, body))
        writer.write(f"HTTP/1.1 {answer}\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()

    return talk


async def smtp(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As much of RFC 5321 as a mail needs."""
    writer.write(b"220 test\r\n")
    mail: list[bytes] = []
    while line := await reader.readline():
        verb = line.strip().split(b" ")[0].upper()
        if verb == b"DATA":
            writer.write(b"354 go on\r\n")
            while (line := await reader.readline()) not in (b".\r\n", b""):
                mail.append(line)
            server.got.append(b"".join(mail))
            writer.write(b"250 taken\r\n")
        elif verb == b"QUIT":
            writer.write(b"221 bye\r\n")
            return
        else:
            writer.write(b"250 fine\r\n")
        await writer.drain()


async def deliver(url: str, *notices: Notice, own: bool = True, hosts: tuple[str, ...] = ()) -> str:
    """Through the helper process; why it was not delivered, or ""."""
    helper = Helper(helper_command("notify"))
    try:
        letter = Letter(url, notices or (NOTICE,), own)
        asked = question(letter, Alerts(hosts=hosts), "news", "0f3a9c11-0000", 1_790_000_000_500)
        return str((await helper.ask(asked, WAIT))["why"])
    finally:
        await helper.close()


NOTICE = Notice(7, 1_790_000_000_123, "job.failed", "error", "job/17", f"proxy: san:in/{HOSTILE}: moov atom not found")


async def test_a_webhook_is_json_with_a_signature_that_holds() -> None:
    async with listening(http()) as server:
        assert await deliver(f"webhook+http://:s%40crt@127.0.0.1:{server.port}/in?x=1") == ""
    (got,) = server.got
    content = json.loads(got.body)
    assert got.line == "POST /in?x=1 HTTP/1.1" and content["id"] == got.headers["fa-notice-id"] == "0f3a9c11-7"
    assert content["text"] == r"proxy: san:in/clip\x0d\x0aBcc: all@news\x1b[31m\u202e.mxf: moov atom not found"
    assert (content["array"], content["at"], content["subject"]) == ("news", "2026-09-21T14:13:20.123Z", "job/17")
    assert got.headers["fa-timestamp"] == "1790000000"
    signed = hmac.new(b"s@crt", b"1790000000.0f3a9c11-7." + got.body, "sha256").hexdigest()
    assert got.headers["fa-signature"] == f"sha256={signed}"
    assert "s@crt" not in got.line + str(got.headers) and "authorization" not in got.headers


async def test_a_digest_holds_each_with_its_own_id() -> None:
    async with listening(http()) as server:
        more = Notice(8, 1_790_000_000_123, "node.lost", "error", "node/b", "silent")
        assert await deliver(f"webhook+http://127.0.0.1:{server.port}", NOTICE, more) == ""
    content = json.loads(server.got[0].body)
    assert (content["id"], content["kind"], content["count"]) == ("0f3a9c11-7-8", "digest", 2)
    assert [item["id"] for item in content["items"]] == ["0f3a9c11-7", "0f3a9c11-8"]
    assert "fa-signature" not in server.got[0].headers, "there was no secret to sign with"


def moved(other: Server) -> Any:
    return http("302 Found", f"Location: http://127.0.0.1:{other.port}/\r\n")


async def test_a_redirect_is_not_followed() -> None:
    async with listening(http()) as other, listening(moved(other)) as server:
        assert await deliver(f"webhook+http://127.0.0.1:{server.port}/") == "it answered HTTP 302"
        assert await deliver(f"json://127.0.0.1:{server.port}/") != ""
    assert len(server.got) == 2 and other.got == []


async def test_apprise_takes_the_others() -> None:
    async with listening(http("200 OK")) as server:
        assert await deliver(f"json://127.0.0.1:{server.port}/hook") == ""
    content = json.loads(server.got[0].body)
    assert content["title"] == "[news] job.failed job/17" and content["type"] == "failure"
    assert r"clip\x0d\x0aBcc: all@news\x1b[31m\u202e.mxf" in content["message"]
    assert content["message"].endswith("array news, notice 0f3a9c11-7")


async def test_a_mail_has_one_subject_and_no_header_that_a_file_name_made() -> None:
    async with listening(smtp) as server:
        url = f"mailto://127.0.0.1:{server.port}?from=fa@news.hall&to=desk@news.hall&mode=insecure"
        assert await deliver(url) == ""
    head, _, _ = server.got[0].partition(b"\r\n\r\n")
    names = [line.split(b":")[0].lower() for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert names.count(b"subject") == 1 and b"bcc" not in names


async def test_why_it_was_not_delivered_holds_no_secret() -> None:
    async with listening(http("500 No")) as server:
        why = await deliver(f"json://user:hunter2@127.0.0.1:{server.port}/token4711")
    assert "500" in why and "hunter2" not in why and "token4711" not in why


@pytest.mark.parametrize("url", ["webhook+http://127.0.0.1:PORT/in/token 4711", "webhook+http://127.0.0.1:token4711/"])
async def test_a_webhook_that_is_written_wrongly_is_not_quoted(url: str) -> None:
    async with listening(http()) as server:
        assert await deliver(url.replace("PORT", str(server.port))) == "its URL cannot be sent as it is written"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("webhook+http://127.0.0.1:1/x", "coordinator itself"),
        ("json://127.0.0.1:1/x", "coordinator itself"),
        ("syslog://", "may not use"),
    ],
)
async def test_a_factory_cannot_make_the_coordinator_talk_to_itself(url: str, why: str) -> None:
    assert why in await deliver(url, own=False)


@pytest.mark.parametrize(
    ("url", "hosts", "why"),
    [
        ("lametric://key@127.0.0.1:PORT", (), "coordinator itself"),  # a service that `BY_HOST` does not know
        ("misskey://token@127.0.0.1:PORT", (), "coordinator itself"),
        ("json://192.0.2.1:1/ json://127.0.0.1:PORT/", (), "coordinator itself"),  # Apprise takes several in one text
        ("json://x@127.0.0.1:PORT@mail.hall/", ("mail.hall",), "alerts.hosts"),  # and reads this one otherwise
        ("mailto://u:p@mail.hall?smtp=127.0.0.1&port=PORT&to=a@b.news&mode=insecure", ("mail.hall",), "alerts.hosts"),
        ("discord://4711/abcd?template=http://127.0.0.1:PORT/t.json", ("discord://",), "coordinator itself"),
    ],
)
async def test_what_hides_in_a_target_of_a_factory_is_not_connected_to(
    url: str, hosts: tuple[str, ...], why: str
) -> None:
    """Lists of services and a look at the URL are not enough: what counts is where it leads."""
    met: list[str] = []

    async def talk(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(url)

    async with listening(talk) as server:
        said = await deliver(url.replace("PORT", str(server.port)), own=False, hosts=hosts)
    assert (met, why in said) == ([], True), said


async def test_a_factory_sends_to_what_is_listed() -> None:
    async with listening(http("200 OK")) as server:
        assert await deliver(f"json://localhost:{server.port}/in", own=False, hosts=("localhost",)) == ""
        assert await deliver(f"lametric://key@127.0.0.1:{server.port}", own=False, hosts=("127.0.0.1",)) == ""
    assert len(server.got) == 2


async def test_a_factory_names_no_file_of_the_coordinator(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"content": "canary"}')
    why = await deliver(f"discord://4711/abcd?template={secret}", own=False, hosts=("discord://",))
    assert why == "a factory may not name files of the coordinator"


async def test_what_nobody_knows_and_who_does_not_answer() -> None:
    assert "does not know" in await deliver("nosuchservice://x/y")
    assert "ConnectionRefusedError" in await deliver("webhook+http://127.0.0.1:1/")
