"""Any node answers: what is the coordinator's is asked there, also while one is being elected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from fa.core.commands import Dispatch, PutNode
from fa.core.model import NodeMode, NodeRow
from fa.errors import Unavailable
from fa.node.api import forward
from fa.node.authority import TlsFiles, host_of, peer_context
from fa.node.clock import wall_ms
from tests.node.api.fake import ARRAY_ID, FACTORY, STANDING, Site, member, site, until
from tests.node.api.test_stream import Watcher

NEW = FACTORY.replace('name = "proxy"', 'name = "new"', 1)
JOB = {"source": "san:in/a.mxf", "factory": "proxy"}


@dataclass
class Pair:
    """Two nodes: `a` leads at first."""

    a: Site
    b: Site

    def lead(self, leader: Site | None, epoch: int = 7) -> None:
        name, url = (leader.node.name, leader.url) if leader else (None, None)
        for node in (self.a.node, self.b.node):
            node.now = replace(STANDING, coordinator=name, coordinator_url=url, epoch=epoch)


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        a, b = [await stack.enter_async_context(site(tmp_path, name)) for name in "ab"]
        for one in (a, b):
            one.add_factory()
            one.node.members = [member("a", a.url), member("b", b.url)]
        two = Pair(a, b)
        two.lead(a)
        yield two


async def test_any_node_takes_a_job(pair: Pair) -> None:
    async with pair.b.local.post("http://fa/v1/jobs", json=JOB) as answer:
        assert answer.status == 201
        assert (answer.headers["Fa-Node"], answer.headers["Fa-Via"]) == ("a", "b")
        job = await answer.json()
    assert job["submitted_by"].startswith("local:"), "who asked at b is who it is at a"
    assert (await pair.a.get(f"/v1/jobs/{job['id']}"))[0] == 200
    assert (await pair.b.get(f"/v1/jobs/{job['id']}"))[1] == (await pair.a.get(f"/v1/jobs/{job['id']}"))[1]


async def test_a_token_is_judged_by_the_coordinator(pair: Pair) -> None:
    viewer = pair.a.bearer("viewer")  # b's copy does not have it yet
    for method, status in (("GET", 200), ("POST", 403)):
        async with pair.b.remote.request(method, f"{pair.b.url}/v1/jobs", headers=viewer) as answer:
            assert answer.status == status
    async with pair.b.remote.get(f"{pair.b.url}/v1/me", headers=viewer) as answer:
        assert (await answer.json())["role"] == "viewer"
    async with pair.b.remote.get(f"{pair.b.url}/v1/jobs", headers={"Authorization": "Bearer x"}) as answer:
        assert answer.status == 401
    async with pair.b.remote.get(f"{pair.b.url}/v1/jobs") as answer:
        assert answer.status == 401


async def test_who_says_to_be_a_node_is_not_believed(pair: Pair) -> None:
    headers = {**pair.a.bearer("viewer"), "Fa-Who": "admin x", "Fa-Via": "a"}
    async with pair.b.remote.get(f"{pair.b.url}/v1/tokens", headers=headers) as answer:
        assert answer.status == 403


async def test_problems_pass_as_they_are(pair: Pair) -> None:
    status, problem = await pair.b.get("/v1/jobs/999")
    assert (status, problem["code"]) == (404, "not-found")
    status, problem = await pair.b.post("/v1/jobs", json={**JOB, "prioritty": 1})
    assert status == 400 and problem["errors"][0]["pointer"] == "/prioritty"


async def test_status_is_answered_without_a_coordinator(pair: Pair) -> None:
    pair.lead(None)
    status, shown = await pair.b.get("/v1/status")
    assert (status, shown["health"], shown["coordinator"], shown["via"]) == (200, "down", None, "b")
    async with pair.b.local.get("http://fa/readyz") as answer:
        assert answer.status == 503
    assert (await pair.b.get("/healthz"))[0] == 200


async def test_status_is_the_same_from_every_node(pair: Pair) -> None:
    await pair.a.submit()
    (_, from_a), (_, from_b) = await pair.a.get("/v1/status"), await pair.b.get("/v1/status")
    assert (from_a["via"], from_b["via"]) == ("a", "b")
    assert from_a | {"at": "", "via": ""} == from_b | {"at": "", "via": ""}
    assert from_b["jobs"]["queued"] == 1


async def test_status_does_not_hang_with_the_coordinator(pair: Pair) -> None:
    await pair.a.server.stop(0.1)
    _, shown = await pair.b.get("/v1/status")
    assert (shown["via"], shown["coordinator"], shown["jobs"]["queued"]) == ("b", "a", 0)
    assert shown["health"] == "down" and "does not answer" in shown["why"]
    pair.b.node.now = replace(pair.b.node.now, coordinator_url=pair.b.url)  # whoever answers there does not lead
    assert (await pair.b.get("/v1/status"))[1]["via"] == "b"


async def test_a_request_waits_for_the_election_and_then_succeeds(pair: Pair) -> None:
    pair.lead(None)
    asked = asyncio.ensure_future(pair.b.post("/v1/jobs", json=JOB))
    await asyncio.sleep(0.2)
    assert not asked.done()
    pair.lead(pair.a, 8)
    status, job = await asked
    assert (status, job["state"]) == (201, "queued")


async def test_a_node_that_comes_to_lead_while_it_waits_answers_itself(pair: Pair) -> None:
    pair.lead(None)
    asked = asyncio.ensure_future(pair.b.submit())
    await asyncio.sleep(0.2)
    pair.lead(pair.b, 8)
    job = await asked
    assert (await pair.b.get(f"/v1/jobs/{job['id']}"))[0] == 200


async def test_the_wait_is_bounded(tmp_path: Path) -> None:
    async with site(tmp_path, wait=0.3) as alone:
        alone.node.now = replace(STANDING, coordinator=None, why="No majority is reached.")
        async with alone.local.post("http://fa/v1/jobs", json=JOB) as answer:
            problem = await answer.json(content_type=None)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert "No majority" in problem["detail"]


async def test_a_node_that_the_coordinator_does_not_know_yet_waits_until_it_does(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its users are not told that a token is wrong: they have shown none."""
    tries: list[str] = []

    def knows(node: str, incarnation: str) -> bool:
        tries.append(node)
        return len(tries) > 2

    monkeypatch.setattr(pair.a.node, "knows", knows)
    assert (await pair.b.submit())["state"] == "queued"


