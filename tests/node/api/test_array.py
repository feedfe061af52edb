"""Status, nodes, volumes, mirror, events, alerts, tokens, metrics: what an operator looks at and steers."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fa.core.commands import PutNode, RaiseAlert
from fa.core.model import NodeMode, NodeRow
from fa.node.api import status as status_route
from fa.node.api.status import health_of
from fa.node.gateway import VolumeStatus
from fa.node.tokens import read_join_token
from tests.node.api.fake import STANDING, Site, member

# --- status ---


async def test_status_has_the_fields_that_checks_outside_rely_on(one: Site) -> None:
    await one.submit()
    one.node.members[0] = member("a", view=replace(one.node.members[0].view, used=(("cpu", 1, 50),)))
    status, shown = await one.get("/v1/status")
    assert status == 200
    assert shown | {"at": "", "why": ""} == {
        "array": "news", "health": "ok", "why": "", "epoch": 7, "coordinator": "a", "secondaries": [],
        "mirror": {"state": "solo", "txid": 3, "lag_ms": 0.0},
        "nodes": [{"name": "a", "state": "up", "slots": {"cpu": {"used": 1, "total": 2}}, "version": "0.1"}],
        "jobs": {"queued": 1, "running": 0, "held": 0, "succeeded": 0, "failed": 0, "cancelled": 0},
        "alerts": 0, "via": "a", "at": "", "seq": "7-0",
    }  # fmt: skip


LOCKED = replace(STANDING, mirror="lock-step", secondaries=("b",))


@pytest.mark.parametrize(
    ("standing", "states", "alerts", "health", "words"),
    [
        (STANDING, ["up"], 0, "ok", ""),
        (LOCKED, ["up", "up"], 0, "ok", ""),
        (LOCKED, ["up", "draining"], 0, "ok", ""),
        (LOCKED, ["up", "lost"], 0, "degraded", "Lost: n1"),
        (LOCKED, ["up", "up"], 2, "degraded", "2 alerts"),
        (STANDING, ["up", "up"], 0, "degraded", "solo"),
        (replace(LOCKED, mirror="syncing"), ["up", "up"], 0, "degraded", "syncing"),
        (replace(LOCKED, mirror="stalled"), ["up", "up"], 0, "down", "majority"),
        (replace(LOCKED, coordinator=None), ["up", "up"], 0, "down", "no coordinator"),
        (replace(LOCKED, leading=False), ["up", "up"], 0, "down", "a leads the array and does not answer"),
        (replace(LOCKED, why="No third vote."), ["up", "up"], 0, "degraded", "No third vote."),
    ],
)
def test_health_in_one_word_and_why(standing: Any, states: list[str], alerts: int, health: str, words: str) -> None:
    nodes = [member(f"n{n}", state=state) for n, state in enumerate(states)]
    got, why = health_of(standing, nodes, alerts)
    assert got == health and words in why and bool(why) is (health != "ok")


async def test_a_store_that_does_not_acknowledge_keeps_no_status_waiting(
    one: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just then it is asked: what cannot be read is left out."""

    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(status_route, "COORDINATOR_SECONDS", 0.01)
    monkeypatch.setattr(one.node.readers, "overview", never)
    one.node.now = replace(STANDING, mirror="stalled", why="No majority answers.")
    code, shown = await one.get("/v1/status")
    assert (code, shown["health"], shown["jobs"], shown["alerts"]) == (200, "down", None, 0)


async def test_ready_means_that_work_is_taken(one: Site) -> None:
    assert (await one.get("/readyz"))[0] == 200
    one.node.now = replace(STANDING, mirror="stalled", why="No majority.")
    async with one.local.get("http://fa/readyz") as answer:
        assert (answer.status, (await answer.json())["why"]) == (503, "No majority.")


# --- nodes and volumes ---


async def test_nodes_are_steered(one: Site) -> None:
    one.node.store.apply(PutNode(NodeRow("a", NodeMode.UP, "", 1), 1))
    for verb, mode in [("pause", "paused"), ("drain", "draining"), ("resume", "up")]:
        assert (await one.post(f"/v1/nodes/a/{verb}"))[0] == 200
        assert getattr(one.node.asked[-1], "mode", "") == mode
    assert (await one.post("/v1/nodes/z/pause"))[0] == 404
    _, shown = await one.get("/v1/nodes/a")
    assert shown["slots"] == {"cpu": {"used": 0, "total": 2}} and "encoder:libx264" in shown["offers"]
    assert [node["name"] for node in (await one.get("/v1/nodes"))[1]["items"]] == ["a"]
    assert (await one.call("DELETE", "/v1/nodes/a"))[1]["code"] == "conflict", "it leads: hand over first"
    one.node.store.apply(PutNode(NodeRow("b", NodeMode.UP, "", 1), 1))
    assert (await one.call("DELETE", "/v1/nodes/b"))[1] == {"removed": "b"}
    assert (await one.post("/v1/nodes/b/remove")) == (200, {"removed": "b"}), "it is"
    assert (await one.post("/v1/nodes/z/remove"))[0] == 404


