"""An array for the dashboard to look at: DESIGN.md section 7's routes and shapes, a million jobs that exist only when
they are asked for, and a stream that tells what a test says. Serves on a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from fa.core.lifecycle import JobState
from fa.core.model import PRIORITIES, Event, Reign
from fa.core.query import Compares, Matches, States, parse
from fa.node.mirror_desk import ASKS, history
from fa.tui.keys import ACTIONS

START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
STATES = ("running", "queued", "succeeded", "succeeded", "failed", "succeeded", "held", "cancelled")
FACTORIES = ("proxy", "prores", "imx50", "hls-ladder")
NASTY = "san:in/\x1b[31mred\x1b[0m \u202etxet [bold]x[/] 映画 \udcff%d\n.mxf"


def stamp(seconds_ago: float) -> str:
    return f"{START - timedelta(seconds=seconds_ago):%Y-%m-%dT%H:%M:%S}.000Z"


@dataclass
class Array:
    """``total`` jobs; ids 1 to total, the newest first. ``changed`` holds what was done to some of them."""

    total: int = 1000
    running: int = 8  # the newest ones run
    role: str = "admin"
    denied: tuple[str, ...] = ()
    epoch: int = 7
    coordinator: str = "a"
    door: str = ""
    """The node that was asked, when the coordinator answers behind it."""
    health: str = "degraded"
    changed: dict[int, dict[str, Any]] = field(default_factory=dict)
    sets: dict[str, list[int]] = field(default_factory=dict)  # selections
    asked: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    broken: dict[str, tuple[int, str]] = field(default_factory=dict)  # "METHOD /path" → status, code
    watchers: list[asyncio.Queue[bytes | None]] = field(default_factory=list)
    progress: float = 0.25

    # jobs

    def job(self, number: int) -> dict[str, Any]:
        back = self.total - number
        state = "running" if back < self.running else STATES[1 + number % (len(STATES) - 1)]
        return {**self._job(number, state), **self._changes(number)}

    def _changes(self, number: int) -> dict[str, Any]:
        return self.changed.get(number, {})

    def _job(self, number: int, state: str) -> dict[str, Any]:
        state = self.changed.get(number, {}).get("state", state)
        return {
            "id": number,
            "state": state,
            "factory": FACTORIES[number % len(FACTORIES)],
            "factory_version": 3,
            "source": NASTY if number == self.total - 9 else f"san:in/show/EP{number % 90:02}_v{number}.mxf",
            "subject": f"news {number % 7}" if number % 3 else "",
            "description": "",
            "priority": (25, 50, 75)[number % 3],
            "submitted_at": stamp(60.0 * (self.total - number)),
            "submitted_by": "operator:K3ZQ4A7M",
            "monitor": None,
            "finished_at": stamp(30.0) if state in ("succeeded", "failed", "cancelled") else None,
            "tasks": [self._task(number, state)],
        }

    def _task(self, number: int, state: str) -> dict[str, Any]:
        runs = state == "running"
        share = (self.progress + number % 7 * 0.1) % 1.0
        path = f"san:out/EP{number}-proxy.mp4"
        return {
            "id": number * 10,
            "product": "proxy",
            "state": state,
            "attempt": 0 if state in ("queued", "held") else 1,
            "node": "abc"[number % 3] if state not in ("queued", "held") else None,
            "phase": "flipping" if runs else None,
            "progress": share if runs else None,
            "error": "ffmpeg: Invalid data found\nwhen processing input" if state == "failed" else None,
            "output": {"path": path, "bytes": 3_210_000_000, "sha256": "ab" * 32} if state == "succeeded" else None,
            "destination": path,
            "fps": 48.5 if runs else None,
            "speed": 1.9 if runs else None,
            "eta": 90.0 if runs else None,
        }

    def matching(self, text: str, newest_first: bool, start: int, limit: int) -> Iterator[int]:
        """Ids from ``start`` on, in order."""
        terms = parse(text, 0).terms
        step = -1 if newest_first else 1
        found, number, looked = 0, start, 0
        while 1 <= number <= self.total and found < limit and looked < 20_000:
            looked += 1
            if all(self._holds(term, number) for term in terms):
                found += 1
                yield number
            number += step

    def _holds(self, term: Any, number: int) -> bool:
        job = self.job(number)
        match term:
            case States(states, negated):
                return (JobState(job["state"]) in states) != negated
            case Matches("factory", values, negated):
                return any(job["factory"].startswith(value.text.rstrip("*")) for value in values) != negated
            case Compares("id", bounds, negated):
                return any(number == value for _, value in bounds) != negated
        return True

    def page(self, query: Any) -> dict[str, Any]:
        limit = min(500, int(query.get("limit", 100)))
        newest_first = query.get("sort", "") in ("", "-id")
        q, after, before = query.get("q", ""), query.get("after"), query.get("before")
        step = -1 if newest_first else 1
        ids = [value for term in parse(q, 0).terms if isinstance(term, Compares) for _, value in term.bounds]
        if ids:
            return {"items": [self.job(each) for each in ids if 1 <= each <= self.total], "next": None, "prev": None}
        if before:
            rows = [*self.matching(q, not newest_first, int(before) - step, limit + 1)]
            more, rows = len(rows) > limit, rows[:limit][::-1]
            cursors = (str(rows[-1]), str(rows[0]) if more else None) if rows else (None, None)
        else:
            first = self.total if newest_first else 1
            rows = [*self.matching(q, newest_first, int(after) + step if after else first, limit + 1)]
            more, rows = len(rows) > limit, rows[:limit]
            cursors = (str(rows[-1]) if more else None, str(rows[0]) if after and rows else None)
        return {"items": [self.job(each) for each in rows], "next": cursors[0], "prev": cursors[1], "seq": "7-1"}

    # the rest

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "state": state,
                "slots": {"cpu": {"used": used, "total": 4}},
                "version": "0.1.0",
                "address": f"https://10.0.0.{number}:7001",
                "mode": "up",
                "seen_ms_ago": 200 if state != "lost" else 45_000,
                "offers": ["encoder:libx264", "encoder:libx265", "volume:san"],
                "unhealthy": {"volume:san": "no answer for 5 s"} if name == "c" else {},
                "only_factories": [],
                "only_tags": [],
                "quarantined": ["imx50"] if name == "b" else [],
                "tasks": [{"task": (self.total - 1) * 10, "attempt": 1}] if name == "a" else [],
            }
            for number, (name, state, used) in enumerate((("a", "up", 3), ("b", "draining", 4), ("c", "lost", 0)), 1)
        ]

    def status(self) -> dict[str, Any]:
        brief = [{key: node[key] for key in ("name", "state", "slots", "version")} for node in self.nodes()]
        each = (self.total - self.running) // 7 + 1
        return {
            "array": "studio",
            "health": self.health,
            "why": "node c is lost",
            "epoch": self.epoch,
            "coordinator": self.coordinator,
            "secondaries": ["b" if self.coordinator == "a" else "a"],
            "mirror": {"state": "lock-step", "txid": 4711, "lag_ms": 0.8},
            "nodes": brief,
            "jobs": {
                "queued": each, "running": self.running, "held": each, "succeeded": 3 * each, "failed": each,
                "cancelled": each,
            },
            "alerts": 1,
            "via": self.door,
            "at": stamp(0),
            "seq": "7-1",
        }  # fmt: skip

    def mirror(self) -> dict[str, Any]:
        return {
            "state": "lock-step",
            "epoch": self.epoch,
            "coordinator": self.coordinator,
            "secondaries": ["b"],
            "voters": ["a", "b", "witness"],
            "txid": 4711,
            "checksum": "9f3a77c0",
            "lag_ms": 0.8,
            "commit_ms": 3.5,
            "commits_per_second": 12.0,
            "copies": [
                {"node": "b", "role": "secondary", "state": "in-sync", "txid": 4711, "lag_ms": 0.8, "rtt_ms": 0.4}
            ],
        }

    def history(self) -> dict[str, Any]:
        """In the words of the server itself."""
        at = int(START.timestamp() * 1000)
        reigns = (
            Reign(7, "a", "b", at - 7_200_000, "b was not heard any more", 3400),
            Reign(6, "b", "a", at - 90_000_000, "a handed over", 200),
            Reign(5, "a", "a", at - 194_000_000),
            Reign(4, "a", "", at - 294_000_000),
        )
        asked = (Event(at - 90_001_000, "mirror.switchover", "info", "mirror", f"admin:QX7{ASKS}b"),)
        return {"items": history(reigns, asked), "next": None, "prev": None}

    def events(self) -> dict[str, Any]:
        rows = (
            ("info", "job/999", "job-finished", "succeeded after 4 min"),
            ("warning", "node/b", "node-drains", "drains: asked for by admin:QX7"),
            ("error", "node/c", "node-lost", "not heard for 3 s; 2 tasks are queued again"),
        )
        items = [
            {"id": 90 - at, "at": stamp(at * 100), "kind": kind, "severity": severity, "subject": subject, "text": text}
            for at, (severity, subject, kind, text) in enumerate(rows * 4)
        ]
        return {"items": items, "next": None, "prev": None}

    def alerts(self) -> dict[str, Any]:
        row = {
            "id": 4, "at": stamp(200), "kind": "node-lost", "subject": "node/c", "text": "node c is lost",
            "acked_at": self.changed.get(-4, {}).get("acked_at"), "acked_by": None, "cleared_at": None,
        }  # fmt: skip
        return {"items": [row], "next": None, "prev": None}

    def factory(self, name: str) -> dict[str, Any]:
        text = f'name = "{name}"\npriority = "normal"\n[[products]]\nname = "proxy"\npreset = "h264-mp4"\n'
        recipe = {
            "name": name,
            "priority": 50,
            "products": [
                {"name": "proxy", "preset": "h264-mp4", "destination": "san:out/{source.stem}-{job}.mp4"},
                {"name": "poster", "preset": "poster", "destination": "san:out/{source.stem}.jpg", "width": 640},
            ],
        }
        brief = {"name": name, "version": 3, "created_at": stamp(86400 * 3), "created_by": "admin:QX7"}
        return {**brief, "text": text, "recipe": recipe, "nodes": ["a", "b"], "warning": None}

    def monitors(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name, "state": self.changed.get(-100 - at, {}).get("state", state), "owner": owner,
                "folder": f"san:watch/{name}", "factories": ["proxy"], "seen": 120, "settling": 2, "submitted": 118,
                "last_file": "promo.mxf", "last_error": error, "refused": at,
                "growing": [{"path": "big.mxf", "size": 3_000_000_000, "rate": 12_000_000}],
                "text": f'name = "{name}"\n',
            }
            for at, (name, state, owner, error) in enumerate(
                (("news-in", "watching", "a", None), ("sports", "disconnected", None, "the root of san is gone"))
            )
        ]  # fmt: skip

    def why(self, number: int) -> dict[str, Any]:
        rows = [
            {"node": "a", "why": "slots", "text": "all 4 slots are taken", "passes": True},
            {"node": "b", "why": "draining", "text": "it drains", "passes": True},
            {"node": "c", "why": "lost", "text": "it is lost", "passes": True},
        ]
        task = {"product": "proxy", "state": "queued", "text": "waits for a slot", "never": False, "nodes": rows}
        return {"job": number, "state": "queued", "text": "it waits for a slot", "never": False, "tasks": [task]}

    def volumes(self) -> list[dict[str, Any]]:
        row = {"name": "san", "path": "/mnt/san", "state": "healthy", "why": "", "free": 4 * 10**12, "total": 10**13}
        return [{**row, "node": name} for name in "ab"]

    def attempts(self) -> list[dict[str, Any]]:
        return [
            {"product": "proxy", "number": 1, "node": "a", "state": "failed", "started_at": stamp(300),
             "finished_at": stamp(200), "error": "Invalid data"}
        ]  # fmt: skip

    # the stream

    def tell(self, topic: str, data: Any, id: str = "") -> None:
        name = f"id: {id}\n" if id else ""
        text = f"{name}event: {topic}\ndata: {json.dumps(data)}\n\n"
        for watcher in self.watchers:
            watcher.put_nowait(text.encode())

    def cut(self) -> None:
        """Every stream ends, as when the node stops."""
        for watcher in self.watchers:
            watcher.put_nowait(None)


LOG = b"".join(b"frame=%6d fps= 48 q=28.0 size=%8dkB speed=1.9x\n" % (n * 12, n * 100) for n in range(3000))


@dataclass
class Asked:
    """A request, as the array sees it."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    key: str = ""


