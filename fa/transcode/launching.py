"""How a child begins: through the launcher where this machine lets it, else as a subprocess of this process.

Either way it begins in a session of its own, and its listener hears of its process and of its end on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fa.transcode import launcher

TRY_SECONDS = 10.0
SEND_SECONDS = 2.0


class Listener(Protocol):
    """Of one child. `began` comes first, except for a child that could not begin."""

    def began(self, pid: int) -> None: ...
    def ended(self, returncode: int, cpu: float, why: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Start:
    """What begins. `output` and `log` are the descriptors of its stdout and stderr; `inherit` those that it finds under
    the same numbers as here."""

    argv: Sequence[str]
    environment: dict[str, str]
    output: int
    log: int
    cwd: str = ""
    inherit: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Fences:
    """What the launcher puts around it. `limits`: bytes or counts by name of resource, without RLIMIT_."""

    limits: dict[str, int]
    nice: int
    user: bool
    network: bool
    contain: bool


def start_directly(start: Start, listener: Listener) -> None:
    """As a subprocess, with the fences that its own command line puts up. Raises OSError."""
    process = subprocess.Popen(
        start.argv,
        stdin=subprocess.DEVNULL,
        stdout=start.output,
        stderr=start.log,
        cwd=start.cwd or None,
        env=start.environment,
        start_new_session=True,
        pass_fds=start.inherit,
    )
    loop, pid_fd = asyncio.get_running_loop(), os.pidfd_open(process.pid)

    def reap() -> None:
        """The pidfd is readable: the child has ended, waiting for it does not block."""
        loop.remove_reader(pid_fd)
        os.close(pid_fd)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        listener.ended(process.returncode, usage.ru_utime + usage.ru_stime)

    loop.add_reader(pid_fd, reap)
    listener.began(process.pid)


class Launcher:
    """The launcher of this node, begun when it is first needed. Use it from the thread of the event loop, the node's
    main thread: it dies with the thread that began it."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._number = 0
        self._listeners: dict[int, Listener] = {}

    def start(self, start: Start, fences: Fences, listener: Listener) -> None:
        """Raises OSError when the launcher cannot be reached."""
        channel = self._reach()
        self._number += 1
        descriptors = (start.output, start.log, *start.inherit)
        message = [_order(self._number, start, fences)]
        try:
            socket.send_fds(channel, message, descriptors)
        except BlockingIOError:  # many begin at once
            select.select([], [channel], [], SEND_SECONDS)
            socket.send_fds(channel, message, descriptors)
        self._listeners[self._number] = listener

    def close(self) -> None:
        """End it, and with it all that it started."""
        if self._channel is not None:
            self._lose()

    def _reach(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        if self._channel is not None and self._loop is not loop:
            self.close()
        if self._channel is None:
            here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with there:
                self._process = subprocess.Popen(
                    [*self._command, str(os.getpid())],
                    stdin=there.fileno(), stdout=subprocess.DEVNULL, start_new_session=True, env={"PATH": os.defpath},
                )  # fmt: skip
            here.setblocking(False)
            loop.add_reader(here, self._heard)
            self._loop, self._channel = loop, here
        return self._channel

    def _heard(self) -> None:
        assert self._channel is not None, "it is read while it is open"
        with contextlib.suppress(BlockingIOError):
            while data := self._receive(self._channel):
                news = json.loads(data)
                if "pid" in news:
                    self._listeners[news["number"]].began(news["pid"])
                else:
                    self._listeners.pop(news["number"]).ended(news["code"], news["cpu"], news.get("why", ""))
            self._lose()

    def _receive(self, channel: socket.socket) -> bytes:
        try:
            return channel.recv(launcher.ORDER_MAX)
        except ConnectionResetError:
            return b""

    def _lose(self) -> None:
        """It is gone, and the kernel ends its children; the next child gets another one."""
        assert self._channel is not None and self._process is not None and self._loop is not None, "it was there"
        if not self._loop.is_closed():
            self._loop.remove_reader(self._channel)
        self._channel.close()
        self._process.kill()
        self._process.wait()
        self._channel, listeners, self._listeners = None, self._listeners, {}
        for listener in listeners.values():
            listener.ended(-signal.SIGKILL, 0.0)


def launcher_works(fences: Fences) -> bool:
    """Whether a launcher can start something behind these fences here. Blocking, some hundredths of a second."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there, Path(os.devnull).open("wb") as nothing:
        command = [*launcher_command(), str(os.getpid())]
        with subprocess.Popen(command, stdin=there.fileno(), stdout=nothing, stderr=nothing) as process:
            there.close()
            here.settimeout(TRY_SECONDS)
            start = Start(["true"], {"PATH": os.environ.get("PATH", os.defpath)}, nothing.fileno(), nothing.fileno())
            try:
                socket.send_fds(here, [_order(1, start, fences)], (start.output, start.log))
                told = [json.loads(here.recv(launcher.ORDER_MAX)) for _ in range(2)]
            except (OSError, ValueError):
                return False
            finally:
                process.kill()
    return bool(told[1].get("code") == 0)


def _order(number: int, start: Start, fences: Fences) -> bytes:
    order = {
        "number": number, "argv": list(start.argv), "env": start.environment, "cwd": start.cwd,
        "inherit": start.inherit, "limits": fences.limits, "nice": fences.nice, "user": fences.user,
        "network": fences.network, "contain": fences.contain,
    }  # fmt: skip
    return json.dumps(order).encode()


def launcher_command() -> list[str]:
    """argv of the launcher, without the process that it serves."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "_launcher"]
    return [sys.executable, "-I", "-S", str(Path(launcher.__file__))]
