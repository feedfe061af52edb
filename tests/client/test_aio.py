"""The asynchronous client: requests as the plain one, and a stream that outlives nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote

import pytest

from fa.client import calls
from fa.client.aio import AsyncClient, Feed, Live, Relist, Stale
from fa.client.problems import BadAnswer, Unreachable
from fa.client.sse import ServerEvent
from fa.client.target import Target
from fa.errors import Forbidden, NotFound, Unavailable
from tests.client.fake import Answer, Asked, Authority, FakeArray, closed_port, on_socket, on_tls, problem

BEAT = b": beat\n\n"


def job(number: int) -> bytes:
    return f'id: 7-{number}\nevent: job\ndata: {{"id": {number}}}\n\n'.encode()


async def until(feed: AsyncIterator[Feed], last: type | str) -> list[Feed]:
    """What comes, up to the first of a kind, or the event with that id."""
    got: list[Feed] = []
    async for item in feed:
        got.append(item)
        if item.id == last if isinstance(item, ServerEvent) and isinstance(last, str) else item.__class__ is last:
            return got
    return got


async def test_answers_and_problems(sock: str) -> None:
    array = FakeArray({"GET /v1/status": {"health": "ok"}}, node="b")
    with on_socket(array, sock):
        async with AsyncClient(Target(socket=sock)) as fa:
            assert await fa.send(calls.status()) == {"health": "ok"}
            assert fa.node == "b"
            with pytest.raises(NotFound):
                await fa.send(calls.show_job(3))


async def test_a_write_that_was_cut_is_sent_again_with_the_same_key(sock: str) -> None:
    array = FakeArray({"POST /v1/jobs": [Answer(drop=True), problem(503, "unavailable", "x"), Answer({"id": 1}, 201)]})
    with on_socket(array, sock):
        async with AsyncClient(Target(socket=sock), new_key=lambda: "once") as fa:
            assert await fa.send(calls.submit({"source": "san:a", "factory": "proxy"})) == {"id": 1}
    assert [asked.headers["Idempotency-Key"] for asked in array.asked] == ["once"] * 3


async def test_names_reach_the_server_as_they_are(sock: str) -> None:
    array = FakeArray()
    with on_socket(array, sock):
        async with AsyncClient(Target(socket=sock)) as fa:
            for name in ("a/b", "%2e", "\udcff", "x y+z"):
                with pytest.raises(NotFound):
                    await fa.send(calls.show_factory(name))
    assert [line.partition("/v1/factories/")[2] for line in array.lines()] == ["a%2Fb", "%252e", "%FF", "x%20y%2Bz"]


@pytest.mark.parametrize("trouble", [Answer(drop=True), problem(503, "unavailable", "It may have been done.")])
async def test_what_must_not_be_done_twice_is_not_sent_again(sock: str, trouble: Answer) -> None:
    array = FakeArray({"POST /v1/mirror/switchover": [trouble, Answer({})]})
    with on_socket(array, sock):
        async with AsyncClient(Target(socket=sock)) as fa:
            with pytest.raises((Unavailable, Unreachable), match="may"):
                await fa.send(calls.switchover(""))
    assert len(array.asked) == 1


async def test_the_next_node_is_asked(authority: Authority) -> None:
    array = FakeArray({"GET /v1/status": {"via": "b"}})
    with on_tls(array, authority) as url:
        target = Target(urls=(closed_port(), url), token="fa_t", cafile=authority.cafile)
        async with AsyncClient(target) as fa:
            assert await fa.send(calls.status()) == {"via": "b"}
    assert array.asked[0].headers["Authorization"] == "Bearer fa_t"


async def test_nobody_listens(sock: str) -> None:
    async with AsyncClient(Target(socket=sock)) as fa:
        with pytest.raises(Unreachable):
            await fa.send(calls.status())
        with pytest.raises(Unreachable):
            await until(fa.stream(), Stale)


async def test_a_foreign_certificate_is_refused(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Authority.make(tmp_path_factory.mktemp("other"))
    with on_tls(FakeArray(), authority) as url:
        async with AsyncClient(Target(urls=(url,), cafile=other.cafile)) as fa:
            with pytest.raises(BadAnswer):
                await fa.send(calls.status())


async def test_the_stream_resumes_after_the_last_id(sock: str) -> None:
    array = FakeArray(
        {
            "GET /v1/stream": [
                Answer(chunks=(BEAT, job(1)[:9], job(1)[9:] + job(2), BEAT, b"event: progress\ndata: {}\n\n")),
                problem(503, "unavailable", "Electing."),
                Answer(chunks=(job(3),), hang=True),
            ]
        }
    )
    with on_socket(array, sock):
        async with AsyncClient(Target(socket=sock)) as fa:
            got = await until(fa.stream(["job"], query="state:failed"), "7-3")
    events = [item for item in got if isinstance(item, ServerEvent) and item.name == "job"]
    assert [event.data["id"] for event in events] == [1, 2, 3]
    assert [type(item) for item in got if not isinstance(item, ServerEvent)] == [Live, Stale, Stale, Live]
    assert [asked.headers.get("Last-Event-ID") for asked in array.asked] == [None, "7-2", "7-2"]
    assert unquote(array.asked[0].path) == "/v1/stream?topics=job&q=state:failed"


async def test_the_stream_goes_to_the_next_node(authority: Authority) -> None:
    one = FakeArray({"GET /v1/stream": Answer(chunks=(job(1),))}, node="a")
    two = FakeArray({"GET /v1/stream": Answer(chunks=(job(2),), hang=True)}, node="b")
    with on_tls(one, authority) as first, on_tls(two, authority) as second:
        target = Target(urls=(first, second), cafile=authority.cafile)
        async with AsyncClient(target) as fa:
            got = await until(fa.stream(), "7-2")
    assert [item.node for item in got if isinstance(item, Live)] == ["a", "b"]
    assert two.asked[0].headers["Last-Event-ID"] == "7-1"


async def test_silence_is_stale(sock: str) -> None:
    """On a slow machine it may be stale more than once before the second stream speaks."""
    array = FakeArray({"GET /v1/stream": [Answer(chunks=(BEAT,), hang=True), Answer(chunks=(job(1),), hang=True)]})
    with on_socket(array, sock):
        async with AsyncClient(Target(socket=sock), stale_seconds=0.3) as fa:
            got = await until(fa.stream(), "7-1")
    kinds = [type(item) for item in got]
    assert Stale in kinds and kinds[-3:] == [Live, Relist, ServerEvent]


async def test_an_id_that_is_too_old_asks_to_list_again(sock: str) -> None:
    def stream(asked: Asked) -> Answer:
        if asked.headers.get("Last-Event-ID"):
            return problem(410, "watch-expired", "Too old.")
        return Answer(chunks=(job(9),), hang=True)

    with on_socket(FakeArray({"GET /v1/stream": stream}), sock):
        async with AsyncClient(Target(socket=sock)) as fa:
            got = await until(fa.stream(since="3-1"), "7-9")
    assert [type(item) for item in got] == [Live, Relist, ServerEvent], "what is listed before it is open may miss"


async def test_a_stream_that_told_no_id_asks_to_list_again(sock: str) -> None:
    array = FakeArray({"GET /v1/stream": [Answer(chunks=(BEAT,)), Answer(chunks=(job(1),), hang=True)]})
    with on_socket(array, sock):
        async with AsyncClient(Target(socket=sock)) as fa:
            got = await until(fa.stream(), "7-1")
    kinds = [type(item) for item in got if not (isinstance(item, ServerEvent) and not item.name)]
    assert kinds == [Live, Stale, Live, Relist, ServerEvent]


async def test_a_reader_that_was_too_slow_lists_again(sock: str) -> None:
    over = Answer(chunks=(b"event: overflow\ndata: {}\n\n",), hang=True)
    with on_socket(FakeArray({"GET /v1/stream": over}), sock):
        async with AsyncClient(Target(socket=sock)) as fa:
            assert [type(item) for item in await until(fa.stream(), Relist)] == [Live, Relist]


async def test_no_right_to_watch(sock: str) -> None:
    with on_socket(FakeArray({"GET /v1/stream": problem(403, "forbidden", "Not you.")}), sock):
        async with AsyncClient(Target(socket=sock)) as fa:
            with pytest.raises(Forbidden):
                await until(fa.stream(), Live)