async def test_users_of_a_node_that_was_removed_are_told_so(tmp_path: Path) -> None:
    async with site(tmp_path, "a") as a, site(tmp_path, "b", wait=0.3) as b:
        a.node.members = [member("a", a.url)]
        Pair(a, b).lead(a)
        async with b.local.post("http://fa/v1/jobs", json=JOB) as answer:
            problem = await answer.json(content_type=None)
            assert (answer.status, problem["code"]) == (503, "not-coordinator")
        assert "removed" in problem["detail"]


async def test_a_dead_coordinator_is_waited_out(pair: Pair) -> None:
    await pair.a.server.stop(0.1)
    asked = asyncio.ensure_future(pair.b.submit())
    await asyncio.sleep(0.3)
    assert not asked.done()
    pair.lead(pair.b, 8)
    assert (await asked)["state"] == "queued"


async def test_a_coordinator_that_hangs_is_left_when_there_is_another(pair: Pair) -> None:
    hung = asyncio.Event()
    real = pair.a.node.ask

    async def hang(command: Any) -> Any:
        hung.set()
        await asyncio.sleep(3600)
        return await real(command)

    pair.a.node.ask = hang  # type: ignore[method-assign]
    asked = asyncio.ensure_future(pair.b.submit())
    await hung.wait()
    pair.lead(pair.b, 8)
    assert (await asked)["state"] == "queued"


def lose_one_answer(coordinator: Any) -> None:
    """The next command is carried out, and nobody hears of it."""
    node, real = coordinator.node, coordinator.node.ask

    async def done_but_lost(command: Any) -> Any:
        await real(command)
        node.ask = real
        raise Unavailable("The answer was lost.")

    node.ask = done_but_lost


async def test_a_submit_that_got_lost_is_not_done_twice(pair: Pair) -> None:
    """The coordinator carries it out and then cannot say so: the node sends it again under the same key of its own."""
    lose_one_answer(pair.a)
    job = await pair.b.submit()
    assert (await pair.a.get("/v1/status"))[1]["jobs"]["queued"] == 1
    assert job["id"] == 1


