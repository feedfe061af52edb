"""`/v1/stream`: what happens, as it happens, as server-sent events or, for curl and jq, a JSON object a line.

A comment every five seconds says that the node lives, and what time it is here: ages are reckoned from the server's
clock, not from the client's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web

from fa.core.model import Role
from fa.node.api import given as g
from fa.node.api.call import Call
from fa.node.api.render import stamp
from fa.node.api.route import Route
from fa.node.clock import wall_ms
from fa.node.hub import TOPICS, Message, Subscription

SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
HEARTBEAT_SECONDS = 5.0
WRITE_SECONDS = 20.0  # a watcher that does not read for so long is gone

Frame = Callable[[Message], bytes]


async def stream(call: Call) -> web.StreamResponse:
    since = call.headers.get("Last-Event-ID", "") or call.query.since
    subscription = call.gateway.hub.subscribe(_topics(call.query.topics), since)
    try:
        return await _stream(call, subscription)
    finally:
        call.gateway.hub.unsubscribe(subscription)


def _topics(asked: str) -> frozenset[str]:
    names = frozenset(name for name in asked.split(",") if name)
    return names or frozenset(TOPICS)


async def _stream(call: Call, subscription: Subscription) -> web.StreamResponse:
    as_lines = NDJSON in call.headers.get("Accept", "")
    frame = as_line if as_lines else as_event
    headers = {**call.stamps(), "Content-Type": NDJSON if as_lines else SSE, "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(call.request)
    if call.request.method == "HEAD":
        return response
    first = b"" if as_lines else b"retry: 1000\n\n"
    await _write(response, first + beat(frame))
    while True:
        messages = await subscription.take(HEARTBEAT_SECONDS)
        if messages:
            await _write(response, b"".join(map(frame, messages)))
        elif subscription.ended:
            break
        else:
            await _write(response, beat(frame))
    await _write(response, frame(Message("", subscription.ended, b"{}")))
    response.force_close()
    await response.write_eof()
    return response


async def _write(response: web.StreamResponse, data: bytes) -> None:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await response.write(data)
    except TimeoutError:
        raise ConnectionResetError("the watcher does not read") from None


def as_event(message: Message) -> bytes:
    name = b"id: %b\n" % message.id.encode() if message.id else b""
    return name + b"event: %b\ndata: %b\n\n" % (message.topic.encode(), message.data)


def as_line(message: Message) -> bytes:
    line = {"id": message.id or None, "topic": message.topic, "data": msgspec.Raw(message.data)}
    return msgspec.json.encode(line) + b"\n"


def beat(frame: Frame) -> bytes:
    now = stamp(wall_ms())
    if frame is as_line:
        return as_line(Message("", "heartbeat", msgspec.json.encode({"at": now})))
    return b": %b\n\n" % now.encode()


ROUTES = (
    Route(
        "GET", "/v1/stream", Role.VIEWER, "Watch what happens (SSE, or ndjson by Accept)", stream, str,
        query=g.StreamQuery, answers=SSE,
    ),
)  # fmt: skip
