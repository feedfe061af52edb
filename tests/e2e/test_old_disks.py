"""A server comes back with less than was acknowledged since: it never leads with that, says why, and is made equal
again by itself (SAFETY.md 13 and 14)."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.e2e import kit
from tests.e2e.test_failover import BODY, WAITS

LONGER_THAN_ANY_SUSPICION = 3.0  # seconds: who would take over wrongly has done so by then


@pytest.fixture
def pair(array: kit.Array) -> tuple[kit.Node, kit.Node]:
    """Two servers and a vote on a volume: each could lead without the other."""
    a = array.found("a", "--slots", "1", "--witness", "volume:san")
    b = array.join("b", "--slots", "1")
    array.wait_mirror()
    kit.wait_until("the volume votes", lambda: len(a.get("/v1/mirror")["voters"]) == 3)
    a.post("/v1/factories", WAITS)
    return a, b


def _does_not_lead(node: kit.Node, why: str) -> None:
    kit.wait_until("it says why it waits", lambda: why in node.status()["why"])
    kit.wait_some(LONGER_THAN_ANY_SUSPICION)
    status = node.status()
    assert (status["coordinator"], status["health"]) == (None, "down")
    assert why in status["why"]


def test_of_two_that_restart_the_stale_one_waits(array: kit.Array, pair: tuple[kit.Node, kit.Node]) -> None:
    a, b = pair
    b.kill()
    array.wait_mirror("solo")
    alone = [a.post("/v1/jobs", BODY)["id"] for _ in range(3)]
    a.kill()
    b.start()
    _does_not_lead(b, "only a may lead")
    a.start()
    array.wait_mirror()
    assert a.leads()
    a.post("/v1/mirror/switchover", {"node": "b"})
    kit.wait_until("b leads", b.leads)
    assert [job["id"] for job in b.jobs()] == alone


def test_a_disk_that_was_set_back_is_not_believed(array: kit.Array, pair: tuple[kit.Node, kit.Node]) -> None:
    """As when a virtual machine goes back to its snapshot."""
    a, b = pair
    b.stop()
    snapshot = array.root / "snapshot"
    shutil.copytree(b.root, snapshot, ignore=shutil.ignore_patterns("fa.sock"))
    before = _incarnation(b)
    b.start()
    array.wait_mirror()
    since = [a.post("/v1/jobs", BODY)["id"] for _ in range(3)]
    for node in (b, a):
        node.kill()
    shutil.rmtree(b.root)
    shutil.copytree(snapshot, b.root)
    b.start()
    _does_not_lead(b, "suspect")
    a.start()
    array.wait_mirror()
    assert a.leads()
    kit.wait_until("somebody is told", lambda: "b no longer believes its disk" in _told(a))
    assert _incarnation(b) != before, "it is another member"
    a.post("/v1/mirror/switchover", {"node": "b"})
    kit.wait_until("b leads", b.leads)
    assert [job["id"] for job in b.jobs()] == since


def _incarnation(node: kit.Node) -> str:
    return str(json.loads((node.root / "vote" / "identity.json").read_text().splitlines()[0])["incarnation"])


def _told(node: kit.Node) -> str:
    return "\n".join(alert["text"] for alert in node.get("/v1/alerts?all=true")["items"])
