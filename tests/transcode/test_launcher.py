"""The launcher: what it starts, what it refuses, and who dies with whom."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fa.transcode import launcher
from fa.transcode.capture import NotStarted, capture
from fa.transcode.child import Child
from fa.transcode.launching import Launcher, launcher_command
from fa.transcode.sandbox import NICENESS, Limits, Sandbox
from tests.transcode.test_runner import alive, until, wait_for


@pytest.fixture
def fenced(sandbox: Sandbox) -> Iterator[Sandbox]:
    if sandbox.launcher is None:
        pytest.skip("the launcher does not work on this machine")
    own = replace(sandbox, launcher=Launcher(launcher_command()))
    yield own
    own.close()


def begin(sandbox: Sandbox, script: str, *, contain: bool = False, log: Callable[[bytes], None] = print) -> Child:
    words = ["/bin/sh", "-c", script]
    return Child(words, sandbox, Limits(), contain=contain, on_output=lambda data: None, on_log=log)


def launcher_of(sandbox: Sandbox) -> int:
    assert sandbox.launcher is not None and sandbox.launcher._process is not None, "it was begun"
    return sandbox.launcher._process.pid


@pytest.mark.parametrize("contain", [False, True])
async def test_children_die_with_the_launcher(contain: bool, fenced: Sandbox, tmp_path: Path) -> None:
    child = begin(fenced, f": > {tmp_path}/began; exec sleep 1000", contain=contain)
    await until((tmp_path / "began").exists, "it began")
    os.kill(launcher_of(fenced), signal.SIGKILL)
    assert await child.finish_within(20) is False
    wait_for(lambda: not alive(child.pid), "the kernel ended it")
    assert child.returncode == -signal.SIGKILL
    after = begin(fenced, "exit 7", contain=contain)
    assert await after.finish_within(20) is False
    assert after.returncode == 7, "another launcher took over"


async def test_children_end_when_it_is_closed(fenced: Sandbox, tmp_path: Path) -> None:
    child = begin(fenced, f": > {tmp_path}/began; exec sleep 1000")
    await until((tmp_path / "began").exists, "it began")
    fenced.close()
    assert await child.finish_within(20) is False
    wait_for(lambda: not alive(child.pid), "it ended")


async def test_it_outlives_the_signals_that_stop_a_service(fenced: Sandbox) -> None:
    await begin(fenced, "exit 0").finish_within(20)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(launcher_of(fenced), number)
    before = launcher_of(fenced)
    child = begin(fenced, "kill -TERM $$; sleep 1000")
    await child.finish_within(20)
    assert (child.returncode, launcher_of(fenced)) == (-signal.SIGTERM, before), "and its children do not"


@pytest.fixture
def ignores() -> Iterator[None]:
    """As a node that was begun by `nohup` in a program that ignores something else as well."""
    numbers = (signal.SIGHUP, signal.SIGIO)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("ignores")
async def test_a_child_has_what_it_inherits_and_nothing_else(fenced: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("from the source")
    with (tmp_path / "source").open() as low:
        high = os.dup(low.fileno())
        os.dup2(high, 200)
        try:
            script = f"cat /proc/self/fd/{high} >&2; ls /proc/$$/fd; grep SigIgn /proc/$$/status"
            told = await capture(["/bin/sh", "-c", script], fenced, pass_fds=(high, 200))
        finally:
            os.close(high)
            os.close(200)
    assert told.log == b"from the source"
    *numbers, _, ignored = told.output.split()
    assert sorted(map(int, numbers)) == sorted([0, 1, 2, high, 200])
    assert not [each for each in signal.valid_signals() if int(ignored, 16) >> (each - 1) & 1]


async def test_what_cannot_begin_says_why(fenced: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="No such file"):
        await capture(["/nowhere/tool"], fenced)
    (tmp_path / "plain").write_text("")
    with pytest.raises(NotStarted, match="Permission denied"):
        await capture([str(tmp_path / "plain")], fenced)


def test_a_child_gets_the_namespaces_that_were_asked_for() -> None:
    every = {"user": True, "network": True, "contain": True}
    assert launcher.flags_of(every) == 0x10000000 | 0x40000000 | 0x20000000 | 0x20000
    assert launcher.flags_of(dict.fromkeys(every, False)) == 0


async def test_a_command_line_without_end_is_an_error_of_this_machine(fenced: Sandbox) -> None:
    with pytest.raises(OSError, match="too long"):
        begin(fenced, "x" * (1 << 20))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="too long"):
        begin(fenced, "x" * (1 << 20))
    assert len(os.listdir("/proc/self/fd")) == before
    assert await begin(fenced, "exit 0").finish_within(20) is False


async def test_many_begin_at_once(fenced: Sandbox) -> None:
    children = [begin(fenced, f"exit {number % 100}; {'x' * 4000}") for number in range(150)]
    assert not any(await asyncio.gather(*(child.finish_within(60) for child in children)))
    assert [child.returncode for child in children] == [number % 100 for number in range(150)]


def test_it_serves_nobody_but_its_parent() -> None:
    tried = subprocess.run([*launcher_command(), str(os.getpid() + 1)], stdin=subprocess.DEVNULL, check=False)
    assert tried.returncode == launcher.ORPHANED


def test_whoever_leaves_an_answer_unread_ends_it_as_well() -> None:
    """As a node does that is killed at that moment: the kernel calls it a reset. No log of a node has a traceback."""
    order = {"number": 1, "argv": ["/bin/sleep", "1000"], "env": {}, "cwd": ""}
    order |= {"inherit": [], "limits": {}, "nice": 0, "user": False, "network": False, "contain": False}
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [*launcher_command(), str(os.getpid())]
    with there, subprocess.Popen(command, stdin=there.fileno(), stderr=subprocess.PIPE) as begun:
        with here:
            socket.send_fds(here, [json.dumps(order).encode()], [1, 2])
            wait_for(lambda: select.select([here], [], [], 0)[0], "it answers")
        assert begun.communicate(timeout=60) == (None, b"")
        assert begun.returncode == 0


ORPHAN = """
import os, socket, subprocess, sys
from fa.transcode import launcher
gone = subprocess.Popen(["true"])
channel = socket.socketpair()[0]
served = launcher._Launcher(channel)
served._self = os.pidfd_open(gone.pid)
gone.wait()
order = {"argv": ["/bin/echo", "alive"], "env": {}, "cwd": "", "inherit": [], "limits": {}, "nice": 0}
order |= {"user": False, "network": False, "contain": False}
pid = served._fork(order, [1, 2])
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_child_whose_launcher_died_first_never_starts() -> None:
    tried = subprocess.run(
        [sys.executable, "-c", ORPHAN], capture_output=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert tried.stdout == b"125\n"


async def test_a_loop_of_its_own_has_a_launcher_of_its_own(fenced: Sandbox) -> None:
    await begin(fenced, "exit 0").finish_within(20)
    first = launcher_of(fenced)

    async def other() -> int:
        child = begin(fenced, "exit 3")
        await child.finish_within(20)
        return child.returncode

    assert await asyncio.to_thread(asyncio.run, other()) == 3
    assert launcher_of(fenced) != first


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="needs a kernel with autogroups")
@pytest.mark.parametrize("contain", [False, True])
async def test_the_session_of_a_child_stands_back(contain: bool, fenced: Sandbox) -> None:
    said: list[bytes] = []
    await begin(fenced, "cat /proc/self/autogroup >&2; nice >&2", contain=contain, log=said.append).finish_within(20)
    most = min(19, NICENESS + os.getpriority(os.PRIO_PROCESS, 0))
    assert b"".join(said).split()[1:] == [b"nice", str(NICENESS).encode(), str(most).encode()]
