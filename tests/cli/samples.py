"""Objects as the API shows them, for a fake array."""

from __future__ import annotations

from typing import Any

HOSTILE = "a\x1b[31m\x9b2J\u202ecod\n\t[red]%d {x} -v.mxf"
HOSTILE_SHOWN = "a\\x1b[31m\\x9b2J\\u202ecod\\x0a\\x09[red]%d {x} -v.mxf"
SHA = "ab" * 32


def task(product: str = "proxy", state: str = "queued", **more: Any) -> dict[str, Any]:
    base = {
        "id": 5,
        "product": product,
        "state": state,
        "attempt": 0,
        "node": None,
        "phase": None,
        "progress": None,
        "error": None,
        "output": None,
        "destination": f"san:out/clip-{product}.mp4",
        "fps": None,
        "speed": None,
        "eta": None,
        "deferred_until": None,
    }
    return {**base, **more}


def running(product: str = "proxy", progress: float = 0.43) -> dict[str, Any]:
    more = {"attempt": 1, "node": "b", "phase": "flipping", "progress": progress, "eta": 62.0}
    return task(product, "running", **more)


def succeeded(product: str = "proxy") -> dict[str, Any]:
    output = {"path": f"san:out/clip-{product}.mp4", "bytes": 3_210_000, "sha256": SHA}
    return task(product, "succeeded", attempt=1, node="b", progress=1.0, output=output)


def failed(product: str = "proxy") -> dict[str, Any]:
    return task(product, "failed", attempt=3, error="moov atom not found\n[mov] second line")


def job(number: int = 17, state: str = "queued", *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    ended = "2026-01-02T03:05:06.000Z" if state in ("succeeded", "failed", "cancelled") else None
    base = {
        "id": number,
        "state": state,
        "factory": "proxy",
        "factory_version": 2,
        "source": "san:in/clip.mxf",
        "subject": "news",
        "description": "",
        "priority": 50,
        "submitted_at": "2026-01-02T03:04:06.000Z",
        "submitted_by": "local:root",
        "monitor": None,
        "finished_at": ended,
        "tasks": list(tasks) or [task(state=state)],
    }
    return {**base, **more}


def detail(*args: Any, **more: Any) -> dict[str, Any]:
    attempt = {
        "product": "proxy",
        "number": 1,
        "node": "b",
        "state": "failed",
        "started_at": "2026-01-02T03:04:10.000Z",
        "finished_at": "2026-01-02T03:04:20.000Z",
        "error": "killed",
    }
    return {**job(*args, **more), "attempts": [attempt]}


def submitted(*args: Any, durability: str = "mirrored", **more: Any) -> dict[str, Any]:
    return {**job(*args, **more), "durability": durability}


def page(*items: Any, next: str | None = None) -> dict[str, Any]:
    return {"items": list(items), "next": next, "prev": None, "seq": "7-12"}


def node(name: str = "a", state: str = "up", **more: Any) -> dict[str, Any]:
    base = {
        "name": name,
        "state": state,
        "slots": {"cpu": {"used": 1, "total": 2}},
        "version": "0.1.0",
        "address": f"10.0.0.{ord(name[0]) - 96}:7001",
        "mode": "up",
        "kind": "data",
        "seen_ms_ago": 120,
        "offers": ["encoder:libx264", "volume:san"],
        "unhealthy": {},
        "only_factories": [],
        "only_tags": [],
        "quarantined": [],
        "tasks": [{"task": 5, "attempt": 1}],
    }
    return {**base, **more}


def status(health: str = "ok", **more: Any) -> dict[str, Any]:
    brief = [{key: node(name)[key] for key in ("name", "state", "slots", "version")} for name in ("a", "b")]
    base = {
        "array": "studio",
        "health": health,
        "why": "" if health == "ok" else "There is one copy of the store.",
        "epoch": 3,
        "coordinator": "a",
        "secondaries": ["b"],
        "mirror": {"state": "lock-step", "txid": 1234, "lag_ms": 3.4},
        "nodes": brief,
        "jobs": {"queued": 12, "running": 2, "held": 0, "succeeded": 410, "failed": 1, "cancelled": 0},
        "alerts": 0,
        "via": "b",
        "at": "2026-01-02T03:04:16.000Z",
        "seq": "3-9",
    }
    return {**base, **more}


SELECTION = {
    "selection": "tok",
    "count": 1200,
    "states": {"queued": 1199, "running": 1, "held": 0, "succeeded": 0, "failed": 0, "cancelled": 0},
    "sample": [job(17, "running")],
    "seq": "7-1",
    "expires_at": "2026-01-02T03:14:06.000Z",
}
FACTORY = {
    "name": "proxy",
    "version": 2,
    "created_at": "2026-01-02T03:04:06.000Z",
    "created_by": "local:root",
    "text": 'name = "proxy"\n',
    "recipe": {"name": "proxy"},
    "nodes": ["a", "b"],
    "warning": None,
}
VOLUME = {"name": "san", "node": "a", "path": "/mnt/san", "state": "healthy", "why": "", "free": 5, "total": 10}
EVENT = {
    "id": 3,
    "at": "2026-01-02T03:04:06.000Z",
    "kind": "node.lost",
    "severity": "error",
    "subject": "node/b",
    "text": "Node b was not heard for 3 s.",
}
ALERT = {
    "id": 4,
    "at": "2026-01-02T03:04:06.000Z",
    "kind": "node.lost",
    "subject": "node/b",
    "text": "Node b was not heard for 3 s.",
    "acked_at": None,
    "acked_by": None,
    "cleared_at": None,
}
WHY = {
    "job": 17,
    "state": "queued",
    "text": "waits for a slot",
    "never": False,
    "tasks": [
        {
            "product": "proxy",
            "state": "queued",
            "text": "waits",
            "never": False,
            "nodes": [{"node": "a", "why": "no-slot", "text": "has no open slot", "passes": True}],
        }
    ],
}
MONITOR = {
    "name": "news-in",
    "state": "watching",
    "owner": "a",
    "seen": 40,
    "settling": 1,
    "submitted": 39,
    "last_file": "clip.mxf",
    "last_error": None,
    "refused": 0,
    "folder": "san:watch/news",
    "factories": ["proxy"],
    "version": 1,
    "scan_ms": 12,
    "enabled": True,
    "growing": [{"path": "watch/news/live.mov", "size": 10_000_000, "rate": 2_500_000}],
    "created_at": "2026-05-01T10:00:00.000Z",
    "created_by": "local:root",
    "text": 'name = "news-in"\n',
    "settings": {"name": "news-in"},
}
MONITOR_TEST = {
    "monitor": "news-in",
    "node": "a",
    "state": "watching",
    "why": "",
    "counts": {"submit": 1, "ignore": 1},
    "files": [
        {"path": "watch/news/a.mxf", "size": 1000, "mtime_ns": 1, "would": "submit", "why": "once it stood still"},
        {"path": "watch/news/.b", "would": "ignore", "why": "hidden"},
    ],
}
