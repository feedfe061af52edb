"""The launcher: a small process beside a node that starts the node's children, each behind its fences.

A process without threads may do between fork and exec what one with threads may not: so one fork stands here for a row
of small programs (`unshare`, `prlimit`, `nice`, `setpriv`, `sh`), of which each start costs a millisecond of CPU. It
imports nothing but a little of the standard library: the smaller it is, the cheaper is a fork. What is alike for all
children it has done to itself before, so that they inherit it: code in a child pays for each page of memory that it
touches.

One datagram on its stdin, a socket, is one order: JSON, with the descriptors of the child's output and log, and those
that it inherits. It answers twice: when the child has begun, and how it ended. Whoever closes the socket, or dies, ends
it and all its children.

The order of the steps matters. Entering a user namespace changes credentials, and that clears the parent-death signal:
so the signal is set after it. The parent may die before the signal is set: so a last look at the parent comes after it.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
from typing import Any, NoReturn

_CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine, 0)
_NEW_MOUNTS, _NEW_USER, _NEW_PIDS, _NEW_NETWORK = 0x20000, 0x10000000, 0x20000000, 0x40000000
_NOSUID_NODEV_NOEXEC, _PRIVATE_BELOW = 2 | 4 | 8, 0x4000 | 0x40000
_SET_DEATH_SIGNAL, _NO_NEW_PRIVS = 1, 38

ORDER_MAX = 1 << 18
"""Bytes of an order: command line and environment."""

DESCRIPTORS_MAX = 250
ORPHANED, CANNOT_RUN, NOT_FOUND = 125, 126, 127
"""How a child ends that was not begun: codes of shells."""

_libc = ctypes.PyDLL(None, use_errno=True)
"""PyDLL: nothing is let go around a call, so that a child finds the interpreter as its parent left it."""


def main(parent: int) -> int:
    """Serve the process that started this one, until it asks no more."""
    _set(_SET_DEATH_SIGNAL, signal.SIGKILL)
    _set(_NO_NEW_PRIVS, 1)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # who stops a whole service lets its node end what runs
    if os.getppid() != parent:
        return ORPHANED
    with socket.socket(fileno=0) as channel:
        served = _Launcher(channel)
        gc.disable()  # a collection touches every object, and here nothing is ever in a circle
        served.serve()
    return 0


def flags_of(order: dict[str, Any]) -> int:
    """The namespaces of a child: its own user, network and processes (with the mount of /proc that these need). Who may
    make an empty network without being somebody else makes one for all children: that is half the price of a fork."""
    flags = _NEW_USER | (_NEW_NETWORK if order["network"] else 0) if order["user"] else 0
    return flags | (_NEW_PIDS | _NEW_MOUNTS if order["contain"] else 0)


class _Launcher:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._self = os.pidfd_open(os.getpid())
        self._nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.epoll()
        self._poll.register(channel, select.EPOLLIN)
        self._running: dict[int, tuple[int, int]] = {}  # pidfd → (number of the order, process)
        self._without_network = False
        self._ignored = [each for each in signal.valid_signals() if signal.getsignal(each) == signal.SIG_IGN]

    def serve(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._running:
                    self._reap(descriptor)
                elif not self._take_order():
                    return self._end_all()

    def _take_order(self) -> bool:
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self._channel, ORDER_MAX, DESCRIPTORS_MAX, socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:  # its end as well, with an answer unread
            return False
        if not data:
            return False
        order = json.loads(data)
        try:
            pid = self._fork(order, descriptors)
        except OSError as error:
            self._tell({"number": order["number"], "code": CANNOT_RUN, "cpu": 0.0, "why": str(error)})
        else:
            pid_fd = os.pidfd_open(pid)
            self._running[pid_fd] = (order["number"], pid)
            self._poll.register(pid_fd, select.EPOLLIN)
            self._tell({"number": order["number"], "pid": pid})
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _fork(self, order: dict[str, Any], descriptors: list[int]) -> int:
        flags, user, group = flags_of(order), os.geteuid(), os.getegid()
        if flags and not _CLONE:
            raise OSError(f"no namespaces on {os.uname().machine}")
        if order["network"] and not order["user"] and not self._without_network:
            _check(_libc.unshare(_NEW_NETWORK), "unshare")
            self._without_network = True
        pid = int(_libc.syscall(_CLONE, ctypes.c_ulong(flags | signal.SIGCHLD), 0, 0, 0, 0)) if flags else os.fork()
        if pid == 0:
            self._become(order, descriptors, (user, group))
        if pid < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return pid

    def _become(self, order: dict[str, Any], descriptors: list[int], owner: tuple[int, int]) -> NoReturn:
        """In the child: put up the fences, and become the command."""
        code = CANNOT_RUN
        try:
            os.setsid()
            _enter(order, owner)
            for number, descriptor in enumerate((self._nothing, *descriptors[:2])):
                os.dup2(descriptor, number)
            self._promise()
            if self._is_orphan():
                os._exit(ORPHANED)
            _inherit(descriptors[2:], order["inherit"])
            if order["cwd"]:
                os.chdir(order["cwd"])
            _limit(order["limits"], order["nice"])
            os.execvpe(order["argv"][0], order["argv"], order["env"])
        except BaseException as error:  # whatever it is, only an end may follow in this process
            code = NOT_FOUND if isinstance(error, FileNotFoundError) else code
            os.write(2, f"{order['argv'][0]}: {error}\n".encode("utf-8", "replace"))
        finally:
            os._exit(code)

    def _promise(self) -> None:
        """Death together with the launcher, and signals as a fresh process has them."""
        _set(_SET_DEATH_SIGNAL, signal.SIGKILL)
        for each in self._ignored:  # by the launcher, or by whoever started the node
            signal.signal(each, signal.SIG_DFL)

    def _is_orphan(self) -> bool:
        """The launcher ended before its end was the child's as well."""
        look = select.poll()
        look.register(self._self, select.POLLIN)
        return bool(look.poll(0))

    def _reap(self, pid_fd: int) -> None:
        number, pid = self._running.pop(pid_fd)
        self._poll.unregister(pid_fd)
        os.close(pid_fd)
        _, status, usage = os.wait4(pid, 0)
        self._tell(
            {"number": number, "code": os.waitstatus_to_exitcode(status), "cpu": usage.ru_utime + usage.ru_stime}
        )

    def _end_all(self) -> None:
        for _, pid in self._running.values():
            os.kill(pid, signal.SIGKILL)

    def _tell(self, news: dict[str, Any]) -> None:
        try:
            self._channel.send(json.dumps(news).encode())
        except (BrokenPipeError, ConnectionResetError):
            return  # the next look at the socket shows its end