class Problem(Exception):
    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def answer(array: Array, asked: Asked) -> Any:
    """The JSON value (or the bytes of a log) for a request. Raises `Problem`."""
    line = f"{asked.method} {asked.path}"
    array.asked.append(line + ("?" + urlencode(asked.query, errors="surrogatepass") if asked.query else ""))
    if asked.method != "GET":
        array.bodies.append(asked.body)
        array.keys.append(asked.key)
    if line in array.broken:
        status, code = array.broken[line]
        raise Problem(status, code, f"{code} says the test.")
    for pattern, give in ROUTES.items():
        if found := re.fullmatch(pattern, line):
            return give(array, asked, *found.groups())
    raise Problem(404, "not-found", f"There is nothing at {line}.")


def _job(array: Array, asked: Asked, text: str) -> Any:
    if not 1 <= int(text) <= array.total:
        raise Problem(404, "not-found", f"There is no job {text}.")
    return {**array.job(int(text)), "attempts": array.attempts()}


def _log(array: Array, asked: Asked, job: str, attempt: str) -> bytes:
    offset = int(asked.query.get("offset", 0))
    start = min(len(LOG), offset) if offset >= 0 else max(0, len(LOG) + offset)
    return LOG[start : start + int(asked.query.get("limit", len(LOG)))]


