"""A whole copy of the store from one node to another, over a connection of its own so that heartbeats never wait."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
from aiohttp import web

from fa.core.position import Position
from fa.errors import Invalid, Unavailable
from fa.node.authority import host_of
from fa.replication.checksum import PageSums
from fa.replication.directory import ReplicaDirectory
from fa.replication.errors import SegmentTruncated
from fa.replication.snapshot import snapshot_for_peer, write_diff
from fa.replication.state import PAGE_SIZE
from fa.replication.transfer import (
    ANNOUNCEMENT,
    CHUNK_BYTES,
    CHUNK_HEADER,
    Announcement,
    Kind,
    Receiver,
    announce,
    chunks,
)

COPY_PATH = "/v1/peer/copy"
ANNOUNCEMENT_BYTES = ANNOUNCEMENT.size + 8
STALL_AFTER = 30.0  # seconds without a byte
SPARE_BYTES = 16 << 20  # are left on the disk besides a copy, for votes and what else the node must write
MEDIA = "application/octet-stream"


async def send_copy(
    request: web.BaseRequest, directory: ReplicaDirectory, array_id: str, acknowledged: Position, theirs: bytes = b""
) -> web.StreamResponse:
    """Stream what makes the asking copy equal: the announcement, then framed chunks.

    With the page sums of its file (`theirs`) only the pages that differ; else a snapshot from which single segments
    lead on to now."""
    if theirs:
        made = await asyncio.to_thread(_make_diff, directory, array_id, acknowledged, theirs)
    else:
        made = await asyncio.to_thread(_make_snapshot, directory, array_id, acknowledged)
    told, path = made
    try:
        response = web.StreamResponse(headers={"Content-Type": MEDIA})
        await response.prepare(request)
        await response.write(told.to_bytes())
        pieces = chunks(path)
        while piece := await asyncio.to_thread(next, pieces, b""):
            await response.write(piece)
        await response.write_eof()
        return response
    finally:
        if told.kind is Kind.DIFF:
            path.unlink(missing_ok=True)


def _make_snapshot(directory: ReplicaDirectory, array_id: str, acknowledged: Position) -> tuple[Announcement, Path]:
    file, position, epoch = snapshot_for_peer(directory, acknowledged.txid)
    return announce(Kind.SNAPSHOT, file.path, array_id, position, epoch), file.path


def _make_diff(
    directory: ReplicaDirectory, array_id: str, acknowledged: Position, theirs: bytes
) -> tuple[Announcement, Path]:
    epoch = directory.chain.epoch(acknowledged.txid)
    if len(theirs) % 8 or epoch is None:
        raise Invalid("These are no page sums, or nothing was acknowledged yet.")
    path = directory.root / f"outgoing-{secrets.token_hex(8)}.copy"
    write_diff(directory, acknowledged, PageSums.from_bytes(PAGE_SIZE, theirs), path)
    return announce(Kind.DIFF, path, array_id, acknowledged, epoch), path


class Fetcher:
    """Fetches copies. `address` gives where a node is, None when it is not known."""

    def __init__(self, array_id: str, context: ssl.SSLContext, address: Callable[[str], str | None]) -> None:
        self._array_id = array_id
        self._context = context
        self._address = address

    async def fetch(self, source: str, target: Path, sums: bytes = b"") -> Announcement:
        """Write the copy of `source`, or with the page `sums` of ours what differs, to `target`: durably, and verified
        against its checksum.

        Raises `Unavailable`, `SegmentError`, `OSError`, `aiohttp.ClientError`, `TimeoutError`."""
        address = self._address(source)
        if address is None:
            raise Unavailable(f"{source} is not known here.")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=STALL_AFTER, sock_read=STALL_AFTER)
        host = host_of(self._array_id, source)
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
            session.post(address + COPY_PATH, data=sums, ssl=self._context, server_hostname=host) as response,
        ):
            if response.status != 200:
                raise Unavailable(f"{source} gives no copy now (HTTP {response.status}).")
            return await _receive(response.content, target)


async def _receive(content: aiohttp.StreamReader, target: Path) -> Announcement:
    told = Announcement.from_bytes(await _exactly(content, ANNOUNCEMENT_BYTES))
    if shutil.disk_usage(target.parent).free < told.size + SPARE_BYTES:
        raise Unavailable(f"There is no room here for a copy of {told.size >> 20} MiB.", hint="Make room on this disk.")
    receiver = Receiver(told, target)
    try:
        async for chunk in _chunks(content, told.size):
            await asyncio.to_thread(receiver.take, chunk)
        await asyncio.to_thread(receiver.finish)
    finally:
        receiver.close()
    return told


async def _chunks(content: aiohttp.StreamReader, size: int) -> AsyncIterator[bytes]:
    done = 0
    while done < size:
        length = min(CHUNK_BYTES, size - done)
        yield await _exactly(content, CHUNK_HEADER.size + length)
        done += length


async def _exactly(content: aiohttp.StreamReader, count: int) -> bytes:
    try:
        return await content.readexactly(count)
    except asyncio.IncompleteReadError:
        raise SegmentTruncated("The copy ended before its announced size.") from None
