"""`fa status`: one screen, and the exit code that monitoring systems look at."""

from __future__ import annotations

import json
import time

import pytest

from fa.cli import status
from tests.cli import samples as s
from tests.cli.conftest import Line
from tests.client.fake import Answer, FakeArray, problem

SCREEN = """\
studio  OK  via b
mirror  lock-step  a -> b  epoch 3  txid 1234  lag 3 ms
jobs    12 queued  2 running  0 held  410 succeeded  1 failed  0 cancelled

NODE\tSTATE\tROLE\tSLOTS\tVERSION
a\tup\tcoordinator\tcpu:1/2\t0.1.0
b\tup\tsecondary\tcpu:1/2\t0.1.0
"""


def test_the_screen(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/status"] = s.status()
    done = fa("status")
    assert (done.code, done.out, done.err) == (0, SCREEN, "")
    assert array.lines() == ["GET /v1/status"]


@pytest.mark.parametrize(("health", "code"), [("ok", 0), ("degraded", 1), ("down", 2)])
def test_exit_codes(fa: Line, array: FakeArray, health: str, code: int) -> None:
    array.answers["GET /v1/status"] = s.status(health)
    assert fa("status").code == code
    assert json.loads(fa("status", "-o", "json").out)["health"] == health
    assert fa("status", "-q").out == f"{health}\n"


def test_why_and_alerts_are_shown(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/status"] = s.status("degraded", alerts=2)
    array.answers["GET /v1/alerts"] = s.page(s.ALERT, {**s.ALERT, "id": 5, "acked_at": "2026-01-02T03:04:06.000Z"})
    out = fa("status").out
    assert "\n  There is one copy of the store.\n" in out
    assert "4\tnode.lost\tnode/b\tNode b was not heard for 3 s." in out
    assert "\n5\t" not in out


def test_without_a_coordinator(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/status"] = s.status("down", coordinator=None, secondaries=[], jobs=None, alerts=1)
    done = fa("status")
    assert done.code == 2
    assert array.lines() == ["GET /v1/status"], "alerts are the coordinator's: asking would wait for one"
    assert "no coordinator" in done.out and "unknown without a coordinator" in done.out


def test_a_node_that_cannot_tell_who_asks_is_down_soon(
    fa: Line, array: FakeArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TLS a token is known to the coordinator only. Not the patience of other commands: somebody looks on."""
    monkeypatch.setattr(status, "PATIENCE", 0.3)
    array.answers["GET /v1/status"] = problem(503, "not-coordinator", "No majority of the voters answers.")
    begun = time.monotonic()
    done = fa("status")
    assert done.code == 2 and "No majority of the voters answers." in done.err
    assert time.monotonic() - begun < 15.0


def test_nobody_answers(fa: Line) -> None:
    done = fa("status", "--dir", "/nowhere")
    assert done.code == 6
    assert "/nowhere/fa.sock" in done.err and "fa run" in done.err


def test_hostile_names(fa: Line, array: FakeArray) -> None:
    found = s.status("degraded", array=s.HOSTILE, why=s.HOSTILE, via=s.HOSTILE)
    found["nodes"][0]["name"] = s.HOSTILE
    array.answers["GET /v1/status"] = found
    out = fa("status").out
    assert out.count(s.HOSTILE_SHOWN) == 4
    assert "\x1b" not in out and "\u202e" not in out


def test_watch_goes_on_while_the_array_does_not(fa: Line, array: FakeArray, monkeypatch: pytest.MonkeyPatch) -> None:
    array.answers["GET /v1/status"] = [
        Answer(s.status()),
        problem(401, "unauthorized", "No token."),
        Answer(s.status()),
    ]
    naps = iter((None, None, KeyboardInterrupt))

    def sleep(_: float) -> None:
        if (nap := next(naps)) is not None:
            raise nap

    monkeypatch.setattr(status.time, "sleep", sleep)
    done = fa("status", "--watch", "--interval", "1s")
    assert done.code == 130
    assert done.out == f"{SCREEN}\nNo token.\n\n{SCREEN}\n"
