"""`/v1/jobs/{id}/attempts/{n}/log`: everything that ffmpeg said, from the node that ran it, also while it runs."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from fa.core.model import Attempt, Role, Task
from fa.errors import Invalid, NotFound
from fa.node.api import given as g
from fa.node.api.call import Call, Reply
from fa.node.api.jobs import job_id
from fa.node.api.problems import BadRange
from fa.node.api.route import Route

TEXT = "text/plain; charset=utf-8"
CHUNK_BYTES = 64 * 1024
LOOK_SECONDS = 0.25  # how often a log that is followed is looked at
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


async def of_job(call: Call) -> Reply:
    """Find the attempt; its log is read here or fetched from its node."""
    row = await call.gateway.readers.job(job_id(call.names["id"]))
    if row is None:
        raise NotFound(f"There is no job {call.names['id'][:40]}.", hint="`fa jobs` lists them.")
    attempt = find(row.tasks, row.attempts, job_id(call.names["n"]), call.query.product)
    if attempt.node == call.gateway.standing().node:
        return await send(call, attempt.task, attempt.number)
    node = next((node for node in call.gateway.nodes() if node.view.name == attempt.node), None)
    if node is None or node.state == "lost":
        where = "is lost; it can be read when it is back" if node else "is no longer in the array"
        raise NotFound(f"The log is on node {attempt.node}, which {where}.")
    url = f"{node.address}/v1/attempts/{attempt.task}/{attempt.number}/log?{call.request.rel_url.raw_query_string}"
    return await call.services.forwarder.to_node(call, attempt.node, url, call.route.patience_seconds)


def find(tasks: Sequence[Task], attempts: Sequence[Attempt], number: int, product: str) -> Attempt:
    """Attempt ``number`` of the named product; without a name, of the first product that has one."""
    if product and product not in {task.product for task in tasks}:
        known = ", ".join(task.product for task in tasks)
        raise NotFound(f"The job has no product {product[:80]!r}.", hint=f"It has {known}.")
    for task in tasks:
        for attempt in attempts:
            if attempt.task == task.id and attempt.number == number and product in ("", task.product):
                return attempt
    raise NotFound(f"There was no attempt {number}.", hint="Attempts count from 1.")


async def of_attempt(call: Call) -> Reply:
    """For other nodes: the log of an attempt that ran here."""
    return await send(call, job_id(call.names["task"]), job_id(call.names["n"]))


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file from ``start`` up to, not including, ``stop``. `partial`: it was asked for with Range."""

    start: int
    stop: int
    partial: bool = False


def span_of(size: int, query: g.LogQuery, range_header: str) -> Span:
    """Which bytes of a log are meant; a Range header goes before the query. Raises `BadRange` for one past the end."""
    match = _RANGE.fullmatch(range_header)
    if match and (match[1] or match[2]):
        if not match[1]:
            return Span(max(0, size - int(match[2])), size, True)
        start, last = int(match[1]), int(match[2] or size - 1)
        if start >= size or last < start:
            raise BadRange(f"The log has {size} bytes.")
        return Span(start, min(last + 1, size), True)
    start = min(size, query.offset) if query.offset >= 0 else max(0, size + query.offset)
    stop = size if query.limit is None else min(size, start + query.limit)
    return Span(start, stop)


async def send(call: Call, task: int, number: int) -> web.StreamResponse:
    path = call.gateway.attempt_log(task, number)
    if call.query.follow and call.query.limit is not None:
        raise Invalid("follow goes on until the attempt is over; it has no limit.")
    try:
        file = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        raise NotFound("The log is not here: it was not begun, or it was cleaned away.") from None
    try:
        return await _send(call, file, task, number)
    finally:
        os.close(file)


async def _send(call: Call, file: int, task: int, number: int) -> web.StreamResponse:
    size = os.fstat(file).st_size
    span = span_of(size, call.query, call.headers.get("Range", ""))
    headers = {**call.stamps(), "Content-Type": TEXT, "Fa-Log-Size": str(size), "Accept-Ranges": "bytes"}
    if span.partial:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    response = web.StreamResponse(status=206 if span.partial else 200, headers=headers)
    if not call.query.follow:
        response.content_length = span.stop - span.start
    await response.prepare(call.request)
    if call.request.method != "HEAD":
        at = await _copy(response, file, span.start, span.stop)
        if call.query.follow:
            await _follow(call, response, file, at, task, number)
    await response.write_eof()
    return response


async def _copy(response: web.StreamResponse, file: int, start: int, stop: int) -> int:
    """Send bytes of the file; where it ended. What was cut off meanwhile is sent as zeros by nobody: it just ends."""
    while start < stop:
        chunk = await asyncio.to_thread(os.pread, file, min(CHUNK_BYTES, stop - start), start)
        if not chunk:
            raise ConnectionResetError("the log became shorter while it was read")
        await response.write(chunk)
        start += len(chunk)
    return start


async def _follow(call: Call, response: web.StreamResponse, file: int, at: int, task: int, number: int) -> None:
    """Send what is added until the attempt is over. Looked at before reading, so that the last words are not lost."""
    while True:
        over = not call.gateway.runs_here(task, number)
        at = await _copy(response, file, at, os.fstat(file).st_size)
        if over:
            return
        await asyncio.sleep(LOOK_SECONDS)
        if call.request.transport is None:
            raise ConnectionResetError("the reader left")


ROUTES = (
    Route(
        "GET", "/v1/jobs/{id}/attempts/{n}/log", Role.VIEWER, "Read the log of an attempt (Range, offset, follow)",
        of_job, str, query=g.LogQuery, answers=TEXT, silent=True,
    ),
    Route(
        "GET", "/v1/attempts/{task}/{n}/log", Role.NODE, "Read a log that is kept on this node (for other nodes)",
        of_attempt, str, query=g.LogQuery, answers=TEXT, local=True, silent=True,
    ),
)  # fmt: skip
