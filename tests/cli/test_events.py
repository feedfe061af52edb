"""`fa events`, `fa alerts`, `fa api`, `fa token`."""

from __future__ import annotations

import json
from urllib.parse import unquote

from tests.cli import samples as s
from tests.cli.conftest import Line
from tests.client.fake import Answer, FakeArray, problem


def test_events(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/events"] = s.page(s.EVENT)
    assert fa("events", "--limit", "5", "--subject", "node/b").out == (
        "SEVERITY\tSUBJECT\tTEXT\tAGE\nerror\tnode/b\tNode b was not heard for 3 s.\t2026-01-02T03:04:06.000Z\n"
    )
    assert unquote(array.lines()[0]) == "GET /v1/events?limit=5&subject=node/b"
    assert fa("events", "--since", "2h").code == 0
    assert "since=" in array.lines()[1]
    assert fa("events", "--since", "yesterday").code == 1


def test_follow_begins_where_the_list_ended(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/events"] = s.page(s.EVENT)
    later = f"id: 7-13\nevent: event\ndata: {json.dumps({**s.EVENT, 'id': 4, 'text': s.HOSTILE})}\n\n".encode()
    other = f"id: 7-14\nevent: event\ndata: {json.dumps({**s.EVENT, 'subject': 'job/1'})}\n\n".encode()
    array.answers["GET /v1/stream"] = [Answer(chunks=(later, other)), problem(403, "forbidden", "Not any more.")]
    done = fa("events", "--follow", "--subject", "node/b")
    assert done.code == 4
    assert done.out == (
        "2026-01-02T03:04:06.000Z\terror\tnode/b\tNode b was not heard for 3 s.\n"
        f"2026-01-02T03:04:06.000Z\terror\tnode/b\t{s.HOSTILE_SHOWN}\n"
    )
    assert "nothing is heard from the array" in done.err
    streams = [asked for asked in array.asked if "/v1/stream" in asked.path]
    assert [asked.headers.get("Last-Event-ID") for asked in streams] == ["7-12", "7-14"]


def test_alerts(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/alerts"] = s.page(s.ALERT)
    array.answers["POST /v1/alerts/4/ack"] = {**s.ALERT, "acked_by": "operator:x"}
    assert fa("alerts", "-q").out == "4\n"
    assert fa("alerts", "--all").code == 0
    assert array.lines() == ["GET /v1/alerts", "GET /v1/alerts?all=true"]
    assert fa("alerts", "ack", "-", stdin="4\n").out == "alert/4 acknowledged\n"
    assert fa("alerts", "akc", "4").code == 2


def test_api(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/status"] = {"name": s.HOSTILE}
    array.answers["POST /v1/jobs"] = Answer({"id": 1}, 201)
    array.answers["GET /metrics"] = b"fa_up 1\n\x1b[2J"
    out = fa("api", "get", "/v1/status").out
    assert json.loads(out) == {"name": s.HOSTILE} and out.removesuffix("\n").isprintable()
    done = fa("api", "POST", "/v1/jobs", "-d", "-", "-i", "-H", "Idempotency-Key: k", stdin='{"source": "san:a"}')
    assert done.out.startswith("HTTP 201\n") and done.out.endswith('\n{"id": 1}\n')
    assert (array.asked[1].json, array.asked[1].headers["Idempotency-Key"]) == ({"source": "san:a"}, "k")
    assert fa("api", "GET", "/metrics").out == "fa_up 1\n\\x1b[2J\n"
    assert fa("api", "GET", "/nothing").code == 3


def test_api_refuses_what_is_no_request(fa: Line, array: FakeArray) -> None:
    assert fa("api", "GET", "v1/status").code == 1
    assert fa("api", "GET", "/v1/a b").code == 1
    assert fa("api", "GET", "/v1/jobs", "-H", "X: a\r\nY: b").code == 1
    assert fa("api", "BREW", "/v1/jobs").code == 2
    assert not array.asked


def test_tokens(fa: Line, array: FakeArray) -> None:
    made = {"id": "K3", "role": "node", "label": "", "created_at": "2026-01-02T03:04:06.000Z", "expires_at": None}
    array.answers["POST /v1/tokens"] = Answer({**made, "uses_left": 1, "token": "FA1-secret"}, 201)
    array.answers["GET /v1/tokens"] = s.page(made)
    array.answers["DELETE /v1/tokens/K3"] = {"removed": "K3"}
    done = fa("token", "create", "--role", "node", "--ttl", "1h", "--label", "rack 2")
    assert (done.out, done.err) == ("FA1-secret\n", "")
    assert array.asked[0].json == {"role": "node", "ttl": 3600.0, "label": "rack 2"}
    assert "K3\tnode\t" in fa("token", "list").out
    assert fa("token", "remove", "K3").out == "token/K3 removed\n"
