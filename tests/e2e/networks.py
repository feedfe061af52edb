"""Nodes in network namespaces of their own, joined by a bridge: cables that can be cut, one way or both.

The bridge is in a namespace too, so that nothing of the machine's own network is touched and everything is gone when
the namespaces are deleted. Names are never used twice: the kernel tears a namespace down some time after its name."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e import kit

SUBNET = "10.77.0"
VIP = f"{SUBNET}.200"
PORT = 7001


def missing() -> str:
    """What this machine lacks for networks of its own, for the reason of a skip; empty: nothing."""
    if os.geteuid() != 0:
        return "needs root (network namespaces)"
    tools = [tool for tool in ("ip", "iptables") if shutil.which(tool) is None]
    if tools:
        return f"needs {' and '.join(tools)}"
    name = f"fa-try-{secrets.token_hex(4)}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"needs network namespaces: {tried.stderr.strip()}"
    _ip("netns", "del", name)
    return ""


class Network:
    """One bridge, and hosts on it with addresses 10.77.0.1 and up. A host is known by its name."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(4)
        self._hosts: list[str] = []
        self._bridge = self._namespace("bridge")
        _ip("netns", "add", self._bridge)
        _ip("-n", self._bridge, "link", "add", "name", "bridge0", "type", "bridge")
        _ip("-n", self._bridge, "link", "set", "dev", "bridge0", "up")

    def plug_in(self, host: str) -> None:
        """A new host with a cable to the bridge."""
        self._hosts.append(host)
        inside, end = self._namespace(host), f"v-{host}"
        _ip("netns", "add", inside)
        _ip("-n", self._bridge, "link", "add", "name", end, "type", "veth", "peer", "name", "eth0", "netns", inside)
        _ip("-n", self._bridge, "link", "set", "dev", end, "master", "bridge0", "up")
        _ip("-n", inside, "address", "add", f"{self.address(host)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", inside, "link", "set", "dev", device, "up")

    def address(self, host: str) -> str:
        return f"{SUBNET}.{self._hosts.index(host) + 1}"

    def inside(self, host: str) -> Sequence[str]:
        """What to put before a command so that it runs on that host."""
        return ("ip", "netns", "exec", self._namespace(host))

    def holds(self, host: str, address: str) -> bool:
        return f"inet {address}/" in _ip("-n", self._namespace(host), "address", "show", "dev", "eth0")

    # --- cuts ---

    def isolate(self, host: str) -> None:
        """Nothing comes in, nothing goes out."""
        self.deafen(host)
        self.mute(host)

    def deafen(self, host: str) -> None:
        """It can send, but hears nobody."""
        self._drop(host, "INPUT", "-i", "eth0")

    def mute(self, host: str) -> None:
        """It hears, but nobody hears it."""
        self._drop(host, "OUTPUT", "-o", "eth0")

    def part(self, host: str, other: str) -> None:
        """These two do not reach each other any more; everybody else does."""
        self._drop(host, "INPUT", "-s", self.address(other))
        self._drop(host, "OUTPUT", "-d", self.address(other))

    def heal(self) -> None:
        for host in self._hosts:
            self._iptables(host, "-F")

    def close(self) -> None:
        for namespace in (*map(self._namespace, self._hosts), self._bridge):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)

    def _drop(self, host: str, *rule: str) -> None:
        self._iptables(host, "-A", *rule, "-j", "DROP")

    def _iptables(self, host: str, *words: str) -> None:
        subprocess.run([*self.inside(host), "iptables", "-w", *words], capture_output=True, check=True)

    def _namespace(self, host: str) -> str:
        return f"fa-{self._mark}-{host}"


class Array(kit.Array):
    """An array whose nodes are on hosts of their own; the volume is seen by all, whatever is cut."""

    def __init__(self, root: Path, proved: Path | None, network: Network) -> None:
        super().__init__(root, proved)
        self.network = network

    def make(self, name: str) -> kit.Node:
        self.network.plug_in(name)
        node = super().make(name)
        node.host, node.port, node.inside = self.network.address(name), PORT, self.network.inside(name)
        return node

    def others(self, name: str) -> list[str]:
        return [node.name for node in self.nodes if node.name != name]


@contextmanager
def networked(root: Path, proved: Path | None) -> Iterator[Array]:
    """An array on a network of its own; both are gone at the end, whatever happens."""
    network = Network()
    try:
        with kit.closing(Array(root, proved, network)) as array:
            yield array
    finally:
        network.close()


_LISTENER = """
import json, socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
raw.bind(("eth0", 0))
print("ready", flush=True)
while True:
    frame = raw.recv(2048)
    sender, target = frame[28:32], frame[38:42]
    if sender == target:
        print(json.dumps([socket.inet_ntoa(sender), frame[22:28].hex(":")]), flush=True)
"""


class ArpListener:
    """Gratuitous ARP as a host sees it: (address, hardware address) of each announcement, in order."""

    def __init__(self, network: Network, host: str, log: Path) -> None:
        self._log = log
        command = [*network.inside(host), sys.executable, "-c", _LISTENER]
        with log.open("wb") as out:
            self._process = subprocess.Popen(command, stdout=out, stdin=subprocess.DEVNULL)
        kit.wait_until("ARP is listened to", lambda: "ready" in log.read_text())

    def heard(self, address: str) -> list[str]:
        """The hardware addresses at which `address` was announced, without repetitions in a row."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("[")]
        found: list[str] = []
        for announced, hardware in lines:
            if announced == address and found[-1:] != [hardware]:
                found.append(hardware)
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def fetch(network: Network, host: str, url: str, certificate: Path) -> str:
    """What `url` answers to curl on `host`; raises `kit.Failed` when it does not."""
    words = ["curl", "-sS", "--max-time", "5", "--cacert", str(certificate), url]
    ran = subprocess.run([*network.inside(host), *words], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise kit.Failed(ran.stderr.strip())
    return ran.stdout


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout
