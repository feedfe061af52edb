"""Bodies and queries of requests, within their limits: bytes in, typed values out, or a problem that helps."""

from __future__ import annotations

import asyncio
import difflib
import re
import types
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args, get_origin

import msgspec
from aiohttp import web

from fa.errors import Invalid
from fa.node.api.problems import BadBody, TooSlow, UnsupportedMedia, too_large

_PLACE = re.compile(r" - at `(?:key in )?(\$[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`", re.DOTALL)


async def read_body(request: web.BaseRequest, limit_bytes: int, timeout_seconds: float) -> bytes:
    """The whole body. Raises `TooLarge` as soon as it is known to be, having kept no more than the limit; `TooSlow`."""
    if request.content_length is not None and request.content_length > limit_bytes:
        raise too_large(limit_bytes)
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMedia
    if not request.body_exists:
        return b""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    if request.content.is_eof():  # it came with the headers, as small ones do
        return _all_there(request, limit_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _collect(request, limit_bytes)
    except TimeoutError:
        raise TooSlow from None
    except web.RequestPayloadError as error:
        raise _broken(error) from None


def _all_there(request: web.BaseRequest, limit_bytes: int) -> bytes:
    try:
        body = request.content.read_nowait()
    except web.RequestPayloadError as error:
        raise _broken(error) from None
    if len(body) > limit_bytes:
        raise too_large(limit_bytes)
    return body


def _broken(error: web.RequestPayloadError) -> Invalid:
    return Invalid(f"The body of the request is broken: {error}.")


async def _collect(request: web.BaseRequest, limit_bytes: int) -> bytes:
    chunks, size = [], 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > limit_bytes:
            raise too_large(limit_bytes)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode_body(raw: bytes, kind: Any) -> Any:
    """JSON of a type that the API takes; raises `BadBody` with the place and, for a typo, what was probably meant."""
    if not raw:
        raise BadBody([("", "it is missing, send JSON")])
    try:
        return _decoder(kind).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBody([explain(str(error), kind)]) from None
    except RecursionError:
        raise BadBody([("", "it is nested too deeply")]) from None


def decode_query(request: web.BaseRequest, kind: type[msgspec.Struct]) -> Any:
    """What is asked after the question mark. Flags may be written as `1`, `true`, or nothing."""
    if not request.rel_url.raw_query_string:
        return kind()
    given = dict(request.query)
    for field in msgspec.structs.fields(kind):
        if field.type is bool and field.name in given:
            given[field.name] = "false" if given[field.name].lower() in ("0", "false", "no") else "true"
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadBody([explain(str(error), kind)]) from None


def explain(sentence: str, kind: Any) -> tuple[str, str]:
    """(JSON pointer, sentence) from a sentence of msgspec about a value that should be of ``kind``."""
    match = _PLACE.search(sentence)
    place = match[1] if match else "$"
    said = sentence[: match.start()] if match else sentence
    unknown = _UNKNOWN.match(said)
    if unknown:
        known = sorted(_fields_at(kind, place))
        near = difflib.get_close_matches(unknown[1], known, 1)
        meant = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known) or 'nothing'}"
        return f"{_pointer(place)}/{_escape(unknown[1])}", f"is not a field: {meant}"
    return _pointer(place), said[:1].lower() + said[1:]


def _pointer(place: str) -> str:
    """`$.jobs[3].source` as `/jobs/3/source`."""
    return re.sub(r"[.\[]+([^.\[\]]+)\]?", r"/\1", place.removeprefix("$"))


def _escape(name: str) -> str:
    return name[:64].replace("~", "~0").replace("/", "~1")


def _fields_at(kind: Any, place: str) -> Iterator[str]:
    """The names of the fields of the struct that ``place`` points at."""
    for step in re.findall(r"\.([^.\[\]]+)", place):
        kind = next((field.type for struct in _structs(kind) for field in _of(struct) if field.name == step), None)
    for struct in _structs(kind):
        yield from (field.encode_name for field in _of(struct))


def _of(struct: Any) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(struct)


def _structs(kind: Any) -> Iterator[Any]:
    """The structs in a type like ``Annotated[list[X], …] | None``."""
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and issubclass(kind, msgspec.Struct):
        yield kind
    elif get_origin(kind) is not None:
        for part in get_args(kind):
            yield from _structs(part)
