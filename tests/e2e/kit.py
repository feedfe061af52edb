"""Real nodes as child processes, for tests: started, killed, stopped and asked as an operator and a client would.

Everything waits for conditions with a generous deadline: these tests run on slow and busy machines."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from fa.node import toml

FA = [sys.executable, "-m", "fa.cli"]
DEADLINE = 90.0  # seconds


class Failed(AssertionError):
    """A condition did not come true in time, or a request was refused."""


class Died(Exception):
    """A node that should run does not: nothing will come true by waiting."""


def wait_until(what: str, condition: Callable[[], Any], seconds: float = DEADLINE, every: float = 0.05) -> Any:
    """The first truthy answer of `condition`; raises `Failed` with `what` and the last answer."""
    end = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < end:
        try:
            last = condition()
        except (OSError, http.client.HTTPException, Failed) as error:
            last = error
        else:
            if last:
                return last
        time.sleep(every)
    raise Failed(f"not in {seconds:g} s: {what} (last: {last!r})")


def wait_some(seconds: float) -> None:
    """Let a random moment pass: when the next fault strikes is part of the test, not something that it waits for."""
    time.sleep(seconds)


def free_port() -> int:
    """One that nobody listens on, and below those that the kernel gives to whoever connects."""
    while True:
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", 20000 + secrets.randbelow(12000)))
            return int(sock.getsockname()[1])


def fa(*words: str, check: bool = True, inside: Sequence[str] = ()) -> str:
    """Run a command of the CLI, perhaps `inside` something (``ip netns exec …``); its standard output."""
    ran = subprocess.run([*inside, *FA, *words], capture_output=True, text=True, timeout=120, check=False)
    if check and ran.returncode:
        raise Failed(f"fa {' '.join(words)}: exit {ran.returncode}: {ran.stderr.strip()}")
    return ran.stdout


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("fa", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Node:
    """One node, with its state directory; `log` collects what it prints over all its lives."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root
        self.host = "127.0.0.1"
        self.port = free_port()
        self.inside: Sequence[str] = ()  # what its commands are run by
        self.log = root.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def listen(self) -> str:
        return f"{self.host}:{self.port}"

    def fa(self, *words: str) -> str:
        """A command of the CLI where this node is."""
        return fa(*words, inside=self.inside)

    # --- life ---

    def start(self, env: dict[str, str] | None = None) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.inside, *FA, "run", "--dir", str(self.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """kill -9, as a power cut would look to the others."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(DEADLINE)

    def signal(self, number: int) -> None:
        assert self.process is not None, "it was started"
        os.kill(self.process.pid, number)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(DEADLINE)

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    # --- asking ---

    def request(
        self, method: str, path: str, body: Any = None, *, key: str = "", timeout: float = 30.0
    ) -> tuple[int, Any]:
        """Status and decoded body over the Unix socket; text bodies are sent as TOML."""
        connection = self.connect(timeout)
        headers = {"Idempotency-Key": key} if key else {}
        data = None
        if isinstance(body, str):
            data, headers["Content-Type"] = body.encode(), "application/toml"
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(raw) if "json" in answer.headers.get("Content-Type", "") else raw

    def connect(self, timeout: float) -> http.client.HTTPConnection:
        """To its Unix socket."""
        return _UnixConnection(self.root / "fa.sock", timeout)

    def get(self, path: str) -> Any:
        return self._good(*self.request("GET", path))

    def post(self, path: str, body: Any = None, *, key: str = "") -> Any:
        return self._good(*self.request("POST", path, body, key=key))

    def _good(self, status: int, body: Any) -> Any:
        if status >= 400:
            raise Failed(f"{self.name}: HTTP {status}: {body}")
        return body

    def status(self) -> Any:
        return self.get("/v1/status")

    def leads(self) -> bool:
        if not self.alive:
            raise Died(f"{self.name} ended:\n{self.tail()}")
        status = self.status()
        return bool(status["coordinator"] == self.name and status["via"] == self.name and status["nodes"])

    def job(self, number: int) -> Any:
        return self.get(f"/v1/jobs/{number}")

    def jobs(self, query: str = "") -> list[Any]:
        """All jobs, oldest first, page by page."""
        found: list[Any] = []
        after = ""
        while True:
            page = self.get(f"/v1/jobs?limit=500&q={query}" + (f"&after={after}" if after else ""))
            found += page["items"]
            after = page["next"]
            if not after:
                return sorted(found, key=lambda job: int(job["id"]))


class Array:
    """Nodes a, b, c … below one folder, with one volume `san`."""

    def __init__(self, root: Path, proved: Path | None = None) -> None:
        self.root = root
        self.san = root / "san"
        (self.san / "in").mkdir(parents=True)
        self.proved = proved
        self.nodes: list[Node] = []
        self.settings: dict[str, dict[str, dict[str, Any]]] = {}  # node → section → what its fa.toml says beside

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def make(self, name: str) -> Node:
        """A node that has no state directory yet."""
        return Node(name, self.root / name)

    def found(self, name: str = "a", *options: str) -> Node:
        """`fa init` and `fa run`; returns when it leads."""
        node = self.make(name)
        volume = f"san={self.san}"
        node.fa("init", "--dir", str(node.root), "--name", "test", "--node", name, "--listen", node.listen,
                "--volume", volume, *options)  # fmt: skip
        self._begin(node)
        wait_until(f"{name} leads", node.leads)
        return node

    def join(self, name: str, *options: str) -> Node:
        """`fa join` and `fa run`; returns when the coordinator sees it up."""
        node = self.make(name)
        first = self.coordinator()
        token = self.root / f"{name}.token"
        token.write_text(fa("token", "create", "--dir", str(first.root), "--role", "node", "--ttl", "1h"))
        node.fa("join", f"https://{first.listen}", "--token-file", str(token), "--dir", str(node.root), "--node", name,
                "--listen", node.listen, "--volume", f"san={self.san}", *options)  # fmt: skip
        self._begin(node)
        wait_until(f"{name} is up", lambda: self.state_of(name) == "up")
        return node

    def _begin(self, node: Node) -> None:
        if self.proved and self.proved.exists():
            shutil.copy(self.proved, node.root / "proved.json")
        self.configure(node)
        self.nodes.append(node)
        node.start()

    def configure(self, node: Node) -> None:
        """Write what `settings` has for it into its fa.toml."""
        file = node.root / "fa.toml"
        sections = tomllib.loads(file.read_text())
        for section, values in self.settings.get(node.name, {}).items():
            sections.setdefault(section, {}).update(values)
        file.write_text(toml.dump(sections))

    def coordinator(self, besides: Sequence[str] = ()) -> Node:
        """The node that leads, once there is one."""

        def found() -> Node | None:
            return next((n for n in self.nodes if n.alive and n.name not in besides and n.leads()), None)

        node = wait_until("somebody leads", found)
        assert isinstance(node, Node)
        return node

    def state_of(self, name: str) -> str:
        nodes = self.coordinator().get("/v1/nodes")["items"]
        return next((str(node["state"]) for node in nodes if node["name"] == name and node["offers"]), "")

    def wait_mirror(self, state: str = "lock-step") -> None:
        wait_until(f"the mirror is {state}", lambda: self.coordinator().status()["mirror"]["state"] == state)

    def wait_whole(self) -> None:
        """In lock-step, and every node is up: what is killed next is one failure, not the second of two."""
        self.wait_mirror()
        for node in self.nodes:
            wait_until(f"{node.name} is up", lambda name=node.name: self.state_of(name) == "up")  # type: ignore[misc]

    def close(self) -> None:
        for node in self.nodes:
            if node.alive:
                node.signal(signal.SIGCONT)
                node.kill()


@contextmanager
def array(root: Path, proved: Path | None = None) -> Iterator[Array]:
    """An array on loopback; see `closing`."""
    with closing(Array(root, proved)) as made:
        yield made


AnyArray = TypeVar("AnyArray", bound=Array)


@contextmanager
def closing(made: AnyArray) -> Iterator[AnyArray]:
    """An array that is killed at the end, whatever happens; `conftest` shows the logs of one whose test fails."""
    OPEN.append(made)
    try:
        yield made
    except BaseException:
        print("\n".join(logs()))
        raise
    finally:
        OPEN.remove(made)
        made.close()


OPEN: list[Array] = []
"""The arrays of the test that runs."""


def logs() -> list[str]:
    """The last lines of every node that runs."""
    return [f"--- log of {node.name} ---\n{node.tail(60)}" for made in OPEN for node in made.nodes]


def make_clip(path: Path, seconds: float = 2.0, size: str = "320x180") -> Path:
    """A real clip: moving picture and tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d={seconds}", "-f", "lavfi", "-i", f"sine=d={seconds}"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *codecs, str(path)], check=True, timeout=120)
    return path


PROXY = """
name = "proxy"
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:out/{source.stem}-{job}-{product}.mp4"
"""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def all_ended(node: Node, count: int) -> bool:
    jobs = node.status()["jobs"]
    return jobs is not None and sum(jobs[state] for state in ("succeeded", "failed", "cancelled")) == count
