"""Cables are cut while clients submit and retry: one coordinator at a time, nothing acknowledged lost, nothing twice,
lock-step again by itself (SAFETY.md scenarios 1 to 4)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fa.core.view import EPOCH_STRIDE
from tests.e2e import kit, networks
from tests.e2e.load import Load, check_exactly_once
from tests.e2e.networks import Array
from tests.e2e.test_failover import BODY, WAITS

MISSING = networks.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

VIEWS_MAX = 6
"""Epochs that one cut may cost: one to drop or take over, one to grow again, and room for a proposal that met another.
A ping-pong between two nodes makes dozens."""


@pytest.fixture
def array(tmp_path: Path, proved: Path) -> Iterator[Array]:
    with networks.networked(tmp_path, proved) as made:
        yield made


def isolate(array: Array, victim: kit.Node) -> None:
    array.network.isolate(victim.name)


def deafen(array: Array, victim: kit.Node) -> None:
    array.network.deafen(victim.name)


def mute(array: Array, victim: kit.Node) -> None:
    array.network.mute(victim.name)


def stop(array: Array, victim: kit.Node) -> None:
    victim.signal(signal.SIGSTOP)


def heal(array: Array, victim: kit.Node) -> None:
    victim.signal(signal.SIGCONT)
    array.network.heal()


def test_three_nodes(array: Array) -> None:
    """The coordinator is cut off, loses one direction, is stopped; then it and its secondary lose each other only."""
    array.found("a", "--slots", "1")
    array.join("b", "--slots", "1")
    array.join("c", "--slots", "1")
    array.wait_mirror()
    array.coordinator().post("/v1/factories", WAITS)
    with Load(array, BODY, clients=6, timeout=2.0) as load:
        for cut in (isolate, deafen, mute, stop):
            _another_leads_after(array, load, cut)
        _both_ends_of_a_cut_see_the_third(array, load)
    check_exactly_once(load, array.coordinator())


def test_two_nodes_that_both_see_the_volume(array: Array) -> None:
    """Each has the volume's vote within reach; one of them leads, and the other comes back as its secondary, its own
    tail cut off."""
    array.found("a", "--slots", "1", "--witness", "volume:san")
    array.join("b", "--slots", "1")
    array.wait_mirror()
    kit.wait_until("the volume votes", lambda: len(array["a"].get("/v1/mirror")["voters"]) == 3)
    array.coordinator().post("/v1/factories", WAITS)
    with Load(array, BODY, clients=4, timeout=2.0) as load:
        _ack_after_cut(array, load, lambda: array.network.part("a", "b"))
        # It can acknowledge nothing any more, but learns why only when it looks at the volume again.
        kit.wait_until("the old one sees that another leads", lambda: len(_leaders(array)) == 1)
        array.network.heal()
        array.wait_mirror()
        for cut in (isolate, stop):
            _ack_after_cut(array, load, lambda cut=cut: cut(array, array.coordinator()))  # type: ignore[misc]
            for node in array.nodes:
                heal(array, node)
            array.wait_mirror()
    check_exactly_once(load, array.coordinator())


def _another_leads_after(array: Array, load: Load, cut: Callable[[Array, kit.Node], None]) -> None:
    victim = array.coordinator()
    _ack_after_cut(array, load, lambda: cut(array, victim))
    rest = array.others(victim.name)
    kit.wait_until("one of the others leads", lambda: any(array[name].leads() for name in rest))
    heal(array, victim)
    successor = array.coordinator(besides=[victim.name])
    kit.wait_until("the old one follows", lambda: _follows(victim, successor))
    array.wait_mirror()
    assert _leaders(array) == [successor.name]


def _both_ends_of_a_cut_see_the_third(array: Array, load: Load) -> None:
    """Zen #2488: the coordinator and its secondary lose each other, and both see the third node."""
    leader = array.coordinator()
    secondary = leader.status()["secondaries"][0]
    epoch = leader.status()["epoch"]
    _ack_after_cut(array, load, lambda: array.network.part(leader.name, secondary))
    array.wait_mirror()
    after = array.coordinator()
    kit.wait_until("one leads", lambda: len(_leaders(array)) == 1)
    views = (after.status()["epoch"] - epoch) // EPOCH_STRIDE
    assert 1 <= views <= VIEWS_MAX, f"{views} views for one cut"
    heal(array, leader)
    array.wait_mirror()


def _ack_after_cut(array: Array, load: Load, cut: Callable[[], None]) -> None:
    seen = len(load.acknowledged)
    kit.wait_until("clients are at work", lambda: len(load.acknowledged) > seen + 3)
    cut()
    moment = time.monotonic()
    kit.wait_until("a write after the cut", lambda: load.first_after(moment))


def _follows(node: kit.Node, leader: kit.Node) -> bool:
    status = node.status()
    return bool(status["coordinator"] == leader.name and not node.leads())


def _leaders(array: Array) -> list[str]:
    return [node.name for node in array.nodes if node.leads()]