def _submit(array: Array, asked: Asked) -> Any:
    array.total += 1
    array.changed[array.total] = {"source": asked.body["source"], "state": "queued"}
    return {**array.job(array.total), "durability": "mirrored"}


def _become(array: Array, number: int, action: str) -> str:
    state = {"cancel": "cancelled", "retry": "queued", "hold": "held", "release": "queued"}[action]
    array.changed[number] = {**array.changed.get(number, {}), "state": state}
    return state


def _act(array: Array, asked: Asked, number: str, action: str) -> Any:
    _become(array, int(number), action)
    return array.job(int(number))


PART = 5000  # of a selection in one answer


def _select(array: Array, asked: Asked) -> Any:
    ids = [*array.matching(asked.body["q"], True, array.total, array.total)]
    name = f"set-{len(array.sets)}"
    array.sets[name] = ids
    jobs = [array.job(each) for each in ids]
    states = {state.value: sum(job["state"] == state for job in jobs) for state in JobState}
    told = {"selection": name, "count": len(ids), "states": states, "sample": jobs[:10]}
    return {**told, "seq": "7-1", "expires_at": stamp(-600)}


def _chosen(array: Array, asked: Asked) -> tuple[list[int], int | None]:
    """The ids of a request, and where a selection goes on."""
    if "ids" in asked.body:
        return asked.body["ids"], None
    if asked.body["selection"] not in array.sets:
        raise Problem(410, "selection-gone", "This selection is not kept any more. List the jobs again.")
    ids, after = array.sets[asked.body["selection"]], asked.body["after"]
    further = after + PART if after + PART < len(ids) else None
    return [each for each in ids[after : after + PART] if each not in asked.body["without"]], further


