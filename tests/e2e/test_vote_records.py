"""The vote records of a volume are lost, or set back, while all else of it is well: people are told, nobody is given a
vote from what is left, and it is repaired while the servers are a majority (SAFETY.md scenario 26)."""

from __future__ import annotations

import shutil

from fa.node.volume_vote import FOLDER
from tests.e2e import kit
from tests.e2e.kit import wait_until

VOTER = "volume:san"
LONGER_THAN_ANY_SUSPICION = 3.0  # seconds: who would take over wrongly has done so by then


def ill(array: kit.Array) -> list[str]:
    alerts = array.coordinator().get("/v1/alerts")["items"]
    return [alert["text"] for alert in alerts if alert["kind"] == "vote.ill"]


def kill_coordinator(array: kit.Array) -> tuple[kit.Node, kit.Node]:
    """The dead one, and the one that is left."""
    array.wait_whole()
    dead = array.coordinator()
    dead.kill()
    return dead, next(node for node in array.nodes if node is not dead)


def come_back(array: kit.Array, node: kit.Node) -> None:
    node.start()
    array.wait_whole()


def test_lost_and_set_back_votes_are_told_and_given_again(array: kit.Array) -> None:
    array.settings = {name: {"array": {"witness": VOTER}} for name in "ab"}
    array.found("a", "--slots", "1", "--witness", VOTER)
    array.join("b", "--slots", "1")
    array.wait_mirror()
    votes = array.san / FOLDER
    wait_until("it votes", lambda: len(array.coordinator().get("/v1/mirror")["voters"]) == 3)

    shutil.rmtree(votes)
    wait_until("it is told", lambda: ill(array))
    assert "lost its vote records" in ill(array)[0] and "fa volume vote san" in ill(array)[0]
    node = array.coordinator()
    assert node.status()["health"] == "degraded" and node.get("/v1/mirror")["votes_ill"]
    dead, alone = kill_coordinator(array)
    wait_until("it is missed", lambda: alone.status()["coordinator"] is None)
    kit.wait_some(LONGER_THAN_ANY_SUSPICION)
    assert alone.status()["health"] == "down" and not votes.exists(), "an empty folder promised something"

    come_back(array, dead)
    kit.fa("volume", "vote", "san", "--dir", str(alone.root), "--yes")
    wait_until("the alert is over", lambda: not ill(array))
    assert VOTER in array.coordinator().get("/v1/mirror")["voters"]
    dead, alone = kill_coordinator(array)
    wait_until("the fresh vote is given", alone.leads)

    come_back(array, dead)
    for node in array.nodes:
        node.stop()
    max(votes.glob("r.*")).unlink()
    for node in array.nodes:
        node.start()
    wait_until("it is told", lambda: "set back in time" in "".join(ill(array)))
    kit.fa("node", "remove", VOTER, "--dir", str(alone.root), "--yes")
    wait_until("the coordinator enrols it again", lambda: VOTER in array.coordinator().get("/v1/mirror")["voters"])
    wait_until("the alerts are over", lambda: not ill(array))
    _, alone = kill_coordinator(array)
    wait_until("its vote is given", alone.leads)
