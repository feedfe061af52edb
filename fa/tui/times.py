"""Times as people read them. Moments come as RFC 3339 in UTC; ages are counted by the server's clock, coarsely: a
screen on which nothing happens must not change (idle costs no byte on the wire)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

MINUTE, HOUR, DAY = 60, 3600, 86400


def parse(moment: str | int | None) -> datetime | None:
    """A moment as RFC 3339, or as milliseconds since 1970; None for neither."""
    if not moment:
        return None
    try:
        if isinstance(moment, int):
            return datetime.fromtimestamp(moment / 1000, UTC)
        found = datetime.fromisoformat(moment)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Now by the server's clock, the zone of the person, and whether UTC is wanted."""

    now: datetime
    zone: tzinfo | None = None
    utc: bool = False

    def local(self, moment: datetime) -> datetime:
        try:
            return moment.astimezone(UTC if self.utc else self.zone)
        except OverflowError:  # at the ends of the calendar, where the API shows what lies beyond it
            return moment

    def time(self, moment: str | int | None) -> str:
        """ "14:02:31" of today, "11-20 14:02" of another day, "-" for none."""
        found = parse(moment)
        if found is None:
            return "-"
        mine, today = self.local(found), self.local(self.now)
        return f"{mine:%H:%M:%S}" if mine.date() == today.date() else f"{mine:%m-%d %H:%M}"

    def full(self, moment: str | None) -> str:
        found = parse(moment)
        return f"{self.local(found):%Y-%m-%d %H:%M:%S}" if found else "-"

    def age(self, moment: str | None) -> str:
        found = parse(moment)
        return "-" if found is None else age((self.now - found).total_seconds())

    def seconds_since(self, moment: str | None) -> float | None:
        found = parse(moment)
        return None if found is None else (self.now - found).total_seconds()

    def hands(self) -> str:
        """The clock of the header, with its zone: "14:02 +01", "13:02 UTC". Minutes only: see above."""
        now = self.local(self.now)
        offset = now.utcoffset() or timedelta()
        hours = offset.total_seconds() / HOUR
        zone = "UTC" if self.utc or not offset else f"{hours:+03.0f}" if hours == int(hours) else f"{now:%z}"
        return f"{now:%H:%M} {zone}"


def age(seconds: float) -> str:
    if seconds < MINUTE:
        return "<1m"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)}m"
    if seconds < 2 * DAY:
        return f"{int(seconds // HOUR)}h"
    return f"{int(seconds // DAY)}d"


def span(seconds: float | None) -> str:
    """A length of time as h:mm:ss, so that minutes are never taken for hours."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    return f"{whole // HOUR}:{whole % HOUR // MINUTE:02}:{whole % MINUTE:02}"


def roughly(seconds: float) -> str:
    """ "about 14 min", for a sentence."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 2 * HOUR:
        return f"about {round(seconds / MINUTE)} min"
    return f"about {round(seconds / HOUR)} h"


def size(count: int | None) -> str:
    """Bytes with a decimal unit."""
    if count is None:
        return "-"
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if value < 1000 or unit == "PB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
