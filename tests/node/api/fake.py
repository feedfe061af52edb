"""A node for the API to stand on: the real ledger on a real SQLite store, with everything else as a test sets it."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp

from fa.core.commands import Command, PutToken, SaveFactory
from fa.core.ledger import Ledger
from fa.core.model import NodeView, Role
from fa.core.monitor_commands import SaveMonitor
from fa.core.places import Place
from fa.core.position import Position
from fa.core.recipe import known_encoders, known_filters
from fa.core.watch_messages import WatchStatus
from fa.errors import Conflict, FaError, Invalid, NotFound
from fa.node.api.server import Server, serve
from fa.node.authority import Authority, Identity, TlsFiles, make_request
from fa.node.browse import Browser
from fa.node.clock import wall_ms
from fa.node.gateway import Done, NodeStatus, Progress, Standing, VolumeStatus
from fa.node.hub import Hub
from fa.node.settings import Array, Limits, Node, Settings, StateDir, Timing
from fa.node.tokens import make_api_token
from fa.store.migrations import migrate
from fa.store.readers import Readers
from fa.store.tables import SqliteTables

ARRAY_ID = "0f3a9c11-0000-4000-8000-000000000001"
FACTORY = """
name = "proxy"
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:out/{source.stem}-{job}-{product}.mp4"
"""
OFFERS = frozenset(
    {"volume:san", "source:san"}
    | {f"encoder:{name}" for name in known_encoders()}
    | {f"filter:{name}" for name in known_filters()}
)


@cache
def _empty_store() -> bytes:
    """The file of a store without jobs: made once, as migrating takes longer than most tests."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "fa.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        migrate(connection)
        connection.execute("CREATE TABLE position (txid INTEGER)")
        connection.execute("COMMIT")
        connection.close()
        return path.read_bytes()


@cache
def news() -> Authority:
    """The authority of the array in most tests."""
    return Authority.create("news", datetime.now(UTC))


@cache
def _tls(name: str, authority: Authority) -> dict[str, bytes]:
    """What a node of that name has in ``tls/``."""
    with tempfile.TemporaryDirectory() as directory:
        files = TlsFiles(Path(directory))
        authority.save(files)
        request = make_request(files)
        identity = Identity(ARRAY_ID, name, "1")
        files.node.write_bytes(authority.issue(request, identity, ("127.0.0.1",), datetime.now(UTC)))
        return {path.name: path.read_bytes() for path in files.root.iterdir()}


