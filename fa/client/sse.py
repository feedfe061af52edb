"""Server-sent events out of a stream of bytes (WHATWG HTML, section 9.2): pure, fed with whatever arrives."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fa.client.problems import BadAnswer

EVENT_BYTES_MAX = 4 << 20


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its topic, the id to resume after ("" = not resumable), the JSON value. A comment (heartbeat) has
    the name ``""`` and its text as data."""

    name: str
    id: str
    data: Any


class Parser:
    """Feed it bytes as they come; it gives out the events that are complete. Raises `BadAnswer` for what is no SSE."""

    def __init__(self) -> None:
        self._rest = b""
        self._forget()

    def _forget(self) -> None:
        self._name, self._id, self._lines, self._bytes = "message", "", list[str](), 0

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        *lines, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        if len(self._rest) > EVENT_BYTES_MAX:
            raise BadAnswer("An event of the stream is too long.", hint="Is this the address of a node?")
        events = (self._line(line) for line in lines)
        return [event for event in events if event is not None]

    def _line(self, raw: bytes) -> ServerEvent | None:
        self._bytes += len(raw)
        if self._bytes > EVENT_BYTES_MAX:
            raise BadAnswer("An event of the stream is too long.", hint="Is this the address of a node?")
        line = raw.decode("utf-8", "replace")
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not field:
            return ServerEvent("", "", value)
        if field == "event":
            self._name = value
        elif field == "id":
            self._id = value
        elif field == "data":
            self._lines.append(value)
        return None

    def _dispatch(self) -> ServerEvent | None:
        name, id_, lines = self._name, self._id, self._lines
        self._forget()
        return ServerEvent(name, id_, _value("\n".join(lines))) if lines else None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
