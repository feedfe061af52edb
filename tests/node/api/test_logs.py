from __future__ import annotations

import asyncio

import pytest

from fa.core.commands import Dispatch
from fa.node.api.given import LogQuery
from fa.node.api.logs import span_of
from fa.node.api.problems import BadRange
from fa.node.clock import wall_ms
from tests.node.api.fake import Site

PATH = "/v1/jobs/1/attempts/1/log"


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        (LogQuery(), "", (0, 100, False)),
        (LogQuery(offset=90), "", (90, 100, False)),
        (LogQuery(offset=-10), "", (90, 100, False)),
        (LogQuery(offset=-1000), "", (0, 100, False)),
        (LogQuery(offset=1000), "", (100, 100, False)),
        (LogQuery(offset=10, limit=5), "", (10, 15, False)),
        (LogQuery(), "bytes=0-9", (0, 10, True)),
        (LogQuery(), "bytes=90-", (90, 100, True)),
        (LogQuery(), "bytes=-5", (95, 100, True)),
        (LogQuery(), "bytes=50-5000", (50, 100, True)),
        (LogQuery(), "bytes=-", (0, 100, False)),
        (LogQuery(), "lines=1-2", (0, 100, False)),
        (LogQuery(), "bytes=0-1,3-4", (0, 100, False)),
    ],
)
def test_which_bytes_are_meant(query: LogQuery, header: str, expected: tuple[int, int, bool]) -> None:
    span = span_of(100, query, header)
    assert (span.start, span.stop, span.partial) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=5-4"])
def test_a_range_past_the_end(header: str) -> None:
    with pytest.raises(BadRange, match="100 bytes"):
        span_of(100, LogQuery(), header)


@pytest.fixture
async def ran(one: Site) -> Site:
    """A site whose first job was begun."""
    await one.submit()
    one.node.store.apply(Dispatch(7, (one.node.members[0].view,), wall_ms()))
    return one


async def test_a_log_is_text_and_says_how_long_it_is(ran: Site) -> None:
    (ran.node.logs / "1-1.log").write_bytes(b"frame=1\r\xff\n")
    async with ran.local.get(f"http://fa{PATH}") as answer:
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Fa-Log-Size"] == answer.headers["Content-Length"] == "10"
        assert await answer.read() == b"frame=1\r\xff\n"
    async with ran.local.get(f"http://fa{PATH}", headers={"Range": "bytes=2-4"}) as answer:
        assert (answer.status, await answer.read()) == (206, b"ame")
        assert answer.headers["Content-Range"] == "bytes 2-4/10"
    async with ran.local.get(f"http://fa{PATH}", headers={"Range": "bytes=50-"}) as answer:
        assert answer.status == 416
    async with ran.local.head(f"http://fa{PATH}") as answer:
        assert (answer.status, answer.headers["Fa-Log-Size"]) == (200, "10")


async def test_a_log_is_followed_until_the_attempt_is_over(ran: Site) -> None:
    path = ran.node.logs / "1-1.log"
    path.write_text("one\n")
    ran.node.runs.add((1, 1))
    async with ran.local.get(f"http://fa{PATH}?follow=1") as answer, asyncio.timeout(60):
        assert await answer.content.readline() == b"one\n"
        with path.open("a") as log:
            log.write("two\n")
        assert await answer.content.readline() == b"two\n"
        with path.open("a") as log:
            log.write("last words\n")
        ran.node.runs.clear()
        assert await answer.content.read() == b"last words\n"


@pytest.mark.parametrize("path", ["/v1/jobs/1/attempts/2/log", "/v1/jobs/2/attempts/1/log", f"{PATH}?product=x", PATH])
async def test_a_log_that_is_not_there(ran: Site, path: str) -> None:
    status, problem = await ran.get(path)
    assert (status, problem["code"]) == (404, "not-found")


async def test_a_log_is_never_another_file(ran: Site) -> None:
    secret = ran.node.logs / "secret"
    secret.write_text("secret")
    (ran.node.logs / "1-1.log").symlink_to(secret)
    assert (await ran.get(PATH))[0] == 404


async def test_what_is_followed_has_no_limit(ran: Site) -> None:
    assert (await ran.get(f"{PATH}?follow=1&limit=3"))[0] == 400