class Store:
    """A job store with one writer, as small as can be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.txid = 0
        path.write_bytes(_empty_store())
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = OFF")
        self._ledger = Ledger(SqliteTables(self._connection))

    def apply(self, command: Command) -> Any:
        self._connection.execute("BEGIN")
        try:
            value = self._ledger.apply(command).value
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        self.txid += 1
        return value

    def close(self) -> None:
        self._connection.close()


async def acknowledged(txid: int) -> None:
    """The gate of readers: whatever is there may be shown."""


@dataclass
class FakeNode:
    """Fulfils `fa.node.gateway.Gateway`."""

    name: str
    store: Store
    readers: Readers
    logs: Path
    hub: Hub = field(default_factory=lambda: Hub(epoch=7))
    now: Standing = field(default_factory=lambda: STANDING)
    members: list[NodeStatus] = field(default_factory=list)
    lives: dict[str, str] = field(default_factory=dict)  # by member: what its certificate must say
    seen_volumes: list[VolumeStatus] = field(default_factory=list)
    running: dict[int, Progress] = field(default_factory=dict)
    runs: set[tuple[int, int]] = field(default_factory=set)
    troubles: list[FaError] = field(default_factory=list)  # raised by the next asks, one each
    before_ask: Callable[[Command], None] = lambda command: None
    asked: list[Command] = field(default_factory=list)
    watched: dict[str, WatchStatus] = field(default_factory=dict)
    mirrored: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    voted: list[tuple[str, str, str]] = field(default_factory=list)
    needed: set[str] = field(default_factory=set)  # voters without whom no majority answers
    forced: list[str] = field(default_factory=list)

    def standing(self) -> Standing:
        return replace(self.now, node=self.name, leading=self.now.coordinator == self.name)

    def nodes(self) -> Sequence[NodeStatus]:
        return self.members

    def knows(self, node: str, incarnation: str) -> bool:
        known = any(member.view.name == node for member in self.members)
        return known and incarnation == self.lives.get(node, incarnation)

    def volumes(self) -> Sequence[VolumeStatus]:
        return self.seen_volumes

    def progress(self) -> Mapping[int, Progress]:
        return self.running

    async def ask(self, command: Command) -> Done:
        self.before_ask(command)
        if self.troubles:
            raise self.troubles.pop(0)
        self.asked.append(command)
        return Done(self.store.apply(command), Position(self.store.txid, 1), "solo")

    def attempt_log(self, task: int, attempt: int) -> Path:
        return self.logs / f"{task}-{attempt}.log"

    def runs_here(self, task: int, attempt: int) -> bool:
        return (task, attempt) in self.runs

    def force_report(self) -> str:
        return "The copy ends at transaction 3.\nWhat came later is lost."

    async def force(self, by: str) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.forced.append(by)

    def renew(self, identity: Any, request: str) -> str:
        return f"a certificate for {identity.node}: {request}"

    async def test_factory(self, text: str) -> Sequence[Mapping[str, Any]]:
        return [{"product": "proxy", "ok": True}]

    def watches(self) -> Mapping[str, WatchStatus]:
        return self.watched

    async def test_monitor(self, text: str) -> Mapping[str, Any]:
        return {"monitor": "m", "node": self.name, "state": "watching", "why": "", "counts": {}, "files": []}

    async def files(self, folder: Place, after: str, limit: int) -> Mapping[str, Any]:
        return await Browser().look(str(self.logs), folder, after, limit)

    def check_spare(self, voter: str, hint: str) -> None:
        if voter in self.needed:
            raise Conflict(f"Without {voter} no majority of the voters answers now.", hint=hint)

    async def remove_vote(self, voter: str, by: str) -> None:
        if voter != "volume:san":
            raise NotFound(f"{voter} has no vote.")
        self.voted.append(("removed", voter, by))

    async def renew_vote(self, voter: str, by: str) -> None:
        if voter != "volume:san":
            raise NotFound(f"{voter} has no vote.")
        self.voted.append(("renewed", voter, by))

    async def mirror(self, action: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if action not in ("status", "history", "switchover"):
            raise Invalid(f"There is no {action}.")
        if arguments.get("node") == "z":
            raise Conflict("Node z holds no copy.")
        self.mirrored.append((action, arguments))
        return {"state": "solo", "action": action}


STANDING = Standing("a", "news", ARRAY_ID, 7, "a", None, True, (), "solo", 3, 0.0)


def member(name: str, url: str = "", **changes: Any) -> NodeStatus:
    view = NodeView(name, (("cpu", 2),), offers=OFFERS)
    return replace(NodeStatus(view, "up", url, "0.1", 10), **changes)


@dataclass
class Site:
    """One node with its API, and clients that reach it."""

    node: FakeNode
    server: Server
    place: StateDir
    settings: Settings
    authority: Authority
    local: aiohttp.ClientSession  # over the Unix socket
    remote: aiohttp.ClientSession  # over TLS

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.port}"

    def token(self, role: str, **given: Any) -> str:
        text, row = make_api_token(Role(role), wall_ms(), **given)
        self.node.store.apply(PutToken(row, wall_ms()))
        return text

    def bearer(self, role: str, **given: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(role, **given)}"}

    def add_factory(self, text: str = FACTORY) -> None:
        self.node.store.apply(SaveFactory(text, wall_ms()))

    def add_monitor(self, name: str = "news-in") -> None:
        text = f'name = "{name}"\nfolder = "san:watch/{name}"\nfactories = ["proxy"]\n'
        self.node.store.apply(SaveMonitor(text, wall_ms()))

    async def submit(self, source: str = "san:in/a.mxf", **more: Any) -> dict[str, Any]:
        async with self.local.post("http://fa/v1/jobs", json={"source": source, "factory": "proxy", **more}) as answer:
            assert answer.status == 201, await answer.text()
            return dict(await answer.json())

    async def get(self, path: str, **more: Any) -> tuple[int, Any]:
        return await self.call("GET", path, **more)

    async def post(self, path: str, **more: Any) -> tuple[int, Any]:
        return await self.call("POST", path, **more)

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        async with self.local.request(method, f"http://fa{path}", **more) as answer:
            return answer.status, await answer.json(content_type=None)


@asynccontextmanager
async def site(
    root: Path, name: str = "a", authority: Authority | None = None, limits: Limits | None = None, wait: float = 30.0
) -> AsyncIterator[Site]:
    """A running node below ``root``, of the array of `news` or another ``authority``."""
    authority = authority or news()
    place = StateDir(root / name)
    place.make()
    for file, content in _tls(name, authority).items():
        (place.tls / file).write_bytes(content)
    settings = Settings(
        array=Array(name="news", id=ARRAY_ID),
        node=Node(name=name, listen="127.0.0.1:0"),
        timing=Timing(forward_timeout_seconds=wait),
        limits=limits or Limits(),
    )
    store = Store(place.store / "fa.db")
    readers = await Readers.open(store.path, acknowledged)
    node = FakeNode(name, store, readers, place.log, members=[member(name)])
    server = await serve(node, settings, place, authority)
    trust = ssl.create_default_context(cadata=authority.pem.decode())
    local = aiohttp.ClientSession(connector=aiohttp.UnixConnector(_short(place)), auto_decompress=True)
    remote = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust))
    try:
        yield Site(node, server, place, settings, authority, local, remote)
    finally:
        await local.close()
        await remote.close()
        await server.stop(1.0)
        await readers.close()
        store.close()


def _short(place: StateDir) -> str:
    """pytest's directories can be too deep for the address of a Unix socket: go there through another name."""
    link = Path("/tmp") / f"fa-{abs(hash(str(place.socket))):x}"
    link.unlink(missing_ok=True)
    link.symlink_to(place.root)
    return str(link / "fa.sock")


async def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait for a condition; generous, as test machines are slow."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
