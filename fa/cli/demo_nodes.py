"""An array of child processes, started the way a person starts them: `fa init`, `fa run`, `fa token`, `fa join`."""

from __future__ import annotations

import signal
import socket
import string
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from fa.client import calls
from fa.client.plain import Client
from fa.client.problems import TimedOut, Unreachable
from fa.client.target import resolve
from fa.errors import FaError

READY_SECONDS = 120.0  # the first start proves every encoder with a real encode
STOP_SECONDS = 30.0
_SLOTS = ("--slots", "1")  # all nodes share one machine here


class NodeDied(FaError):
    """The node ended while it was needed; its log says why."""

    code = "node-died"


class DemoArray:
    """Nodes a, b, c … in folders below ``root``. As a context manager it leaves none running, whatever happens."""

    def __init__(self, name: str, root: Path, volume: Path, count: int, tell: Callable[[str], None]) -> None:
        self._name, self._root, self._volume, self._tell = name, root, volume, tell
        self.nodes = [DemoNode(letter, root / letter) for letter in string.ascii_lowercase[:count]]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for node in reversed(self.nodes):
            node.stop()

    def node(self, name: str) -> DemoNode:
        return next(node for node in self.nodes if node.name == name)

    def start(self) -> None:
        """Found the array, let the others join, and wait until all of them work and the store is mirrored."""
        first, *others = self.nodes
        first.init(self._name, self._volume)
        self._run(first)
        for node in others:
            node.join(first, self._volume)
            self._run(node)
        with first.client() as client:
            self._wait_whole(client)

    def _run(self, node: DemoNode) -> None:
        node.start()
        node.wait_ready()
        self._tell(f"node {node.name} runs on {node.listen}")

    def _wait_whole(self, client: Client) -> None:
        until = time.monotonic() + READY_SECONDS
        while not whole(client.send(calls.status()), len(self.nodes)):
            for node in self.nodes:
                node.look()
            if time.monotonic() > until:
                raise TimedOut("The array is not whole.", hint=f"See {self.nodes[0].console}.")
            time.sleep(0.2)

    def client(self) -> Client:
        """A client that knows every node, as a person's `--addr` would: it goes to the next when one dies."""
        first, token = self.nodes[0], self._root / "admin.token"
        token.touch(0o600)
        token.write_text(fa("token", "create", "--dir", str(first.root), "--role", "admin", "--ttl", "1h"))
        addr = ",".join(f"https://{node.listen}" for node in self.nodes)
        return Client(resolve({}, addr=addr, token_file=str(token), cacert=str(first.root / "tls" / "ca.pem")))


def whole(status: Mapping[str, Any], count: int) -> bool:
    """All nodes are up with their slots, and the store is as safe as it can be with so many."""
    up = [node for node in status["nodes"] if node["state"] == "up" and node["slots"]]
    return len(up) == count and (count == 1 or status["mirror"]["state"] == "lock-step")


class DemoNode:
    """One node with its state directory ``root``; its output goes to ``root/log/console``."""

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        self.listen = f"127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def console(self) -> Path:
        return self.root / "log" / "console"

    def init(self, array: str, volume: Path) -> None:
        """Make it the first node of an array."""
        words = ["--name", array, "--node", self.name, "--listen", self.listen, "--volume", f"san={volume}", *_SLOTS]
        fa("init", "--dir", str(self.root), *words)

    def join(self, first: DemoNode, volume: Path) -> None:
        """Make it a node of the array of ``first``, with a token as a person would."""
        token = self.root.with_name(f"{self.name}.token")
        token.touch(0o600)
        token.write_text(fa("token", "create", "--dir", str(first.root), "--role", "node", "--ttl", "10m"))
        words = [
            "--node",
            self.name,
            "--listen",
            self.listen,
            "--volume",
            f"san={volume}",
            "--token-file",
            str(token),
            *_SLOTS,
        ]
        fa("join", f"https://{first.listen}", "--dir", str(self.root), *words)

    def start(self) -> None:
        """Start it in a session of its own, so that ^C reaches it through us, in order."""
        self.console.parent.mkdir(parents=True, exist_ok=True)
        with self.console.open("ab") as log:
            self._process = subprocess.Popen(
                [*_SELF, "run", "--dir", str(self.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def client(self) -> Client:
        return Client(resolve({}, dir=str(self.root)))

    def wait_ready(self) -> None:
        """Until it takes jobs. Raises `NodeDied` with its last words, `TimedOut`."""
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            self.look()
            try:
                with self.client() as client:
                    if client.send(calls.status())["health"] != "down":
                        return
            except Unreachable:
                pass
            time.sleep(0.2)
        raise TimedOut(f"Node {self.name} was not ready after {READY_SECONDS:g} s.", hint=f"See {self.console}.")

    def look(self) -> None:
        """Raise `NodeDied` when it ended."""
        if self._process is None or self._process.poll() is None:
            return
        words = self.console.read_bytes()[-800:].decode(errors="backslashreplace").strip()
        raise NodeDied(f"Node {self.name} ended with {self._process.returncode}: {words}", hint=f"See {self.console}.")

    def kill(self) -> None:
        """SIGKILL: as when somebody pulls the plug."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """SIGTERM, which hands over and stops in order; SIGKILL when that takes too long."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None


def fa(*words: str) -> str:
    """Run a command of fa; what it printed. Raises `FaError` with what it said."""
    done = subprocess.run([*_SELF, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise FaError(f"`fa {' '.join(words)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _self() -> Sequence[str]:
    """The command line of this program: the frozen binary is fa itself."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "fa.cli"]


_SELF = _self()