async def test_a_submit_that_got_lost_is_not_done_again_by_the_node_that_then_leads(pair: Pair) -> None:
    """a commits it in lock-step, so that b's copy has it, and dies before it answers; b takes over."""
    mirrored = asyncio.Event()

    async def done_then_dead(command: Any) -> Any:
        pair.a.node.store.apply(command)
        pair.b.node.store.apply(command)
        mirrored.set()
        await asyncio.sleep(3600)

    pair.a.node.ask = done_then_dead  # type: ignore[method-assign]
    asked = asyncio.ensure_future(pair.b.submit())
    await mirrored.wait()
    pair.lead(pair.b, 8)
    assert (await asked)["id"] == 1
    assert (await pair.b.get("/v1/status"))[1]["jobs"]["queued"] == 1


async def test_what_got_lost_and_is_sent_again_is_answered_as_it_was_done(pair: Pair) -> None:
    """The node sends these again by itself: who asked must not hear that it failed, which it did not."""
    real = pair.a.node.ask
    pair.a.node.store.apply(PutNode(NodeRow("c", NodeMode.UP, "https://x:1", 1, index=3), 1))
    changes = (
        ("PUT", "/v1/factories/proxy", {"data": f"{FACTORY}# 2\n", "headers": {"If-Match": '"1"'}}),
        ("PUT", "/v1/factories/new", {"data": NEW, "headers": {"If-None-Match": "*"}}),
        ("DELETE", "/v1/factories/new", {}),
        ("POST", "/v1/nodes/c/remove", {}),
    )
    for method, path, more in changes:
        lose_one_answer(pair.a)
        status, answer = await pair.b.call(method, path, **more)
        assert status == 200, (method, path, answer)
        assert pair.a.node.ask == real
    assert (await pair.a.get("/v1/factories/proxy"))[1]["version"] == 2


async def test_two_submits_are_two_whatever_the_client_calls_them(pair: Pair) -> None:
    for source in ("san:a.mxf", "san:b.mxf", "san:b.mxf"):
        body = {"source": source, "factory": "proxy"}
        assert (await pair.b.post("/v1/jobs", json=body, headers={"Fa-Request-Id": "mine"}))[0] == 201
    assert (await pair.a.get("/v1/status"))[1]["jobs"]["queued"] == 3


async def test_a_retry_that_got_lost_is_not_sent_again(pair: Pair) -> None:
    job = (await pair.a.submit())["id"]
    await pair.a.post(f"/v1/jobs/{job}/cancel")
    pair.a.node.troubles = [Unavailable()]
    status, problem = await pair.b.post(f"/v1/jobs/{job}/retry")
    assert (status, problem["code"]) == (503, "unavailable")
    assert (await pair.a.get(f"/v1/jobs/{job}"))[1]["state"] == "cancelled"


async def test_what_was_not_begun_is_sent_again_whatever_it_is(pair: Pair) -> None:
    """b believes that a leads, a knows that nobody does: nothing can have been done."""
    job = (await pair.a.submit())["id"]
    await pair.a.post(f"/v1/jobs/{job}/cancel")
    pair.a.node.now = replace(STANDING, coordinator=None)
    asked = asyncio.ensure_future(pair.b.post(f"/v1/jobs/{job}/retry"))
    await asyncio.sleep(0.2)
    assert not asked.done()
    pair.a.node.now = STANDING
    assert (await asked)[1]["state"] == "queued"


async def test_what_was_sent_on_is_not_sent_on_again(pair: Pair) -> None:
    as_a = {"ssl": peer_context(TlsFiles(pair.a.place.tls)), "server_hostname": host_of(ARRAY_ID, "b")}
    headers = {"Fa-Via": "a", "Fa-Who": "admin local:root"}
    async with pair.a.remote.get(f"{pair.b.url}/v1/jobs", headers=headers, **as_a) as answer:
        assert (answer.status, answer.headers["Fa-Undone"]) == (503, "1")
        assert (await answer.json(content_type=None))["code"] == "not-coordinator"


async def test_it_is_never_sent_in_circles(pair: Pair) -> None:
    pair.a.node.now = replace(STANDING, coordinator="b", coordinator_url=pair.b.url)
    pair.b.node.now = replace(STANDING, coordinator="a", coordinator_url=pair.a.url)
    asked = asyncio.ensure_future(pair.b.get("/v1/jobs"))
    await asyncio.sleep(0.3)
    assert not asked.done()
    pair.lead(pair.a)
    assert (await asked)[0] == 200


