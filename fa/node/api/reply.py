"""What a handler answered, as bytes on the wire: JSON, ETag, gzip."""

from __future__ import annotations

import gzip
from hashlib import blake2b
from typing import Any

import msgspec
from aiohttp import web

from fa.node.api.call import Answer, Call
from fa.node.api.route import JSON

COMPRESS_BYTES = 1024  # what is smaller fits a packet anyway

_encoder = msgspec.json.Encoder(enc_hook=str)


def encode(value: Any) -> bytes:
    """JSON. Text that is no UTF-8 (names of files may not be) is shown with escapes."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_shown(msgspec.to_builtins(value)))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_shown(key): _shown(inner) for key, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


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