async def test_no_node_is_removed_whose_vote_the_majority_needs(one: Site) -> None:
    one.node.store.apply(PutNode(NodeRow("b", NodeMode.UP, "", 1), 1))
    one.node.needed.add("b")
    for method, path in (("POST", "/v1/nodes/b/remove"), ("DELETE", "/v1/nodes/b")):
        status, problem = await one.call(method, path)
        assert status == 409 and "Without b no majority of the voters answers now" in problem["detail"]
    assert not one.node.asked, "it is a member as before"
    one.node.needed.clear()
    assert (await one.post("/v1/nodes/b/remove"))[0] == 200


async def test_volumes_as_each_node_sees_them(one: Site) -> None:
    one.node.seen_volumes = [VolumeStatus("san", "b", "/mnt/san", "disconnected", "empty mount point")]
    _, shown = await one.get("/v1/volumes")
    assert shown["items"] == [
        {"name": "san", "node": "b", "path": "/mnt/san", "state": "disconnected", "why": "empty mount point",
         "free": None, "total": None}
    ]  # fmt: skip


async def test_the_vote_of_a_volume_is_renewed_and_struck(one: Site) -> None:
    assert await one.post("/v1/volumes/san/vote") == (200, {"voter": "volume:san"})
    assert await one.post("/v1/nodes/volume:san/remove") == (200, {"removed": "volume:san"})
    assert await one.call("DELETE", "/v1/nodes/volume%3Asan") == (200, {"removed": "volume:san"})
    assert [done for done, *_ in one.node.voted] == ["renewed", "removed", "removed"] and one.node.voted[0][2]
    for path in ("/v1/volumes/nas/vote", "/v1/nodes/volume:nas/remove"):
        assert (await one.post(path))[1]["code"] == "not-found"
    async with one.remote.post(f"{one.url}/v1/volumes/san/vote", headers=one.bearer("operator")) as answer:
        assert answer.status == 403


# --- mirror ---


async def test_the_mirror_is_shown_and_steered(one: Site) -> None:
    assert (await one.get("/v1/mirror"))[1] == {"state": "solo", "action": "status"}
    assert (await one.get("/v1/mirror/history"))[0] == 200
    assert (await one.post("/v1/mirror/switchover", json={"node": "b"}))[0] == 200
    assert one.node.mirrored[-1][1]["node"] == "b"
    assert (await one.post("/v1/mirror/switchover", json={"node": "z"}))[1]["code"] == "conflict"
    assert (await one.post("/v1/mirror/switchover", json={"nod": "b"}))[0] == 400


# --- events and alerts ---


async def test_events_newest_first_and_filtered(one: Site) -> None:
    for job in range(1, 8):
        await one.submit()
        await one.post(f"/v1/jobs/{job}/cancel")
    _, page = await one.get("/v1/events?limit=3&kind=job.*")
    assert [event["subject"] for event in page["items"]] == ["job/7", "job/6", "job/5"]
    _, page = await one.get(f"/v1/events?limit=3&kind=job.*&after={page['next']}")
    assert [event["subject"] for event in page["items"]] == ["job/4", "job/3", "job/2"]
    _, page = await one.get("/v1/events?subject=job/2")
    assert [event["kind"] for event in page["items"]] == ["job.cancelled"] and page["next"] is None
    _, page = await one.get("/v1/events?since=2999-01-01T00:00:00Z")
    assert page["items"] == [] and page["next"] is None
    _, page = await one.get("/v1/events?since=1999-01-01T00:00:00Z&limit=500")
    assert len(page["items"]) >= 8


@pytest.mark.parametrize("query", ["since=now", "after=x", "after=-1", "limit=0", "kinds=x"])
async def test_events_that_cannot_be(one: Site, query: str) -> None:
    assert (await one.get(f"/v1/events?{query}"))[0] == 400