def _enter(order: dict[str, Any], owner: tuple[int, int]) -> None:
    """Be somebody in the own user namespace, and see only the own processes."""
    if order["user"]:
        for name, line in (("setgroups", "deny"), ("uid_map", f"0 {owner[0]} 1"), ("gid_map", f"0 {owner[1]} 1")):
            _write(f"/proc/self/{name}", line)
    if order["contain"]:
        _mount(b"none", b"/", None, _PRIVATE_BELOW)
        _mount(b"proc", b"/proc", b"proc", _NOSUID_NODEV_NOEXEC)


def _write(path: str, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def _mount(source: bytes, target: bytes, kind: bytes | None, flags: int) -> None:
    _check(_libc.mount(source, target, kind, ctypes.c_ulong(flags), None), os.fsdecode(target))


def _limit(limits: dict[str, int], niceness: int) -> None:
    """Never above the hard limits that the node itself was given: raising those is not for everybody."""
    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(which)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (most, most))
    _stand_back(niceness)


def _stand_back(niceness: int) -> None:
    """Behind the node. Where the kernel groups processes by session (sched(7), "autogroup"), niceness counts within a
    session only, and each child has one of its own: there the group stands back as well."""
    os.nice(niceness)
    try:
        _write("/proc/self/autogroup", str(niceness))
    except OSError:
        return  # this kernel has no such groups


def _set(option: int, value: int) -> None:
    words = [ctypes.c_ulong(each) for each in (option, value, 0, 0, 0)]
    _check(_libc.prctl(*words), "prctl")


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)


def _inherit(have: list[int], wanted: list[int]) -> None:
    """The descriptors under the numbers that the node knows them by; all others are closed."""
    above = max(wanted, default=2) + 1
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above) for descriptor in have]
    for descriptor, number in zip(high, wanted, strict=True):
        os.dup2(descriptor, number)
    first = 3
    for number in sorted(wanted):
        os.closerange(first, number)
        first = number + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
