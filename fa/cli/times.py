"""Times and sizes as people write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fa.errors import Invalid

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(?:(ms|s|m|h|d|w)|(s)econds?|(m)inutes?|(h)ours?|(d)ays?|(w)eeks?)?", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def parse_span(text: str) -> float:
    """Seconds in ``90``, ``500ms``, ``2s``, ``5m``, ``1h``, ``7d``, ``2w``, ``3 hours``. Raises `Invalid`."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise Invalid(f"{text!r} is not a span of time.", hint="Write 30s, 5m, 1h or 7d.")
    unit = next(filter(None, match.groups()[1:]), "s")
    return float(match[1]) * _UNITS[unit]


def parse_moment(text: str, now: datetime) -> datetime:
    """A moment: a span from now (``30m``), a time of day in the zone of ``now`` (``22:00``, the next one), or RFC 3339.

    Raises `Invalid`."""
    hint = "Write 30m (from now), 22:00 (the next one), or 2026-11-22T02:00:00Z."
    if _SPAN.fullmatch(text.strip()):
        return _moved(now, parse_span(text), hint)
    moment = _told(text, now, hint)
    return moment + timedelta(days=1) if _CLOCK.fullmatch(text.strip()) and moment <= now else moment


def parse_past(text: str, now: datetime) -> datetime:
    """A moment that is over: how long ago (``1h ago``), a time of day in the zone of ``now`` (``22:00``, the last one),
    or RFC 3339. Raises `Invalid`, also for a span alone: nobody knows in which direction."""
    hint = "Write '1h ago', 22:00 (the last one), or 2026-11-22T02:00:00Z."
    if text.strip().endswith(" ago"):
        return _moved(now, -parse_span(text.strip().removesuffix(" ago")), hint)
    moment = _told(text, now, hint)
    return moment - timedelta(days=1) if _CLOCK.fullmatch(text.strip()) and moment > now else moment


def _moved(now: datetime, seconds: float, hint: str) -> datetime:
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        raise Invalid("There is no moment so far away.", hint=hint) from None


def _told(text: str, now: datetime, hint: str) -> datetime:
    """A time of day, today, or RFC 3339."""
    try:
        if match := _CLOCK.fullmatch(text.strip()):
            told = {"hour": int(match[1]), "minute": int(match[2]), "second": int(match[3] or 0)}
            return _zoned(now.replace(**told, microsecond=0, tzinfo=None), now)
        moment = datetime.fromisoformat(text.strip())
        return moment if moment.tzinfo else _zoned(moment, now)
    except (ValueError, OverflowError):
        raise Invalid(f"{text!r} is not a moment.", hint=hint) from None


def _zoned(moment: datetime, now: datetime) -> datetime:
    """In the zone of ``now``. Where that is the zone of this machine, as its clocks showed it on that day: the offset
    of ``now`` may be that of summer, and the moment in winter."""
    if now.utcoffset() == now.astimezone().utcoffset():
        return moment.astimezone()
    return moment.replace(tzinfo=now.tzinfo)


def read_time(value: object) -> datetime | None:
    """A time of the API (RFC 3339); None for what is none."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo else None


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds, as the API writes times."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age(seconds: float) -> str:
    """Two or three characters that say how long ago: 42s, 17m, 5h, 12d."""
    seconds = max(0.0, seconds)
    for limit, size, unit in ((100, 1, "s"), (6000, 60, "m"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds // 86400)}d"


def clock(seconds: float) -> str:
    """h:mm:ss, hours always, so that nobody takes minutes for hours."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def size(count: float) -> str:
    """Bytes with a decimal unit and three figures at most: 999 B, 1.2 MB, 34 GB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("the loop ends at TB")