async def test_alerts_are_seen_and_acknowledged(one: Site) -> None:
    alert = one.node.store.apply(RaiseAlert("volume.gone", "volume/san", "san is gone", 1))
    _, listed = await one.get("/v1/alerts")
    assert [(row["id"], row["text"]) for row in listed["items"]] == [(alert.id, "san is gone")]
    assert (await one.get("/v1/status"))[1]["health"] == "degraded"
    status, acked = await one.post(f"/v1/alerts/{alert.id}/ack")
    assert status == 200 and acked["acked_by"].startswith("local:")
    assert (await one.get("/v1/status"))[1]["health"] == "ok", "somebody has looked"
    assert (await one.post("/v1/alerts/99/ack"))[0] == 404
    assert (await one.post("/v1/alerts/x/ack"))[0] == 404


# --- tokens ---


async def test_a_token_is_made_used_and_made_worthless(one: Site) -> None:
    status, made = await one.post("/v1/tokens", json={"role": "operator", "ttl": 3600, "label": "ops"})
    assert status == 201 and made["expires_at"]
    headers = {"Authorization": f"Bearer {made['token']}"}
    async with one.remote.get(f"{one.url}/v1/me", headers=headers) as answer:
        assert (await answer.json())["name"] == f"operator:{made['id']}"
    _, listed = await one.get("/v1/tokens")
    assert made["token"].split("_", 3)[3] not in json.dumps(listed)
    assert (await one.call("DELETE", f"/v1/tokens/{made['id']}"))[0] == 200
    async with one.remote.get(f"{one.url}/v1/me", headers=headers) as answer:
        assert answer.status == 401, "at once, although it was looked up a moment ago"


async def test_a_join_token_pins_the_array_and_opens_nothing_else(one: Site) -> None:
    _, made = await one.post("/v1/tokens", json={"role": "node"})
    assert read_join_token(made["token"]).pin == one.authority.fingerprint
    assert made["uses_left"] == 1 and made["expires_at"]
    async with one.remote.get(f"{one.url}/v1/me", headers={"Authorization": f"Bearer {made['token']}"}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("body", [{"role": "root"}, {"role": "admin", "ttl": 0}, {"role": "node", "uses": 0}, {}])
async def test_tokens_that_cannot_be(one: Site, body: dict[str, Any]) -> None:
    assert (await one.post("/v1/tokens", json=body))[0] == 400


# --- the small print ---


async def test_metrics_can_be_scraped(one: Site) -> None:
    await one.submit()
    await one.get("/v1/jobs/1")
    one.node.seen_volumes = [VolumeStatus('s"\n', "a", "/x", "healthy")]
    async with one.local.get("http://fa/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["fa_jobs", ("state", "queued")] == 1
    assert samples["fa_slots", ("class", "cpu"), ("node", "a")] == 2
    assert samples["fa_mirror_state", ("state", "solo")] == 1
    assert samples["fa_volume_healthy", ("node", "a"), ("volume", 's"\n')] == 1
    assert samples["fa_http_requests_total", ("route", "/v1/jobs/{id}"), ("status", "200")] == 1


async def test_who_polls_is_told_when_nothing_changed(one: Site) -> None:
    await one.submit()
    async with one.local.get("http://fa/v1/jobs/1") as answer:
        tag = answer.headers["ETag"]
    async with one.local.get("http://fa/v1/jobs/1", headers={"If-None-Match": f'"x", {tag}'}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    await one.post("/v1/jobs/1/hold")
    async with one.local.get("http://fa/v1/jobs/1", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 200


async def test_large_json_is_compressed_for_who_asks(one: Site) -> None:
    plain = (await one.get("/openapi.json"))[1]
    async with one.local.get("http://fa/openapi.json", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert await answer.json() == plain
    async with one.local.get("http://fa/healthz", headers={"Accept-Encoding": "gzip"}) as answer:
        assert "Content-Encoding" not in answer.headers
    assert len(gzip.compress(json.dumps(plain).encode())) < len(json.dumps(plain))


async def test_head_has_no_body(one: Site) -> None:
    async with one.local.head("http://fa/v1/status") as answer:
        assert answer.status == 200 and await answer.read() == b""


async def test_a_problem_explains_itself_without_a_network(one: Site) -> None:
    _, problem = await one.get("/v1/jobs/9")
    status, page = await one.get(problem["type"])
    assert (status, page["status"]) == (200, 404)
    assert (await one.get("/problems/none"))[0] == 404


async def test_the_request_id_of_the_client_is_kept_if_it_is_one(one: Site) -> None:
    async with one.local.get("http://fa/healthz", headers={"Fa-Request-Id": "mine-1"}) as answer:
        assert answer.headers["Fa-Request-Id"] == "mine-1"
    async with one.local.get("http://fa/healthz", headers={"Fa-Request-Id": "x" * 65}) as answer:
        assert answer.headers["Fa-Request-Id"] != "x" * 65
