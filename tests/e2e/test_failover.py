"""The coordinator dies, again and again, under clients that retry: nothing acknowledged is lost, nothing done twice."""

from __future__ import annotations

import pytest

from tests.e2e import kit
from tests.e2e.load import Load, check_exactly_once, kill_coordinators

KILLS = 4  # 30 in bench/failover.py
WAITS = kit.PROXY.replace('name = "proxy"', 'name = "waits"\nrequires = ["tag:nowhere"]', 1)
BODY = {"source": "san:in/clip.mxf", "factory": "waits"}


def test_three_nodes(array: kit.Array) -> None:
    array.found("a", "--slots", "1")
    array.join("b", "--slots", "1")
    array.join("c", "--slots", "1")
    array.wait_mirror()
    _kill_and_check(array)


def test_two_nodes_and_the_vote_on_a_volume(array: kit.Array) -> None:
    array.found("a", "--slots", "1", "--witness", "volume:san")
    array.join("b", "--slots", "1")
    array.wait_mirror()
    kit.wait_until("the volume votes", lambda: len(array["a"].get("/v1/mirror")["voters"]) == 3)
    _kill_and_check(array)


def _kill_and_check(array: kit.Array) -> None:
    array.coordinator().post("/v1/factories", WAITS)
    with Load(array, BODY) as load:
        kill_coordinators(array, load, KILLS, array.wait_mirror)
    check_exactly_once(load, array.coordinator())


def test_two_nodes_without_a_third_vote_say_so_and_do_not_take_over(array: kit.Array) -> None:
    array.found("a", "--slots", "1", "--witness", "none")
    array.join("b", "--slots", "1")
    array.wait_mirror()
    assert "third vote" in array["a"].get("/v1/mirror")["why"]
    array["a"].kill()
    b = array["b"]
    kit.wait_until("b has noticed", lambda: b.get("/v1/status")["coordinator"] is None)
    kit.wait_some(3.0)  # longer than any suspicion: whoever would take over would have done so
    status = b.get("/v1/status")
    assert status["coordinator"] is None
    assert status["health"] == "down"
    array["a"].start()
    assert array.coordinator().name == "a"
    array.wait_mirror()


@pytest.mark.parametrize("target", ["b", ""])
def test_a_planned_switchover_refuses_nobody(array: kit.Array, target: str) -> None:
    array.found("a", "--slots", "1")
    array.join("b", "--slots", "1")
    array.join("c", "--slots", "1")
    array.wait_mirror()
    array.coordinator().post("/v1/factories", WAITS)
    with Load(array, BODY) as load:
        kit.wait_until("clients are at work", lambda: len(load.acknowledged) > 20)
        secondary = array["a"].status()["secondaries"][0]
        array["a"].post("/v1/mirror/switchover", {"node": secondary} if target else {})
        kit.wait_until("the other leads", lambda: array[secondary].leads())
        seen = len(load.acknowledged)
        kit.wait_until("clients go on", lambda: len(load.acknowledged) > seen + 20)
    assert load.retries == 0, "a client had to try again"
    check_exactly_once(load, array[secondary])
