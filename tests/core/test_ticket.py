"""Job tickets, as machines and people drop them, and as attackers do."""

from __future__ import annotations

import pytest

from fa.core.arrivals import Ticket
from fa.core.monitor import parse_monitor
from fa.core.ticket import BYTES_MAX, NoTicket, TicketError, parse_ticket

MONITOR = parse_monitor('name = "m"\nfolder = "san:in"\nfactories = ["one"]\ntickets = true\n')
BARE = parse_monitor('name = "m"\nfolder = "san:in"\ntickets = true\n')


def test_the_same_in_xml_and_json() -> None:
    wanted = Ticket("san:in/day 1/clip.mxf", ("proxy", "archive"), 75, "News & more", "", 90.0, True)
    xml = b"""<?xml version="1.0"?><ticket><source>clip.mxf</source><factory>proxy</factory><factory>archive</factory>
    <priority>high</priority><subject>News &amp; more</subject><defer>90s</defer><answer>true</answer></ticket>"""
    json = b"""{"ticket": {"source": "clip.mxf", "factory": ["proxy", "archive"], "priority": "high",
    "subject": "News & more", "defer": 90, "answer": true}}"""
    assert parse_ticket("day 1/t.xml", xml, MONITOR) == wanted
    assert parse_ticket("day 1/t.JSON", json, MONITOR) == wanted


def test_little_is_enough() -> None:
    assert parse_ticket("t.xml", b"<ticket><source>nas:a/b</source></ticket>", MONITOR) == Ticket("nas:a/b", ())
    assert parse_ticket("t.xml", b"<ticket><source>a</source><priority>7</priority></ticket>", MONITOR).priority == 7


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.json", b"{", "not JSON"),
        ("t.json", b'{"ticket": 5}', "object"),
        ("t.json", b'{"ticket": {}}', "source is missing"),
        ("t.json", b'{"ticket": {"source": "../x"}}', "no place"),
        ("t.json", b'{"ticket": {"source": "/etc/passwd"}}', "no place"),
        ("t.json", b'{"ticket": {"source": 5}}', "beside the ticket"),
        ("t.json", b'{"ticket": {"source": "a", "factory": []}}', "name of a factory"),
        ("t.json", b'{"ticket": {"source": "a", "factory": "../x"}}', "letters"),
        ("t.json", b'{"ticket": {"source": "a", "prio": 1}}', "did you mean 'priority'?"),
        ("t.json", b'{"ticket": {"source": "a", "priority": true}}', "0 to 100"),
        ("t.json", b'{"ticket": {"source": "a", "answer": "maybe"}}', "true or false"),
        ("t.json", b"[" * 100_000, "not JSON"),
        ("t.json", rb'{"ticket": {"source": "a", "subject": "\ud800"}}', "half a character"),
        ("t.json", b'{"ticket": {"source": "a", "subject": "\xed\xa0\x80"}}', "half a character"),
        ("t.json", rb'{"ticket": {"source": "a", "\ud800": 1}}', "half a character"),
        ("t.xml", b"<ticket><source>a</source>", "not XML"),
        ("t.xml", b"", "not XML"),
        ("t.xml", b"<ticket><source>a</source><source>b</source></ticket>", "beside the ticket"),
        ("t.xml", b"<ticket><source><b>x</b></source></ticket>", "more than text"),
        ("t.xml", b'<ticket source="a"/>', "more than text"),
        ("t.xml", b"\xff\xfe\xff", "not XML"),
        ("t.xml", b"<ticket>" + b" " * BYTES_MAX + b"</ticket>", "larger"),
    ],
)
def test_mistakes_are_named(name: str, content: bytes, words: str) -> None:
    with pytest.raises(TicketError, match=r"\.") as caught:
        parse_ticket(name, content, MONITOR)
    assert words in caught.value.detail


@pytest.mark.parametrize(
    "doctype",
    [
        b'<!DOCTYPE ticket [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        b'<!DOCTYPE ticket [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE ticket SYSTEM "http://example.org/x.dtd">',
    ],
)
def test_entities_and_document_types_are_never_read(doctype: bytes) -> None:
    with pytest.raises(TicketError, match="document type or entities"):
        parse_ticket("t.xml", doctype + b"<ticket><source>&x;</source></ticket>", MONITOR)


@pytest.mark.parametrize(("name", "content"), [("a.xml", b"<meta><source>x</source></meta>"), ("a.json", b"[]")])
def test_other_documents_are_none_of_our_business(name: str, content: bytes) -> None:
    with pytest.raises(NoTicket):
        parse_ticket(name, content, MONITOR)


def test_somebody_must_name_a_factory() -> None:
    with pytest.raises(TicketError, match="factory is missing, and the monitor names none"):
        parse_ticket("t.xml", b"<ticket><source>a</source></ticket>", BARE)


def test_a_ticket_full_of_mistakes_is_no_long_event() -> None:
    fields = ",".join(f'"unknown{number}": 0' for number in range(9000)).encode()
    with pytest.raises(TicketError) as caught:
        parse_ticket("t.json", b'{"ticket": {"source": "a", ' + fields + b"}}", MONITOR)
    assert len(str(caught.value)) < 2500
    assert "unknown0 is not" in caught.value.detail