async def test_another_node_at_the_address_is_told_nothing(pair: Pair) -> None:
    wrong = replace(STANDING, coordinator="c", coordinator_url=pair.a.url)
    pair.b.node.now = wrong
    asked = asyncio.ensure_future(pair.b.submit())
    await asyncio.sleep(0.3)
    assert not asked.done() and not pair.a.node.asked
    pair.lead(pair.a)
    assert (await asked)["state"] == "queued"


async def test_a_stream_is_passed_on_and_ends_with_its_source(pair: Pair) -> None:
    async with pair.b.local.get("http://fa/v1/stream") as answer:
        watcher = Watcher(answer)
        await watcher.next(comments=True)
        pair.a.node.hub.publish("job", {"id": 1})
        event = await watcher.next()
        assert event and (event.id, event.data) == ("7-1", {"id": 1})
        pair.a.node.hub.begin_epoch(8)
        event = await watcher.next()
        assert event and event.name == "moved"
        assert await watcher.next() is None


async def test_a_large_answer_is_passed_on_whole(pair: Pair) -> None:
    log = pair.a.node.logs / "1-1.log"
    log.write_bytes(bytes(range(256)) * 12_000)
    job = await pair.a.submit()
    await run(pair.a)
    async with pair.b.local.get(f"http://fa/v1/jobs/{job['id']}/attempts/1/log") as answer:
        assert answer.status == 200 and await answer.read() == log.read_bytes()


async def test_a_log_is_fetched_from_the_node_that_ran_it(pair: Pair) -> None:
    job = await pair.a.submit()
    await run(pair.a, on="b")
    (pair.b.node.logs / "1-1.log").write_text("frame=1\nframe=2\n")
    path = f"/v1/jobs/{job['id']}/attempts/1/log"
    async with pair.a.local.get(f"http://fa{path}?offset=8") as answer:
        assert (answer.status, await answer.text(), answer.headers["Fa-Log-Size"]) == (200, "frame=2\n", "16")
    async with pair.a.local.get(f"http://fa{path}", headers={"Range": "bytes=0-6"}) as answer:
        assert (answer.status, await answer.text()) == (206, "frame=1")
    viewer = pair.a.bearer("viewer")
    async with pair.b.remote.get(f"{pair.b.url}{path}", headers=viewer) as answer:
        assert (answer.status, await answer.text()) == (200, "frame=1\nframe=2\n")
    assert (await pair.a.get(f"{path}?product=none"))[0] == 404
    pair.a.node.members[1] = member("b", pair.b.url, state="lost")
    assert (await pair.a.get(path))[1]["detail"].endswith("it can be read when it is back.")
    pair.a.node.members = [member("a", pair.a.url)]
    assert (await pair.a.get(path))[0] == 404


async def test_a_log_may_be_silent_while_it_is_followed(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """ffmpeg says nothing while all is well, for hours; here two nodes pass it on, as long as its own is there."""
    monkeypatch.setattr(forward, "SILENCE_SECONDS", 0.05)
    looks: list[str] = []
    lost = forward.is_lost

    def is_lost(*asked: Any) -> bool:
        looks.append("a look after silence")
        return lost(*asked)

    monkeypatch.setattr(forward, "is_lost", is_lost)
    job = await pair.a.submit()
    await run(pair.a, on="b")
    log = pair.b.node.logs / "1-1.log"
    log.write_text("one\n")
    pair.b.node.runs.add((1, 1))
    async with (
        pair.b.local.get(f"http://fa/v1/jobs/{job['id']}/attempts/1/log?follow=1") as answer,
        asyncio.timeout(60),
    ):
        assert await answer.content.readline() == b"one\n"
        await until(lambda: len(looks) > 5)
        log.write_text("one\ntwo\n")
        assert await answer.content.readline() == b"two\n"
        pair.a.node.members[1] = member("b", pair.b.url, state="lost")
        with pytest.raises(aiohttp.ClientError):
            await answer.content.readline()


async def run(leader: Site, on: str = "a") -> None:
    """Give the queued tasks to a node."""
    views = tuple(node.view for node in leader.node.members if node.view.name == on)
    leader.node.store.apply(Dispatch(7, views, wall_ms()))