def _bulk(array: Array, asked: Asked, action: str) -> Any:
    ids, further = _chosen(array, asked)
    items = [{"id": each, "ok": True, "state": _become(array, each, action)} for each in ids]
    return {"action": action, "items": items, "next": further}


def _priorities(array: Array, asked: Asked) -> Any:
    ids, further = _chosen(array, asked)
    for each in ids:
        _patch(array, asked, str(each))
    return {"action": "priority", "items": [{"id": each, "ok": True} for each in ids], "next": further}


def _patch(array: Array, asked: Asked, number: str) -> Any:
    value = asked.body["priority"]
    priority = PRIORITIES.get(value, value)
    array.changed[int(number)] = {**array.changed.get(int(number), {}), "priority": priority}
    return array.job(int(number))


def _monitor(array: Array, asked: Asked, name: str, action: str = "") -> Any:
    names = [row["name"] for row in array.monitors()]
    at = names.index(name) if name in names else 0
    if action:
        array.changed[-100 - at] = {"state": "watching" if action == "enable" else "paused"}
    return array.monitors()[at]


def _ack(array: Array, asked: Asked, alert: str) -> Any:
    array.changed[-4] = {"acked_at": stamp(0)}
    return array.alerts()["items"][0]


def _me(array: Array, asked: Asked) -> Any:
    routes = {action.route for action in ACTIONS if action.route} - set(array.denied)
    return {"name": f"{array.role}:X", "role": array.role, "node": "a", "actions": sorted(routes)}


