"""Job tickets: an XML or JSON file, dropped into a watch folder, that asks for jobs (docs/monitors.md, "Tickets").

    <ticket>                                    {"ticket": {
      <source>clip.mxf</source>                    "source": "clip.mxf",
      <factory>proxy</factory>                     "factory": ["proxy", "archive"],
      <priority>high</priority>                    "priority": "high",
      <answer>true</answer>                        "answer": true
    </ticket>                                   }}

They come from outside, so what is read is bounded, and the XML reader takes no document type: without one there are no
entities, no external files, nothing that grows. A document that is no ticket at all is somebody else's."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.parsers import expat

from fa.core.arrivals import Ticket
from fa.core.monitor import FACTORIES_MAX, Monitor
from fa.core.places import BadPlace, parse_place
from fa.core.reading import Reader, boolean, name_of, seconds, text_of
from fa.core.recipe import parse_priority
from fa.errors import Unprocessable

BYTES_MAX = 256 << 10
SAID_MAX = 2000  # characters of what is wrong with a ticket: they are kept, and shown in lists of events
KEYS = ("source", "factory", "priority", "subject", "description", "defer", "answer")
_DEPTH_MAX = 2
_defer = seconds(0, 30 * 86400, 'must be a time up to 720 h, such as "2h"')


class NoTicket(Exception):
    """It is a document of another kind: none of fa's business."""


class TicketError(Unprocessable):
    """The ticket cannot be carried out as it stands; no job was made."""

    code = "bad-ticket"


def parse_ticket(path: str, content: bytes, monitor: Monitor) -> Ticket:
    """The ticket in the file at `path` (below the watched folder). Raises `TicketError`, and `NoTicket` for a sound
    document without a ticket in it. A source without a volume lies beside the ticket."""
    if len(content) > BYTES_MAX:
        raise TicketError(f"The ticket is larger than {BYTES_MAX >> 10} KiB; it was not read.")
    fields = _from_xml(content) if path.lower().endswith(".xml") else _from_json(content)
    reader = Reader(fields)
    ticket = _ticket(reader, path, monitor)
    if not (ticket.factories or monitor.factories):
        reader.problem("factory", "is missing, and the monitor names none")
    if reader.problems:
        said = "; ".join(f"{pointer} {sentence}" for pointer, sentence in reader.problems)
        said = said if len(said) <= SAID_MAX else f"{said[:SAID_MAX]}…"
        raise TicketError(f"The ticket cannot be used: {said}.", hint="Correct it and drop it again.")
    return ticket


def _ticket(reader: Reader, path: str, monitor: Monitor) -> Ticket:
    reader.refuse_unknown(KEYS)
    return Ticket(
        source=reader.need("source", lambda value: _source(value, path, monitor), ""),
        factories=reader.take("factory", _factories, ()),
        priority=reader.take("priority", _priority, None),
        subject=reader.take("subject", text_of, ""),
        description=reader.take("description", text_of, ""),
        defer=reader.take("defer", _defer, 0.0),
        answer=reader.take("answer", _yes, False),
    )


def _source(value: Any, path: str, monitor: Monitor) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a file beside the ticket, or volume:path")
    folder = path.rpartition("/")[0]
    beside = "/".join(part for part in (monitor.folder.path, folder, value) if part)
    place = value if re.match(r"[A-Za-z0-9][A-Za-z0-9_-]*:", value) else f"{monitor.folder.volume}:{beside}"
    try:
        return str(parse_place(place))
    except BadPlace as error:
        raise ValueError(f"is no place: {error.detail}") from None


def _factories(value: Any) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not 0 < len(names) <= FACTORIES_MAX:
        raise ValueError(f"must be the name of a factory, or 1 to {FACTORIES_MAX} of them")
    return tuple(dict.fromkeys(name_of(name) for name in names))


def _priority(value: Any) -> int:
    return parse_priority(int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,3}", value, re.ASCII) else value)


def _yes(value: Any) -> bool:
    return boolean({"true": True, "false": False}.get(value, value) if isinstance(value, str) else value)


def _from_json(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TicketError(f"The ticket is not JSON: {error}.") from None
    if not isinstance(document, dict) or "ticket" not in document:
        raise NoTicket
    if not isinstance(document["ticket"], dict):
        raise TicketError('What "ticket" names must be an object.')
    _check_characters(document["ticket"])
    return document["ticket"]


def _check_characters(ticket: dict[str, Any]) -> None:
    """JSON can name half a character, which no link and no store takes. A byte of a file name that is no UTF-8 is one
    that they take."""
    try:
        json.dumps(ticket, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except (UnicodeEncodeError, RecursionError):
        raise TicketError("The ticket holds half a character (a lone surrogate), or is nested too deeply.") from None


def _from_xml(content: bytes) -> dict[str, Any]:
    reader = _Xml()
    try:
        reader.parse(content)
    except expat.ExpatError as error:
        raise TicketError(f"The ticket is not XML: {error}.") from None
    return {name: values[0] if len(values) == 1 else values for name, values in reader.fields.items()}


class _Xml:
    """`<ticket>` with one element per field, text only; `<factory>` may come several times."""

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        self._open: list[str] = []
        self._text: list[str] = []
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append

    def parse(self, content: bytes) -> None:
        self._parser.Parse(content, True)

    def _doctype(self, *_: Any) -> None:
        raise TicketError("The ticket declares a document type or entities; those are never read.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name != "ticket":
            raise NoTicket
        if len(self._open) == _DEPTH_MAX or attributes:
            raise TicketError(f"The element <{name[:40]}> of the ticket holds more than text.")
        self._open.append(name)
        self._text.clear()

    def _end(self, name: str) -> None:
        self._open.pop()
        if self._open:
            self.fields.setdefault(name, []).append("".join(self._text).strip())
            self._text.clear()
