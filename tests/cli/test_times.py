"""Spans, moments, ages and sizes as people write and read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from fa.cli.times import age, clock, parse_moment, parse_past, parse_span, read_time, rfc3339, size
from fa.errors import Invalid

NOW = datetime(2026, 1, 2, 20, 30, 15, 5, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("500ms", 0.5),
        ("2s", 2),
        ("1.5m", 90),
        ("1h", 3600),
        ("7d", 604800),
        ("1 hour", 3600),
        ("2days", 172800),
        ("5 minutes", 300),
        (" 2w ", 1209600),
    ],
)
def test_spans(text: str, seconds: float) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1y", "1 h 2 m", "٣s"])
def test_no_spans(text: str) -> None:
    with pytest.raises(Invalid):
        parse_span(text)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("30m", "2026-01-02T20:00:15.000Z"),
        ("22:00", "2026-01-02T21:00:00.000Z"),
        ("20:30", "2026-01-03T19:30:00.000Z"),
        ("6:05:07", "2026-01-03T05:05:07.000Z"),
        ("2026-11-22T02:00:00Z", "2026-11-22T02:00:00.000Z"),
        ("2026-11-22T02:00", "2026-11-22T01:00:00.000Z"),
    ],
)
def test_moments(text: str, utc: str) -> None:
    assert rfc3339(parse_moment(text, NOW)) == utc


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("30m ago", "2026-01-02T19:00:15.000Z"),
        (" 1 hour ago ", "2026-01-02T18:30:15.000Z"),
        ("22:00", "2026-01-01T21:00:00.000Z"),
        ("20:30", "2026-01-02T19:30:00.000Z"),
        ("2026-11-22T02:00:00Z", "2026-11-22T02:00:00.000Z"),
    ],
)
def test_moments_that_are_over(text: str, utc: str) -> None:
    assert rfc3339(parse_past(text, NOW)) == utc


@pytest.mark.parametrize(
    ("now", "text", "utc"),
    [
        ("2026-10-26T12:00Z", "2026-10-24T22:00", "2026-10-24T20:00:00.000Z"),
        ("2026-10-24T12:00Z", "2026-10-26T22:00", "2026-10-26T21:00:00.000Z"),
        ("2026-10-26T12:00Z", "10:00", "2026-10-26T09:00:00.000Z"),
    ],
)
def test_moments_of_the_other_half_of_the_year(monkeypatch: pytest.MonkeyPatch, now: str, text: str, utc: str) -> None:
    """Summer time ended on the 25th; the offset of now was taken for every day."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        there = datetime.fromisoformat(now).astimezone()
        assert rfc3339(parse_past(text, there)) == utc
    time.tzset()


@pytest.mark.parametrize("text", ["30m", "1d", "90", "-1d ago", "ago", "soon", "99999999999d ago", "800000d ago"])
def test_no_moments_that_are_over(text: str) -> None:
    """A span alone gave the store of now: what is to come is after the last transaction."""
    with pytest.raises(Invalid, match=r"1h ago|span"):
        parse_past(text, NOW)


@pytest.mark.parametrize("text", ["25:00", "12:61", "tomorrow", "", "99999999999d", "9999999d"])
def test_no_moments(text: str) -> None:
    with pytest.raises(Invalid):
        parse_moment(text, NOW)


@pytest.mark.parametrize("value", [None, 5, "x", "2026-01-02T03:04:05"])
def test_what_is_no_time_of_the_api(value: object) -> None:
    assert read_time(value) is None


def test_times_are_read_back() -> None:
    assert read_time("2026-01-02T03:04:05.678Z") == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (99, "99s"),
        (100, "1m"),
        (5999, "99m"),
        (6000, "1h"),
        (172799, "47h"),
        (172800, "2d"),
        (8.64e7, "1000d"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (3661, "1:01:01"), (-1, "0:00:00")])
def test_clocks(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_600, "1.0 MB"),
        (3.2e15, "3200 TB"),
    ],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text
