"""What a handler answered, as bytes on the wire: JSON, ETag, gzip."""

from __future__ import annotations

import gzip
from hashlib import blake2b

from aiohttp import web

from fa.node.api.call import Answer, Call
from fa.node.api.route import JSON
from fa.node.as_json import encode

COMPRESS_BYTES = 1024  # what is smaller fits a packet anyway


def finish(call: Call, answer: Answer) -> web.Response:
    """The response, with the headers of every reply; 304 when the client has it already; gzip when it helps."""
    headers = call.stamps()
    headers.update(answer.headers)
    body = answer.value if answer.media else encode(answer.value)
    headers["Content-Type"] = answer.media or JSON
    if call.request.method in ("GET", "HEAD") and answer.status == 200:
        etag = headers.setdefault("ETag", f'W/"{blake2b(body, digest_size=12).hexdigest()}"')
        if etag in _tags(call.headers.get("If-None-Match", "")):
            return web.Response(status=304, headers={**headers, "Content-Length": "0"})
    if len(body) > COMPRESS_BYTES and "gzip" in call.headers.get("Accept-Encoding", ""):
        body = gzip.compress(body, 1, mtime=0)
        headers["Content-Encoding"] = "gzip"
        headers["Vary"] = "Accept-Encoding"
    return web.Response(status=answer.status, body=body, headers=headers)


def _tags(header: str) -> set[str]:
    return {tag.strip() for tag in header.split(",")}
