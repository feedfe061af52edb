"""What a node says and does when the disk of its store is full, or hangs."""

from __future__ import annotations

from fa.core import array_effects as ef
from fa.core import array_events as ev
from fa.core import array_messages as ms
from tests.core.test_array import beat_ok, kinds, led_pair, only
from tests.sim.script import Script


def staleness(effects: list[ef.Effect]) -> list[bool]:
    """Of the heartbeats to b."""
    sends = [effect for effect in effects if isinstance(effect, ef.Send) and effect.peer == "b"]
    return [send.message.stale for send in sends if isinstance(send.message, ms.Beat)]


def test_the_heartbeats_of_a_coordinator_whose_disk_hangs_do_not_count() -> None:
    array = led_pair()
    effects = array.step(ev.StoreStalled(True), 1.0)
    assert staleness(effects) == [True], "others are to lead"
    assert only(effects, ef.Stale) == [ef.Stale(True)]
    assert {"DropVip", "Alarm"} <= set(kinds(effects))


def test_it_leads_on_when_the_disk_answers_before_another_took_over() -> None:
    array = led_pair()
    array.step(ev.StoreStalled(True), 1.0)
    array.step(ev.Received("b", beat_ok(2048, 1)), 1.1)
    effects = array.step(ev.StoreStalled(False), 1.2)
    assert staleness(effects) == [False]
    assert only(effects, ef.Stale) == [ef.Stale(False)]
    assert "TakeVip" in kinds(effects)


def test_a_full_disk_is_told_once_and_the_hand_over_is_tried_again() -> None:
    array = led_pair()
    first = array.step(ev.StoreFull(True), 1.0)
    assert only(first, ef.Alarm)
    assert "Freeze" in kinds(first), "it hands over"
    array.step(ev.Woken(), 4.0)  # nobody took over in time
    again = array.step(ev.StoreFull(True), 4.1)
    assert not only(again, ef.Alarm)
    assert "Freeze" in kinds(again)


FULL_WHEN_IT_LEADS = """
cluster a b c in_sync=a,b mirrors=2
advance 1
write 2
advance 2
----
"""


def test_a_node_whose_disk_is_full_before_it_serves_lets_another_lead() -> None:
    """As a secondary it had room in its journal, so that nobody knew; its first commit as coordinator finds none."""
    script = Script()
    script.run(FULL_WHEN_IT_LEADS)
    b = script.world.nodes["b"]
    b._commit = lambda: None  # type: ignore[method-assign]
    script.run("crash a\nadvance 1\n----\n")
    assert b.array.status().role == "leading", "b ranks before c"
    told = script.run("full b\nwrite\nadvance 10\nstatus b c\n----\n")
    assert "c: serving" in told, told
    assert script.world.clients.open == {}


def test_it_goes_on_trying_while_nobody_else_could_lead() -> None:
    script = Script()
    script.run("cluster a b w/witness in_sync=a,b\nadvance 3\n----\n")
    b = script.world.nodes["b"]
    b._commit = lambda: None  # type: ignore[method-assign]
    told = script.run("crash a\nadvance 1\nfull b\nadvance 10\nstatus b\n----\n")
    assert "b: leading" in told, told