TREE = {  # of volume san
    "": ("in/", "out/", "clip.mxf", "link@"),
    "in": ("news/", "a.mxf", "b.mxf", "\x1b[2J\u202e[bold].mxf", "caf\udce9.mxf"),
    "in/news": tuple(f"late-{number:03}.mov" for number in range(250)),
}


def _files(array: Array, asked: Asked) -> Any:
    path = asked.query.get("path", "")
    if path not in TREE:
        raise Problem(404, "not-found", f"There is no folder san:{path}.")
    start, limit = int(asked.query.get("after", "0")), int(asked.query["limit"])
    entries = [_entry(path, name) for name in TREE[path]]
    further = str(start + limit) if start + limit < len(entries) else None
    return {"volume": "san", "path": path, "items": entries[start : start + limit], "next": further}


def _entry(path: str, name: str) -> dict[str, Any]:
    kind = "folder" if name.endswith("/") else "other" if name.endswith("@") else "file"
    name = name.rstrip("/@")
    place = f"san:{path}/{name}" if path else f"san:{name}"
    size = 7_340_032 if kind == "file" else None
    at = {"bytes": size, "modified_at": stamp(3600)}
    return {"name": name, "kind": kind, "place": place, **at, "exact": "\udce9" not in name}


def _versions(array: Array, asked: Asked, name: str) -> Any:
    return {"items": [{**array.factory(name), "version": number} for number in (1, 2, 3)]}


