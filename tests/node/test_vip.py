"""The virtual address in a network namespace of its own: taken, announced, given up when the node dies or hangs."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fa.errors import Invalid
from fa.node import arp
from fa.node.found import found
from fa.node.settings import StateDir
from fa.node.vip import VirtualIp
from fa.node.vip_guardian import (
    ALONE,
    ANNOUNCE_AT_ONCE,
    ANNOUNCE_EVERY,
    CONTEST_AFTER,
    CONTEST_OVER,
    SILENCE_MAX,
    Contest,
    VirtualAddress,
)

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")
DEADLINE = 30.0


@pytest.mark.parametrize(
    "text", ["", "10.0.0.9", "10.0.0.9/24", "10.0.0.9@eth0", "10.0.0.9/99@eth0", "x/24@eth0", "10.0.0.9/24@"]
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="virtual address"):
        VirtualAddress.parse(text)


def test_an_array_is_not_founded_with_an_address_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="virtual address"):
        found(StateDir(tmp_path / "a"), array="t", node="a", listen="127.0.0.1:7001", volumes={}, vip="10.0.0.9")
    assert not (tmp_path / "a").exists()


def test_an_announcement_says_who_and_where_to_everybody() -> None:
    frame = arp.announcement(b"\x02\0\0\0\0\x01", "10.9.0.9")
    assert len(frame) == 42
    assert frame[:6] == b"\xff" * 6
    assert struct.unpack("!H", frame[12:14]) == (0x0806,)
    assert frame[28:32] == frame[38:42] == bytes((10, 9, 0, 9))
    assert frame[22:28] == b"\x02\0\0\0\0\x01"
    assert arp.claimant(frame, "10.9.0.9") == b"\x02\0\0\0\0\x01"
    assert arp.claimant(frame, "10.9.0.8") is None
    assert arp.claimant(frame[:41], "10.9.0.9") is None


def test_a_question_claims_nothing() -> None:
    frame = arp.probe(b"\x02\0\0\0\0\x01", "10.9.0.9")
    assert len(frame) == 42
    assert frame[38:42] == bytes((10, 9, 0, 9))
    assert arp.claimant(frame, "10.9.0.9") is None


def test_a_holder_that_was_deposed_has_a_moment_to_see_it() -> None:
    contest = Contest(since=100.0)
    contest.heard(b"\x02\0\0\0\0\x07", 99.0)
    assert contest.told(99.0) == ALONE
    contest.heard(b"\x02\0\0\0\0\x07", 101.0)
    assert contest.told(101.0) == "other 02:00:00:00:00:07"
    assert contest.told(101.0 + CONTEST_OVER) == ALONE


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"fa-vip-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        run = ["ip", "-n", name]
        subprocess.run([*run, "link", "add", "v0", "type", "veth", "peer", "name", "v1"], check=True)
        subprocess.run([*run, "link", "set", "v0", "up"], check=True)
        subprocess.run([*run, "link", "set", "v1", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def has_address(namespace: str) -> bool:
    shown = subprocess.run(["ip", "-n", namespace, "addr", "show", "v0"], capture_output=True, text=True, check=True)
    return "10.9.0.9/24" in shown.stdout


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def start(namespace: str) -> subprocess.Popen[bytes]:
    helper = [sys.executable, "-m", "fa.node.helper", "_vip-guardian", "10.9.0.9/24@v0"]
    words = ["ip", "netns", "exec", namespace, *helper]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def say(guardian: subprocess.Popen[bytes], word: bytes) -> None:
    assert guardian.stdin is not None
    guardian.stdin.write(word + b"\n")
    guardian.stdin.flush()


@ROOT
def test_taken_and_dropped_on_order(namespace: str) -> None:
    guardian = start(namespace)
    say(guardian, b"take")
    assert eventually(lambda: has_address(namespace))
    say(guardian, b"drop")
    assert eventually(lambda: not has_address(namespace))
    guardian.stdin.close()  # type: ignore[union-attr]
    assert guardian.wait(DEADLINE) == 0


@ROOT
def test_given_up_when_the_node_dies(namespace: str) -> None:
    guardian = start(namespace)
    say(guardian, b"take")
    assert eventually(lambda: has_address(namespace))
    guardian.stdin.close()  # type: ignore[union-attr]
    assert guardian.wait(DEADLINE) == 0
    assert not has_address(namespace)


@ROOT
def test_given_up_when_the_node_is_silent_and_taken_again(namespace: str) -> None:
    guardian = start(namespace)
    say(guardian, b"take")
    assert eventually(lambda: has_address(namespace))
    assert eventually(lambda: not has_address(namespace)), "nobody gave a sign of life"
    say(guardian, b"take")
    assert eventually(lambda: has_address(namespace))
    guardian.stdin.close()  # type: ignore[union-attr]
    assert guardian.wait(DEADLINE) == 0


LISTENER = """
import socket
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
raw.bind(("v1", 0))
print("listens", flush=True)
while True:
    frame = raw.recv(64)
    if frame[28:32] == bytes((10, 9, 0, 9)):
        print("heard", flush=True)
