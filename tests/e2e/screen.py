"""A program in a terminal, as a person would have it: read until something shows, press keys, see it end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time

from tests.e2e import kit


class Screen:
    """A program in a terminal of 80×24."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.seen = b""

    def until(self, text: bytes) -> None:
        """Read until ``text`` was written, answering where the cursor is when asked."""
        end = time.monotonic() + kit.DEADLINE
        while text not in self.seen:
            assert time.monotonic() < end, f"{text!r} is not in {self.seen[-2000:]!r}"
            if select.select([self.fd], [], [], 1.0)[0]:
                self._read()

    def _read(self) -> bool:
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data
        if b"\x1b[6n" in data:
            os.write(self.fd, b"\x1b[5;5R")
        return bool(data)

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def over(self) -> int:
        """The exit code, when it has ended by itself."""
        end = time.monotonic() + kit.DEADLINE
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 1.0)[0] and not self._read():
                os.close(self.fd)
                return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        raise AssertionError(f"it does not end: {self.seen[-2000:]!r}")