ROUTES: dict[str, Callable[..., Any]] = {
    "GET /v1/status": lambda array, asked: array.status(),
    "GET /v1/me": _me,
    "GET /v1/nodes": lambda array, asked: {"items": array.nodes()},
    "GET /v1/factories": lambda array, asked: {"items": [array.factory(name) for name in FACTORIES]},
    "GET /v1/factories/([^/]+)": lambda array, asked, name: array.factory(name),
    "GET /v1/factories/([^/]+)/versions": _versions,
    "GET /v1/monitors": lambda array, asked: {"items": array.monitors()},
    "GET /v1/monitors/([^/]+)": _monitor,
    "GET /v1/mirror": lambda array, asked: array.mirror(),
    "GET /v1/mirror/history": lambda array, asked: array.history(),
    "GET /v1/events": lambda array, asked: array.events(),
    "GET /v1/alerts": lambda array, asked: array.alerts(),
    "GET /v1/volumes": lambda array, asked: {"items": array.volumes()},
    "GET /v1/volumes/san/files": _files,
    "GET /v1/jobs": lambda array, asked: array.page(asked.query),
    r"GET /v1/jobs/(\d+)": _job,
    r"GET /v1/jobs/(\d+)/why": lambda array, asked, number: array.why(int(number)),
    r"GET /v1/jobs/(\d+)/attempts/(\d+)/log": _log,
    "POST /v1/jobs": _submit,
    "POST /v1/selections": _select,
    "POST /v1/jobs:priority": _priorities,
    "POST /v1/jobs:(cancel|retry|hold|release)": _bulk,
    r"POST /v1/jobs/(\d+)/(cancel|retry|hold|release)": _act,
    r"PATCH /v1/jobs/(\d+)": _patch,
    "POST /v1/nodes/[^/]+/(?:pause|resume|drain)": lambda array, asked: array.nodes()[0],
    "DELETE /v1/nodes/[^/]+": lambda array, asked: {"name": "c"},
    "POST /v1/monitors/([^/]+)/(enable|disable)": _monitor,
    "POST /v1/mirror/switchover": lambda array, asked: {"coordinator": "b"},
    "POST /v1/mirror/verify": lambda array, asked: {"ok": True, "words": ["a (coordinator): well. 812 pages"]},
    "POST /v1/factories:test": lambda array, asked: {"items": [{"product": "proxy", "ok": True, "bytes": 9}]},
    r"POST /v1/alerts/(\d+)/ack": _ack,
}


async def _handle(array: Array, request: web.Request) -> web.StreamResponse:
    if request.path == "/v1/stream" and "GET /v1/stream" not in array.broken:
        return await _stream(array, request)
    is_json = request.content_type == "application/json" and request.can_read_body
    body = await request.json() if is_json else await request.text()
    key = request.headers.get("Idempotency-Key", "")
    try:
        told = answer(array, Asked(request.method, request.path, request.query, body, key))
    except Problem as problem:
        return web.json_response({"code": problem.code, "detail": problem.detail}, status=problem.status)
    headers = {"Fa-Node": array.coordinator}
    if isinstance(told, bytes):
        return web.Response(body=told, content_type="text/plain", headers={**headers, "Fa-Log-Size": str(len(LOG))})
    return web.Response(text=json.dumps(told), content_type="application/json", headers=headers)


async def _stream(array: Array, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Fa-Node": array.coordinator})
    await response.prepare(request)
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    array.watchers.append(queue)
    try:
        await response.write(f": {stamp(0)}\n\n".encode())
        while (told := await queue.get()) is not None:
            await response.write(told)
    finally:
        array.watchers.remove(queue)
    response.force_close()
    return response


@contextlib.asynccontextmanager
async def serving(array: Array, path: str) -> AsyncIterator[Array]:
    """The array on the Unix socket ``path``."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", partial(_handle, array))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    try:
        yield array
    finally:
        array.cut()
        await runner.cleanup()


async def main(path: str, total: int, moving: int) -> None:
    """For the bench and for people: ``python -m tests.tui.fake SOCKET [JOBS [RUNNING]]``."""
    array = Array(total=total, running=moving)
    async with serving(array, path):
        while True:
            await asyncio.sleep(0.5)
            if not moving:
                continue
            array.progress = (array.progress + 0.004) % 1.0
            told = {}
            for back in range(moving):
                task = array.job(array.total - back)["tasks"][0]
                told[str(task["id"])] = {key: task[key] for key in ("phase", "progress", "fps", "speed", "eta")}
            array.tell("progress", told)


if __name__ == "__main__":
    import sys

    asyncio.run(main(sys.argv[1], *(int(each) for each in [*sys.argv[2:], "1000000", "8"][:2])))
