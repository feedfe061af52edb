"""Events come out whole, however the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fa.client.problems import BadAnswer
from fa.client.sse import EVENT_BYTES_MAX, Parser, ServerEvent

STREAM = (
    ': hello\n\nid: 7-1\nevent: job\ndata: {"id": 1}\n\n: beat\n\nevent: progress\r\ndata: {"4":\r\ndata:  0.5}\r\n\r\n'
    'data: plain\nretry: 10\n\nid: 7-2\n\nevent: event\nid: 7-3\ndata: "Grüße"\n\n'
).encode()
EVENTS = [
    ServerEvent("", "", "hello"),
    ServerEvent("job", "7-1", {"id": 1}),
    ServerEvent("", "", "beat"),
    ServerEvent("progress", "", {"4": 0.5}),
    ServerEvent("message", "", "plain"),
    ServerEvent("event", "7-3", "Grüße"),
]


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(0, len(STREAM))))
def test_any_cut_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    parser = Parser()
    found = [event for a, b in pairwise(edges) for event in parser.feed(STREAM[a:b])]
    assert found == EVENTS


@settings(deadline=None, derandomize=True, database=None)
@given(st.binary())
def test_anything_else_is_borne(junk: bytes) -> None:
    Parser().feed(junk)


@pytest.mark.parametrize("chunk", [b"x" * 65536, b"data: " + b"x" * 65529 + b"\n"])
def test_an_endless_event_is_refused(chunk: bytes) -> None:
    parser = Parser()
    with pytest.raises(BadAnswer):
        for _ in range(EVENT_BYTES_MAX // len(chunk) + 2):
            parser.feed(chunk)
