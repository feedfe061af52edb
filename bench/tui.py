"""What the dashboard costs: first paint, key to paint, memory, bytes on the wire; against 1,000,000 jobs.

``python bench/tui.py``: starts an array that answers for a million jobs, runs the dashboard in a pty of 120×36, answers
as a terminal does, and prints one line per figure with its limit (issue E). The exit code is 1 when a limit is
passed."""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
QUESTION, ANSWER = b"\x1b[6n", b"\x1b[10;10R"
START = "import sys; from fa.client.target import Target; from fa.tui.app import run; run(Target(socket=sys.argv[1]))"
READY_SECONDS = 30.0


class Terminal:
    """A program in a pty; counts what it writes and answers what a terminal answers."""

    def __init__(self, command: list[str], columns: int, rows: int) -> None:
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            env = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
            for name in ("COLORTERM", "NO_COLOR", "SSH_CONNECTION", "TMUX"):
                env.pop(name, None)
            os.execvpe(command[0], command, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.seen = b""

    def read(self, seconds: float, until: bytes = b"") -> float | None:
        """Take what comes for so long, or until ``until`` was seen; when that was (perf_counter)."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                data = os.read(self.fd, 65536)
                self.seen += data
                for _ in range(data.count(QUESTION)):
                    os.write(self.fd, ANSWER)
                if until and until in self.seen:
                    return time.perf_counter()
        return None

    def forget(self) -> int:
        count, self.seen = len(self.seen.replace(QUESTION, b"")), b""
        return count

    def press(self, keys: bytes) -> float:
        """Seconds until the screen answers."""
        self.read(0.05)
        self.forget()
        begun = time.perf_counter()
        os.write(self.fd, keys)
        end = begun + READY_SECONDS
        while time.perf_counter() < end:
            if select.select([self.fd], [], [], 0.5)[0]:
                took = time.perf_counter() - begun
                self.read(0.02)
                return took
        return READY_SECONDS

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@contextmanager
def array(jobs: int, moving: int) -> Iterator[str]:
    """The socket of an array that answers for so many jobs, ``moving`` of which run."""
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/fa.sock"
        command = [sys.executable, "-m", "tests.tui.fake", socket, str(jobs), str(moving)]
        server = subprocess.Popen(command, cwd=ROOT)
        try:
            end = time.monotonic() + READY_SECONDS
            while not Path(socket).exists():
                assert time.monotonic() < end, "the array did not start"
                time.sleep(0.05)
            yield socket
        finally:
            server.kill()
            server.wait()


@contextmanager
def dashboard(socket: str, columns: int, rows: int) -> Iterator[Terminal]:
    terminal = Terminal([sys.executable, "-c", START, socket], columns, rows)
    try:
        yield terminal
    finally:
        terminal.close()


def first_paint(socket: str, columns: int, rows: int) -> float:
    """Seconds from the start of the program to the first screen."""
    with dashboard(socket, columns, rows) as terminal:
        return (terminal.read(READY_SECONDS, b"Array") or terminal.started + READY_SECONDS) - terminal.started


def measure(jobs: int, columns: int, rows: int, seconds: float) -> list[tuple[str, float, str, float]]:
    """(what, value, unit, limit; 0 = no limit)."""
    found: list[tuple[str, float, str, float]] = []
    with array(jobs, 0) as socket, dashboard(socket, columns, rows) as terminal:
        found.append(("first paint, best of 3", min(first_paint(socket, columns, rows) for _ in range(3)), "s", 1.0))
        terminal.read(READY_SECONDS, b"studio")
        terminal.press(b"2")
        terminal.read(2.0)
        keys = [terminal.press(b"j") for _ in range(40)]
        found.append(("key to paint, median of 40", statistics.median(keys) * 1000, "ms", 100.0))
        found.append(("key to paint, worst of 40", max(keys) * 1000, "ms", 0.0))
        pages = [terminal.press(b"\x1b[6~") for _ in range(10)]
        found.append(("page to paint, median of 10", statistics.median(pages) * 1000, "ms", 100.0))
        found.append(("end of the list to paint", terminal.press(b"G") * 1000, "ms", 0.0))
        found.append(("memory", psutil.Process(terminal.pid).memory_info().rss / 1e6, "MB", 80.0))
        terminal.read(3.0)
        terminal.forget()
        terminal.read(seconds)
        found.append(("idle", terminal.forget() / seconds, "B/s", 1.0))
    with array(jobs, 50) as socket, dashboard(socket, columns, rows) as terminal:
        terminal.read(READY_SECONDS, b"studio")
        terminal.press(b"2")
        terminal.read(2.0)
        terminal.forget()
        process = psutil.Process(terminal.pid)
        before = sum(process.cpu_times()[:2])
        terminal.read(seconds)
        found.append(("50 moving bars", terminal.forget() / seconds / 1000, "kB/s", 12.0))
        found.append(("50 moving bars, CPU", (sum(process.cpu_times()[:2]) - before) / seconds * 100, "%", 0.0))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--rows", type=int, default=36)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long bytes are counted")
    args = parser.parse_args()
    over = 0
    for what, value, unit, limit in measure(args.jobs, args.columns, args.rows, args.seconds):
        bad = bool(limit) and value > limit
        over += bad
        told = f"   limit {limit:g}{'  PASSED' if bad else ''}" if limit else ""
        print(f"{what:<30}{value:>10.2f} {unit:<5}{told}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
