"""The virtual address in a network namespace of its own: taken, announced, given up when the node dies or hangs."""

from __future__ import annotations

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
from fa.node.found import found
from fa.node.settings import StateDir
from fa.node.vip_guardian import ANNOUNCE_AT_ONCE, ANNOUNCE_EVERY, SILENCE_MAX, VirtualAddress, arp_announcement

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
    frame = arp_announcement(b"\x02\0\0\0\0\x01", "10.9.0.9")
    assert len(frame) == 42
    assert frame[:6] == b"\xff" * 6
    assert struct.unpack("!H", frame[12:14]) == (0x0806,)
    assert frame[28:32] == frame[38:42] == bytes((10, 9, 0, 9))
    assert frame[22:28] == b"\x02\0\0\0\0\x01"


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
    return subprocess.Popen(["ip", "netns", "exec", namespace, *helper], stdin=subprocess.PIPE)


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
