"""Two servers: without a third vote nobody takes over, and a person may; with a witness the survivor does by itself."""

from __future__ import annotations

from typing import Any

from tests.e2e import kit
from tests.e2e.kit import wait_until


def mirror(node: kit.Node) -> Any:
    return node.get("/v1/mirror")


def _forced(node: kit.Node) -> list[str]:
    history = node.get("/v1/mirror/history")["items"]
    return [each["coordinator"] for each in history if each["why"].startswith("forced by local:")]


def _alerts(node: kit.Node, query: str = "") -> list[str]:
    return [alert["kind"] for alert in node.get(f"/v1/alerts{query}")["items"]]


def test_without_a_third_vote_a_person_decides(array: kit.Array) -> None:
    """Refused in words, bounded in time, forced by hand; what was acknowledged is there, and the other comes back."""
    a = array.found("a")
    b = array.join("b")
    array.wait_mirror()
    assert "Add a third vote" in a.status()["why"]
    job = a.post("/v1/factories", kit.PROXY) and a.post("/v1/jobs", {"source": "san:in/x.mp4", "factory": "proxy"})
    a.kill()
    wait_until("b knows that nobody leads", lambda: b.status()["coordinator"] is None)
    assert b.status()["health"] == "down"
    status, refusal = b.request("POST", "/v1/jobs", {"source": "san:in/x.mp4", "factory": "proxy"})
    assert status == 503 and refusal["retry_after"], refusal
    refused = kit.fa("force", "--dir", str(b.root), check=False)
    assert "ends at transaction" in refused and b.status()["coordinator"] is None, "nobody typed the name"
    kit.fa("force", "--dir", str(b.root), "--yes-i-know", "test")
    wait_until("b leads", b.leads)
    assert b.job(job["id"])["source"] == "san:in/x.mp4"
    wait_until("the history says who did it", lambda: _forced(b) == ["b"])
    wait_until("the override is in the history", lambda: b.get("/v1/events?kind=array.forced")["items"])
    a.start()
    wait_until("a has a whole copy again", lambda: mirror(b)["state"] == "lock-step")
    assert b.leads() and a.get(f"/v1/jobs/{job['id']}")["id"] == job["id"]


def test_a_witness_lets_the_survivor_take_over(array: kit.Array) -> None:
    """It votes and nothing else: no store, no slots, no ffmpeg. Removed, it has no vote any more."""
    a = array.found("a")
    b = array.join("b")
    array.wait_mirror()
    w = kit.Node("w", array.root / "w")
    token = array.root / "w.token"
    token.write_text(kit.fa("token", "create", "--dir", str(a.root), "--role", "node"))
    kit.fa("witness", f"https://{a.listen}", "--token-file", str(token), "--dir", str(w.root), "--node", "w",
           "--listen", w.listen)  # fmt: skip
    array.nodes.append(w)
    w.start({"PATH": "/nonexistent"})
    wait_until("w votes", lambda: sorted(mirror(a)["voters"]) == ["a", "b", "w"])
    shown = wait_until("w is listed", lambda: {node["name"]: node for node in a.get("/v1/nodes")["items"]}.get("w"))
    assert (shown["kind"], shown["slots"], shown["offers"]) == ("witness", {}, [])
    listed = wait_until("w answers as any node", lambda: w.get("/v1/nodes")["items"])
    assert sorted(node["name"] for node in listed) == ["a", "b", "w"]
    a.kill()
    wait_until("b leads", b.leads)
    wait_until("somebody is told", lambda: "take-over" in _alerts(b, "?all=true"))
    assert "take-over" not in _alerts(b), "it is over at once"
    a.start()
    array.wait_mirror()
    wait_until("no alert is left", lambda: not b.get("/v1/alerts")["items"])
    assert not (w.root / "proved.json").exists() and not (w.root / "tls" / "ca.key").exists()
    kit.fa("node", "remove", "w", "--dir", str(b.root), "--yes")
    wait_until("w has no vote", lambda: "w" not in mirror(b)["voters"])
    wait_until("w has no link", lambda: '"w"' not in (b.root / "roster.json").read_text())
    wait_until("w is not listed", lambda: "w" not in [node["name"] for node in b.get("/v1/nodes")["items"]])


def test_with_min_insync_two_nothing_is_acknowledged_alone(array: kit.Array) -> None:
    """Whichever of the two is lost: what was asked for meanwhile is done once the other is back, and once."""
    a = array.found("a", "--witness", "volume:san")
    b = array.join("b")
    array.wait_mirror()
    wait_until("three vote", lambda: len(mirror(a)["voters"]) == 3)
    a.post("/v1/factories", kit.PROXY)
    array.settings = {name: {"array": {"min_insync": 2}} for name in "ab"}
    for node in (b, a):
        node.stop()
        array.configure(node)
        node.start()
        array.wait_mirror()
    job = {"source": "san:in/x.mp4", "factory": "proxy"}
    for number, which in enumerate(("secondary", "coordinator")):
        leader = array.coordinator()
        secondary = b if leader is a else a
        lost, left = (secondary, leader) if which == "secondary" else (leader, secondary)
        lost.kill()
        wait_until("it says why", lambda left=left: "min_insync is 2" in left.status()["why"])
        assert left.status()["mirror"]["state"] == "stalled"
        status, refusal = left.request("POST", "/v1/jobs", job, key=f"k{number}")
        assert status == 503 and refusal["retry_after"], refusal
        lost.start()
        array.wait_mirror()
        array.coordinator().post("/v1/jobs", job, key=f"k{number}")
        assert len(array.coordinator().jobs()) == number + 1
