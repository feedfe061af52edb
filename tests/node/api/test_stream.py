from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from fa.client.sse import Parser, ServerEvent
from fa.node.gateway import Progress
from tests.node.api.fake import Site, until


class Watcher:
    """Reads a stream event by event."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer, self._parser, self._waiting = answer, Parser(), list[ServerEvent]()

    async def next(self, *, comments: bool = False) -> ServerEvent | None:
        """The next event; None at the end of the stream."""
        async with asyncio.timeout(60):
            while True:
                while self._waiting:
                    event = self._waiting.pop(0)
                    if event.name or comments:
                        return event
                chunk = await self.answer.content.readany()
                if not chunk:
                    return None
                self._waiting += self._parser.feed(chunk)


def watch(one: Site, query: str = "", **headers: str) -> Any:
    return one.local.get(
        f"http://fa/v1/stream{query}", headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


async def test_what_happens_is_told_in_order_with_ids(one: Site) -> None:
    async with watch(one) as answer:
        assert answer.content_type == "text/event-stream" and "Content-Encoding" not in answer.headers
        watcher = Watcher(answer)
        first = await watcher.next(comments=True)
        assert first and first.name == "" and first.data.endswith("Z"), "the clock of the server comes first"
        one.node.hub.publish("job", {"id": 1, "name": "ä\n"})
        one.node.hub.publish("node", {"name": "b"})
        assert await watcher.next() == ServerEvent("job", "7-1", {"id": 1, "name": "ä\n"})
        assert await watcher.next() == ServerEvent("node", "7-2", {"name": "b"})


async def test_topics(one: Site) -> None:
    async with watch(one, "?topics=node,alert") as answer:
        watcher = Watcher(answer)
        await watcher.next(comments=True)
        one.node.hub.publish("job", 1)
        one.node.hub.publish("alert", 2)
        assert await watcher.next() == ServerEvent("alert", "7-2", 2)


@pytest.mark.parametrize("by_header", [True, False])
async def test_nothing_is_missed_after_a_break(one: Site, by_header: bool) -> None:
    for number in range(1, 4):
        one.node.hub.publish("job", number)
    query, headers = ("", {"Last_Event_ID": "7-1"}) if by_header else ("?since=7-1", {})
    async with watch(one, query, **headers) as answer:
        watcher = Watcher(answer)
        assert [await watcher.next(), await watcher.next()] == [
            ServerEvent("job", "7-2", 2),
            ServerEvent("job", "7-3", 3),
        ]


async def test_who_comes_back_by_itself_goes_on_after_what_it_saw_last(one: Site) -> None:
    """A browser asks for the same address again, and says in a header what it has (WHATWG HTML 9.2.3)."""
    for number in range(1, 4):
        one.node.hub.publish("job", number)
    async with watch(one, "?since=7-1", Last_Event_ID="7-2") as answer:
        assert await Watcher(answer).next() == ServerEvent("job", "7-3", 3)


async def test_the_head_of_a_stream_has_an_end(one: Site) -> None:
    async with asyncio.timeout(60), one.local.head("http://fa/v1/stream") as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
    async with asyncio.timeout(60), one.local.get("http://fa/v1/status") as answer:
        assert answer.status == 200, "the connection is good for the next request"
    await until(lambda: one.node.hub.watchers == 0)
    async with one.local.head("http://fa/v1/stream?since=6-1") as answer:
        assert answer.status == 410


@pytest.mark.parametrize("since", ["6-1", "7-9"])
async def test_what_is_no_longer_kept_is_gone(one: Site, since: str) -> None:
    async with watch(one, f"?since={since}") as answer:
        assert answer.status == 410
        assert (await answer.json(content_type=None))["code"] == "watch-expired"


@pytest.mark.parametrize("query", ["?since=x", "?topics=jobs", "?topic=job"])
async def test_what_cannot_be_watched(one: Site, query: str) -> None:
    async with watch(one, query) as answer:
        assert answer.status == 400


async def test_lines_of_json_for_curl(one: Site) -> None:
    async with watch(one, Accept="application/x-ndjson") as answer:
        assert answer.content_type == "application/x-ndjson"
        async with asyncio.timeout(60):
            beat = json.loads(await answer.content.readline())
            one.node.hub.publish("job", {"id": 1})
            line = json.loads(await answer.content.readline())
    assert beat["topic"] == "heartbeat" and beat["data"]["at"].endswith("Z")
    assert line == {"id": "7-1", "topic": "job", "data": {"id": 1}}


async def test_progress_comes_as_one_map(one: Site) -> None:
    async with watch(one, "?topics=progress") as answer:
        watcher = Watcher(answer)
        await watcher.next(comments=True)
        one.node.running[17] = Progress("flipping", 0.5)
        event = await watcher.next()
    assert event and event.id == "" and event.data["17"]["progress"] == 0.5


async def test_who_does_not_read_is_sent_away(one: Site) -> None:
    async with watch(one) as answer:
        watcher = Watcher(answer)
        await watcher.next(comments=True)
        for _ in range(3000):
            one.node.hub.publish("job", "x" * 100)
        events = []
        while event := await watcher.next():
            events.append(event)
    assert events[-1].name == "overflow"
    assert [event.id for event in events[:-1]] == [f"7-{n}" for n in range(1, len(events))]
    assert one.node.hub.watchers == 0 or await settled(one)


async def settled(one: Site) -> bool:
    await until(lambda: one.node.hub.watchers == 0)
    return True


async def test_who_left_is_forgotten(one: Site) -> None:
    async with watch(one) as answer:
        await Watcher(answer).next(comments=True)
        assert one.node.hub.watchers == 1
    for number in range(100):  # a write finds out that nobody is there
        one.node.hub.publish("job", number)
        await asyncio.sleep(0)
    await until(lambda: one.node.hub.watchers == 0)


async def test_a_node_that_leads_no_more_sends_its_watchers_on(one: Site) -> None:
    async with watch(one) as answer:
        watcher = Watcher(answer)
        await watcher.next(comments=True)
        one.node.hub.begin_epoch(8)
        event = await watcher.next()
        assert event and event.name == "moved"
        assert await watcher.next() is None


async def test_a_node_that_stops_says_so(one: Site) -> None:
    async with watch(one) as answer:
        watcher = Watcher(answer)
        await watcher.next(comments=True)
        stopping = asyncio.ensure_future(one.server.stop(5.0))
        event = await watcher.next()
        assert event and event.name == "stopping"
        assert await watcher.next() is None
        await stopping
    assert not one.place.socket.exists()