"""


@ROOT
def test_announced_again_and_again_while_it_is_held_and_never_after(namespace: str) -> None:
    """Who missed the first ones learns it from a later one; who was deposed does not take clients back."""
    words = ["ip", "netns", "exec", namespace, sys.executable, "-c", LISTENER]
    guardian = start(namespace)
    with subprocess.Popen(words, stdout=subprocess.PIPE, bufsize=0) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"listens\n"
        say(guardian, b"take")
        for _ in range(ANNOUNCE_AT_ONCE):
            assert listener.stdout.readline() == b"heard\n"

        def again() -> bool:
            say(guardian, b"hold")
            return bool(select.select([listener.stdout], [], [], SILENCE_MAX / 4)[0])

        assert eventually(again)
        say(guardian, b"drop")
        assert eventually(lambda: not has_address(namespace))
        while select.select([listener.stdout], [], [], 0.5)[0]:  # what was on its way
            os.read(listener.stdout.fileno(), 4096)
        say(guardian, b"hold")
        assert not select.select([listener.stdout], [], [], ANNOUNCE_EVERY + 1.0)[0]
        listener.kill()
    guardian.stdin.close()  # type: ignore[union-attr]
    assert guardian.wait(DEADLINE) == 0


@ROOT
def test_what_an_earlier_life_left_is_removed(namespace: str) -> None:
    subprocess.run(["ip", "-n", namespace, "addr", "add", "10.9.0.9/24", "dev", "v0"], check=True)
    guardian = start(namespace)
    assert eventually(lambda: not has_address(namespace))
    guardian.send_signal(signal.SIGKILL)
    guardian.wait(DEADLINE)


@ROOT
def test_who_else_claims_the_address_is_told_until_it_is_over(namespace: str) -> None:
    """A machine of another array: its kernel answers whoever asks. The address is held all the same."""
    guardian, other = start(namespace), f"{namespace}-other"
    told_by = guardian.stdout
    assert told_by is not None
    subprocess.run(["ip", "netns", "add", other], check=True)
    try:
        subprocess.run(["ip", "-n", namespace, "link", "set", "v1", "netns", other], check=True)
        subprocess.run(["ip", "-n", other, "link", "set", "v1", "up"], check=True)
        subprocess.run(["ip", "-n", other, "addr", "add", "10.9.0.9/24", "dev", "v1"], check=True)

        def told() -> bool:
            say(guardian, b"take")
            return bool(select.select([told_by], [], [], SILENCE_MAX / 4)[0])

        began = time.monotonic()
        assert eventually(told)
        assert time.monotonic() - began > CONTEST_AFTER - 1.0
        assert told_by.readline() == f"other {card(other)}\n".encode()
        assert has_address(namespace)
        subprocess.run(["ip", "-n", other, "addr", "del", "10.9.0.9/24", "dev", "v1"], check=True)
        assert eventually(told)
        assert told_by.readline() == b"alone\n"
        guardian.stdin.close()  # type: ignore[union-attr]
        assert guardian.wait(DEADLINE) == 0
    finally:
        subprocess.run(["ip", "netns", "del", other], check=False)


def card(namespace: str) -> str:
    shown = subprocess.run(["ip", "-n", namespace, "-j", "link", "show", "v1"], capture_output=True, check=True)
    return str(json.loads(shown.stdout)[0]["address"])


async def test_the_node_says_who_else_claims_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    speaks = "import sys; print(sys.stdin.readline() and 'other 02:00:00:00:00:07', flush=True); sys.stdin.readline(); "
    speaks += "print('alone', flush=True); sys.stdin.read()"
    monkeypatch.setattr("fa.node.vip.helper_command", lambda *_: [sys.executable, "-c", speaks])
    vip = VirtualIp("10.9.0.9/24@v0")
    runs = asyncio.create_task(vip.run())
    async with asyncio.timeout(DEADLINE):
        while "02:00:00:00:00:07 answers" not in vip.trouble:
            await asyncio.sleep(0.01)
        while vip.trouble:
            await asyncio.sleep(0.01)
    runs.cancel()
    await asyncio.gather(runs, return_exceptions=True)
