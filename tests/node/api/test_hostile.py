"""What comes from outside and is not what it should be: a clear problem each, and the node is fine afterwards."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import msgspec
import psutil
import pytest
import pytest_asyncio

from fa.node.api.route import Route
from fa.node.api.routes import ROUTES
from fa.node.settings import Limits
from tests.node.api.fake import Site, site, until

SMALL = Limits(body_bytes=4096, batch_bytes=16384, connections=8, connections_per_address=4, body_seconds=0.2)


@pytest_asyncio.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, limits=SMALL) as running:
        running.add_factory()
        yield running


async def raw(running: Site, data: bytes) -> bytes:
    """Send bytes over the Unix socket; everything that is answered until the end."""
    reader, writer = await asyncio.open_unix_connection(running.local.connector.path)  # type: ignore[union-attr]
    writer.write(data)
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    return answer


def post(body: bytes, *headers: bytes, path: bytes = b"/v1/jobs") -> bytes:
    length = [] if any(b"Transfer" in header for header in headers) else [b"Content-Length: %d" % len(body)]
    lines = [b"POST %b HTTP/1.1" % path, b"Host: fa", b"Connection: close", *length, *headers, b"", body]
    return b"\r\n".join(lines)


def problem(answer: bytes) -> tuple[int, dict[str, object]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer[:500]
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /v1/jobs HTTP/1.1\r\nHost: fa\r\nX: " + b"x" * 40000 + b"\r\n\r\n", 400),
        (b"GET /" + b"x" * 40000 + b" HTTP/1.1\r\nHost: fa\r\n\r\n", 400),
        (b"GET /v1/jobs HTTP/1.1\r\nHost: fa\r\n" + b"X: y\r\n" * 500 + b"\r\n", 400),
        (b"GET /nothing HTTP/1.1\r\nHost: fa\r\nConnection: close\r\n\r\n", 404),
        (b"GET /v1/jobs/../tokens HTTP/1.1\r\nHost: fa\r\nConnection: close\r\n\r\n", 404),
        (b"TRACE /v1/jobs HTTP/1.1\r\nHost: fa\r\nConnection: close\r\n\r\n", 405),
        (post(b""), 400),
        (post(b"{"), 400),
        (post(b'{"source": "\xff", "factory": "proxy"}'), 400),
        (post(b'{"source": "\\ud800", "factory": "proxy"}'), 400),
        (post(b"[" * 4000), 400),
        (post(b'{"source":' + b"[" * 4000), 400),
        (post(b"x", b"Content-Encoding: gzip"), 415),
        (post(b" " * 5000), 413),
        (post(b"", b"Content-Length: -1"), 400),
        (post(b"zz\r\n", b"Transfer-Encoding: chunked"), 400),
        (post(b"5\r\nhello\r\n", b"Transfer-Encoding: chunked"), 408),
        (post(b'{"jobs":[' + b"1," * 9000 + b"1]}", path=b"/v1/jobs:batch"), 413),
        (post(b'{"jobs":[' + b"1," * 3000 + b"1]}", path=b"/v1/jobs:batch"), 400),
    ],
    ids=range(21),
)
async def test_each_is_a_clear_problem(narrow: Site, data: bytes, status: int) -> None:
    answer = await raw(narrow, data)
    got, told = problem(answer)
    assert (got, told["status"]) == (status, status)
    assert told["code"] and str(told["detail"]).endswith(".")
    assert status != 405 or b"\r\nAllow: GET, POST\r\n" in answer
    assert (await narrow.get("/v1/status"))[0] == 200


async def test_a_body_without_end_is_cut_off_and_not_kept(one: Site) -> None:
    """10 GiB are announced in chunks; what is taken in is bounded, and so is what is kept."""
    reader, writer = await asyncio.open_unix_connection(one.local.connector.path)  # type: ignore[union-attr]
    before = psutil.Process().memory_info().rss
    writer.write(b"POST /v1/jobs HTTP/1.1\r\nHost: fa\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk, sent = b"100000\r\n" + b" " * 0x100000 + b"\r\n", 0
    answer = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
    while not answer.done() and sent < 200:
        writer.write(chunk)
        sent += 1
        try:
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.sleep(0)
    assert b" 413 " in await answer
    assert sent < 200, "it goes on taking what it has refused"
    assert psutil.Process().memory_info().rss - before < 64 << 20
    writer.close()


async def test_no_more_connections_than_allowed_but_always_one_for_the_operator(
    narrow: Site, caplog: pytest.LogCaptureFixture
) -> None:
    port = narrow.server.port
    context = narrow.remote.connector._ssl  # type: ignore[union-attr]
    held = [await asyncio.open_connection("127.0.0.1", port, ssl=context) for _ in range(4)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: fa\r\n\r\n")
    async with asyncio.timeout(60):
        status, told = problem(await reader.read())
    assert (status, told["code"]) == (503, "busy")
    writer.close()
    assert (await narrow.get("/v1/status"))[0] == 200
    for _, open_writer in held:
        open_writer.close()

    async def reached() -> bool:
        try:
            async with narrow.remote.get(f"{narrow.url}/healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:  # still one of too many
            return False

    async with asyncio.timeout(60):
        while not await reached():
            await asyncio.sleep(0.01)
    assert not caplog.records


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(narrow: Site) -> None:
    tasks = len(asyncio.all_tasks())
    for _ in range(5):
        _, writer = await asyncio.open_unix_connection(narrow.local.connector.path)  # type: ignore[union-attr]
        writer.write(post(b"x" * 10, b"Content-Length: 1000"))
        await writer.drain()
        writer.transport.abort()
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert (await narrow.get("/v1/status"))[0] == 200


async def test_what_is_announced_as_larger_is_refused_before_it_is_sent(narrow: Site) -> None:
    data = b"POST /v1/jobs HTTP/1.1\r\nHost: fa\r\nExpect: 100-continue\r\nContent-Length: 99999\r\n\r\n"
    status, told = problem(await raw(narrow, data))
    assert (status, told["code"]) == (413, "too-large")


async def test_what_may_be_sent_is_asked_for(narrow: Site) -> None:
    body = b'{"source":"san:a.mxf","factory":"proxy"}'
    answer = await raw(narrow, post(body, b"Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 ")


NAMES: list[Callable[[], str]] = [
    lambda: "a\nb",
    lambda: '"; DROP TABLE job; --',
    lambda: "-vn.mp4",
    lambda: "%d %s {source.stem}",
    lambda: "🎬" * 60,
    lambda: "x" * 250,
    lambda: "\u202egnp.exe\x1b[31m",
]


@pytest.mark.parametrize("name", NAMES)
async def test_names_come_back_as_they_went_in(narrow: Site, name: Callable[[], str]) -> None:
    job = await narrow.submit(f"san:in/{name()}")
    assert job["source"] == f"san:in/{name()}"
    assert (await narrow.get(f"/v1/jobs/{job['id']}"))[1]["source"] == job["source"]


NASTY = [
    *(
        None,
        True,
        -1,
        0,
        10**30,
        1e400,
        "",
        "x" * 3000,
        "\x00",
        "\ud7ff",
        "../../etc",
        "san:../x",
        "san:",
        ":",
        "{a.b}",
    ),
    *([], {}, [[]], {"a": 1}),
]
LEAST = {"source": "san:a", "factory": "proxy"}


async def test_no_value_of_any_field_makes_it_stumble(narrow: Site) -> None:
    """Each field of each body, and each parameter of each query, with each of the values above."""
    for route in ROUTES:
        path = re.sub(r"\{\w+\}", "1", route.path)
        for body in bodies(route):
            assert (await narrow.call(route.method, path, data=json.dumps(body)))[0] < 500, (route.name, body)
        for query in queries(route):
            async with narrow.local.get(f"http://fa{path}", params=query) as answer:
                assert answer.status < 500, (route.name, query)


def bodies(route: Route) -> Iterator[dict[str, object]]:
    if route.body in (None, str):
        return
    fields = [field.encode_name for field in msgspec.structs.fields(route.body)]
    for field, value in itertools.product([*fields, "nothing"], NASTY):
        yield {**(LEAST if "source" in fields else {}), field: value}


def queries(route: Route) -> Iterator[dict[str, str]]:
    if route.method == "GET" and route.path != "/v1/stream":
        for parameter, value in itertools.product(msgspec.structs.fields(route.query), NASTY):
            yield {parameter.encode_name: str(value)[:500]}


async def test_an_error_of_our_own_tells_nothing_but_its_number(narrow: Site, caplog: pytest.LogCaptureFixture) -> None:
    def broken(command: object) -> None:
        raise RuntimeError("secret path /etc/shadow")

    narrow.node.before_ask = broken
    status, told = await narrow.post("/v1/jobs", json={"source": "san:a", "factory": "proxy"})
    assert (status, told["code"]) == (500, "internal")
    assert "shadow" not in json.dumps(told)
    assert told["request_id"] in caplog.text and "secret path" in caplog.text


async def test_a_file_name_that_is_no_text_can_be_shown(narrow: Site) -> None:
    status, told = await narrow.get("/v1/factories/%FF%0a")
    assert status == 404 and "\\" in told["detail"]
    assert os.fsencode("\udcff") == b"\xff"
