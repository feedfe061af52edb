"""The log of a child: kept on disk within bounds, and read for errors as it passes.

The first ``HEAD`` and the last ``TAIL`` bytes are kept: the head tells what was opened, the tail why it ended. A
damaged source makes ffmpeg write millions of lines; neither disk nor memory follows.
"""

from __future__ import annotations

import re
from collections import deque
from typing import BinaryIO

HEAD = 4 << 20
TAIL = 4 << 20
KEPT_LINES = 40
_LINE_MAX = 2000

_LEVEL = re.compile(r"\[(error|fatal|panic)\] ?")
_CONTEXT = re.compile(r"^(\[[^\]]* @ 0x[0-9a-f]+\] ?)+")
_BENIGN = re.compile(
    r"Unsupported codec with id 0 for input stream"  # a data stream that nobody asked for
    r"|Last message repeated"
    r"|^Cannot load |^No device available"
)


class LogReader:
    """Splits into lines, keeps the last ones, and those that ffmpeg tagged as errors. Pure.

    ``errors`` holds the first ``KEPT_LINES``, without level and address; ``error_count`` counts all.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.error_count = 0
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._pending = b""

    def feed(self, data: bytes) -> None:
        *lines, pending = re.split(rb"[\r\n]", self._pending + data)
        self._pending = pending[:_LINE_MAX]
        for line in lines:
            if line:
                self._line(line[:_LINE_MAX].decode("utf-8", "replace"))

    def close(self) -> None:
        """The last line, when no newline ended it."""
        if self._pending:
            self._line(self._pending.decode("utf-8", "replace"))
            self._pending = b""

    def _line(self, line: str) -> None:
        self.lines.append(line)
        level = _LEVEL.search(line)
        if level is None or _BENIGN.search(line):
            return
        self.error_count += 1
        if len(self.errors) < KEPT_LINES:
            self.errors.append(printable(_CONTEXT.sub(_named, line[: level.start()]) + line[level.end() :]))


def printable(text: str) -> str:
    """Foreign text without control, bidi or line-breaking characters, for messages and screens."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text).strip()


def _named(context: re.Match[str]) -> str:
    """``[h264 @ 0x55…] `` as ``h264: ``: the address helps nobody."""
    names = re.findall(r"\[([^\]]*) @ 0x", context.group())
    return f"{names[-1]}: " if names and names[-1] != "NULL" else ""


class LogFile:
    """The file: the head is written as it comes (so that a running attempt can be watched), the tail at the end."""

    def __init__(self, file: BinaryIO, head: int = HEAD, tail: int = TAIL) -> None:
        self._file = file
        self._head = head
        self._tail_limit = tail
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._left_out = 0

    def write(self, data: bytes) -> None:
        head, rest = data[: self._head], data[self._head :]
        self._head -= len(head)
        if head:
            self._file.write(head)
        if rest:
            self._keep(rest)

    def close(self) -> None:
        if self._left_out:
            self._file.write(f"\n[... {self._left_out} bytes left out by fa ...]\n".encode())
        self._file.write(b"".join(self._tail))
        self._file.close()

    def _keep(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size > self._tail_limit:
            dropped = self._tail.popleft()
            excess = min(len(dropped), self._tail_size - self._tail_limit)
            if excess < len(dropped):
                self._tail.appendleft(dropped[excess:])
            self._tail_size -= excess
            self._left_out += excess
