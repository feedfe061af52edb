"""A log as a window of lines: chunks of bytes from its end, more when the reader scrolls up. Pure.

Only what is read is fetched: a log of gigabytes opens as fast as one of ten lines (the pattern is toolong's). While
the attempt runs its end is asked for again, from where the last answer stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CHUNK = 64 * 1024
BYTES_MAX = 32 * CHUNK  # kept; the far side goes


@dataclass(slots=True)
class Log:
    """`start` and `end` are byte offsets of what is held; `size` what the server says there is."""

    start: int = 0
    end: int = 0
    size: int = 0
    lines: list[str] = field(default_factory=list)
    _held: bytes = b""

    def fresh(self, body: bytes, headers: Mapping[str, str]) -> None:
        """The tail of the log, as first read."""
        self.size = _size(headers, len(body))
        self.start, self.end = self.size - len(body), self.size
        self._hold(body)

    def earlier(self, body: bytes) -> int:
        """What lies before; how many lines came in above."""
        before = len(self.lines)
        self.start -= len(body)
        kept = (body + self._held)[:BYTES_MAX]
        self.end = self.start + len(kept)
        dropped = len(self._held) + len(body) - len(kept)
        self._hold(kept)
        return len(self.lines) - before if not dropped else self._count(body)

    def later(self, body: bytes) -> int:
        """What came after; how many lines went away above."""
        self.end += len(body)
        self.size = max(self.size, self.end)
        kept = (self._held + body)[-BYTES_MAX:]
        gone = self._held[: len(self._held) + len(body) - len(kept)]
        self.start = self.end - len(kept)
        self._hold(kept)
        return self._count(gone)

    def before(self) -> tuple[int, int] | None:
        """Offset and length of the chunk above; None at the top."""
        if self.start <= 0:
            return None
        offset = max(0, self.start - CHUNK)
        return offset, self.start - offset

    def _hold(self, held: bytes) -> None:
        self._held = held
        text = held.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\r", "\n")
        self.lines = text.removesuffix("\n").split("\n") if text else []

    @staticmethod
    def _count(part: bytes) -> int:
        return part.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")


def _size(headers: Mapping[str, str], least: int) -> int:
    """The size of the whole log, as the server says it."""
    found = {name.lower(): value for name, value in headers.items()}.get("fa-log-size", "")
    return max(int(found), least) if found.isdigit() else least
