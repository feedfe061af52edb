"""Whatever the array tells, nothing but text reaches a terminal (SECURITY.md 4.5)."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pytest

from tests.cli import samples as s
from tests.cli.conftest import Line
from tests.client.fake import Answer, FakeArray, problem

KEPT = ("next", "prev", "seq", "at", "created_at", "submitted_at", "finished_at", "started_at")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def hostile(value: Any, key: str = "") -> Any:
    """The same object, every text and every name of a map in it replaced by the worst one."""
    if isinstance(value, str):
        return value if key in KEPT else s.HOSTILE
    if isinstance(value, list):
        return [hostile(each, key) for each in value]
    if isinstance(value, dict):
        free = key in ("slots", "unhealthy", "jobs")
        return {s.HOSTILE if free else name: hostile(each, name) for name, each in value.items()}
    return value


TOKEN = {"id": "K3", "role": "node", "label": "x", "created_at": "2026-01-02T03:04:06.000Z", "expires_at": "x"}
MIRROR = {"state": "solo", "why": "x", "voters": ["a"], "copies": [{"node": "a", "state": "x", "txid": 4}]}
REPORT = {"product": "a", "ok": False, "error": "x", "video": ["h264"], "timecode": "x"}
DURABLE = {"items": [s.job()], "durability": "solo"}
RESULTS = [
    {"id": 1, "ok": True, "state": "queued", "code": None, "detail": None},
    {"id": 2, "ok": False, "state": None, "code": "conflict", "detail": "No."},
]
COMMANDS: list[tuple[str, str, Any]] = [
    ("status", "GET /v1/status", s.status("degraded")),
    ("jobs", "GET /v1/jobs", s.page(s.job(1, "running", s.running(), s.failed(), s.succeeded()))),
    ("job show 17", "GET /v1/jobs/17", s.detail(17, "x", s.running(), s.failed(), s.succeeded())),
    ("job cancel 17", "POST /v1/jobs/17/cancel", s.job()),
    ("job retry 1 2", "POST /v1/jobs:retry", {"items": RESULTS}),
    ("why 17", "GET /v1/jobs/17/why", s.WHY),
    ("submit san:a -f b", "POST /v1/jobs", s.submitted(durability="x")),
    ("submit san:a san:b -f b", "POST /v1/jobs:batch", DURABLE),
    ("nodes", "GET /v1/nodes", s.page(s.node(quarantined=["x"], unhealthy={"x": "y"}))),
    ("node show a", "GET /v1/nodes/a", s.node(quarantined=["x"], unhealthy={"x": "y"})),
    ("node pause a", "POST /v1/nodes/a/pause", s.node()),
    ("factories", "GET /v1/factories", s.page(s.FACTORY)),
    ("factory show a", "GET /v1/factories/a", {**s.FACTORY, "warning": "x"}),
    ("factory versions a", "GET /v1/factories/a/versions", s.page(s.FACTORY)),
    ("factory apply -f -", "POST /v1/factories", {**s.FACTORY, "warning": "x"}),
    ("factory validate -f -", "POST /v1/factories:validate", {**s.FACTORY, "warning": "x"}),
    ("factory test -f -", "POST /v1/factories:test", s.page(REPORT)),
    ("monitors", "GET /v1/monitors", s.page(s.MONITOR)),
    ("monitor show a", "GET /v1/monitors/a", s.MONITOR),
    ("volume list", "GET /v1/volumes", s.page(s.VOLUME)),
    ("mirror status", "GET /v1/mirror", MIRROR),
    ("mirror history", "GET /v1/mirror/history", s.page({"epoch": 1, "coordinator": "a", "before": "b", "at": "x"})),
    ("events", "GET /v1/events", s.page(s.EVENT)),
    ("alerts", "GET /v1/alerts", s.page(s.ALERT)),
    ("token list", "GET /v1/tokens", s.page(TOKEN)),
    ("api GET /v1/me", "GET /v1/me", {"x": "y"}),
]


def harmless(text: str) -> bool:
    return all(char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text)


@pytest.mark.parametrize(("line", "route", "value"), COMMANDS, ids=[line for line, _, _ in COMMANDS])
def test_every_command(line: str, route: str, value: Any, fa: Line, array: FakeArray) -> None:
    told = hostile(value)
    array.answers[route] = Answer(told)
    words = line.split(" ")
    formats = [[]] if words[0] == "api" else [[], *(["-o", each] for each in ("wide", "csv", "json", "name")), ["-q"]]
    for options in formats:
        done = fa(*words, *options, stdin="x")
        assert harmless(done.out) and harmless(done.err), options
        assert done.out, options
    assert harmless(COLOUR.sub("", fa.on_terminal(*words)))


@pytest.mark.parametrize("words", [("status", "-o", "json"), ("api", "GET", "/v1/status")])
def test_json_loses_nothing(words: tuple[str, ...], fa: Line, array: FakeArray) -> None:
    told = hostile(s.status())
    array.answers["GET /v1/status"] = told
    assert json.loads(fa(*words).out) == told


def test_problems_and_logs(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/jobs/1"] = problem(404, "not-found", s.HOSTILE, request_id=s.HOSTILE)
    array.answers["GET /v1/jobs/2"] = s.detail(2, "running", s.running())
    array.answers["GET /v1/jobs/2/attempts/1/log"] = s.HOSTILE.encode() + bytes(range(256))
    for words in (("job", "show", "1"), ("job", "log", "2"), ("job", "show", s.HOSTILE), (s.HOSTILE,)):
        done = fa(*words)
        assert harmless(done.out) and harmless(done.err)
        assert done.out or done.err


def test_a_terminal_shows_the_same_words(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/nodes"] = s.page(s.node(), s.node("b", "lost"))
    assert fa.on_terminal("nodes") == (
        "NAME  STATE  SLOTS    RUNS  QUARANTINED  VERSION\n"
        "a     \x1b[38;5;36mup\x1b[0m     cpu:1/2  1     -            0.1.0\n"
        "b     \x1b[1;38;5;228mlost\x1b[0m   cpu:1/2  1     -            0.1.0\n"
    )
    assert "\x1b" not in fa.on_terminal("nodes", "--no-color")
