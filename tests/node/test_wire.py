"""What goes over a peer link comes out as it went in, also names that are no UTF-8."""

from __future__ import annotations

from typing import Any

import pytest

from fa.core import watch_messages as m
from fa.core.arrivals import Sighting, Ticket
from fa.core.commands import Order
from fa.core.work import Heard, ReportKind, Running, WorkBeat
from fa.node.wire import BadFrame, decode, encode

ORDER = Order(1, 2, 3, "a", 4, "p", "san:in/clip.mxf", "san:out/x", "f", 1, "", 50, 1, "cpu", 1)
ODD = "san:in/\udcff\udc80 ü\n.mxf"


@pytest.mark.parametrize(
    "message",
    [
        ORDER,
        Heard(1, 2, ReportKind.FAILED),
        WorkBeat("a", 1, 2, 3, 4, (Running(1, 1, "flipping", 0.5, None, 1.5),), ((1, 1),)),
        m.Watches(7, (m.WatchOrder(1, 1, 'name = "x"'),)),
        m.KnownPage(1, 0, b"\xff\x00", None),
        m.Sightings("a", 1, 2, (Sighting("in/a", 1, 2, 3, "ab", Ticket("san:a", ("f", "g"), answer=True)),)),
        m.WatchBeat("a", 7, (m.WatchStatus(1, 1, growing=(m.Growing("in/a", 5, 0.5),)),)),
        m.AfterOrder(1, 1, "in/a", 1, 2, "done", "{}"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_comes_out_as_it_went_in(message: Any) -> None:
    assert decode(encode(message)) == (message, None)


@pytest.mark.parametrize(
    "message",
    [
        Order(1, 2, 3, "a", 4, "p", ODD, "san:out/x", "f", 1, "ü", 50, 1, "cpu", 1),
        m.Sightings("a", 1, 2, (Sighting(ODD, 1, 2, 3, "ab", Ticket(ODD, ("f",))),)),
        m.SightingsHeard(1, 2, ("", ODD)),
        m.AfterOrder(1, 1, ODD, 1, 2, "done", "{}"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_name_that_is_no_utf8_goes_through(message: Any) -> None:
    assert decode(encode(message)) == (message, None)


@pytest.mark.parametrize("name", [b"Order", b"~Order", b"Nothing", b"~Nothing"])
def test_what_does_not_fit_is_refused(name: bytes) -> None:
    frame = encode(ORDER)
    broken = frame[:4] + frame[4:].replace(b"\xa5Order", bytes([0xA0 + len(name)]) + name).replace(b"task", b"tusk")
    sized = (len(broken) - 4).to_bytes(4, "big") + broken[4:]
    with pytest.raises(BadFrame):
        decode(sized)


def test_half_a_frame_is_refused() -> None:
    for cut in (b"", b"\0", encode(ORDER)[:-3]):
        with pytest.raises(BadFrame):
            decode(cut)


@pytest.mark.parametrize("name", [b"Heard", b"~Heard"])
def test_what_is_nested_without_end_is_refused(name: bytes) -> None:
    """An error of another kind ended the dialler of that peer until a restart."""
    deep = bytes([0x81, 0xA5]) + b"epoch" + b"\x91" * 100_000 + b"\xc0"
    body = bytes([0x92, 0xA0 + len(name)]) + name + deep
    with pytest.raises(BadFrame):
        decode(len(body).to_bytes(4, "big") + body)
