"""What one part of the core says that concerns another is passed on."""

from __future__ import annotations

from typing import Any

import pytest

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core import watch_messages as m
from fa.core import work as w
from fa.core.dispatcher import Dispatcher
from fa.core.machine import Machine
from fa.core.worker import Worker
from tests.core.book import AT, view
from tests.core.test_worker import GRANT, order

NOW = w.Moment(10.0, AT)


class Said:
    """Stands for the array core: says what it was given to say, once."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.effects: list[Any] = []
        self.events: list[Any] = []

    def step(self, event: Any, now: float) -> list[Any]:
        self.events.append(event)
        said, self.effects = self.effects, []
        return said


@pytest.fixture
def array() -> Said:
    return Said()


@pytest.fixture
def machine(array: Said) -> Machine:
    made = Machine("b", array, Dispatcher("b"), Worker("b", 2))  # type: ignore[arg-type]
    made.step(w.OfferChanged(view("b"), "", ""), NOW)
    return made


def say(machine: Machine, *effects: Any) -> list[Any]:
    machine.array.effects = list(effects)  # type: ignore[attr-defined]
    return machine.step(av.Woken(), NOW)


def kinds(effects: list[Any]) -> list[type]:
    return [type(effect.message if isinstance(effect, w.Tell) else effect) for effect in effects]


def test_who_serves_may_dispatch_and_reports_to_itself(machine: Machine) -> None:
    effects = say(machine, ae.Serve(5))
    assert kinds(effects)[:2] == [ae.Serve, w.LoadActive]
    assert {effect.node for effect in effects if isinstance(effect, w.Tell)} == {"b"}
    assert w.Commit in kinds(machine.step(w.Asked(1, object()), NOW))  # type: ignore[arg-type]


def test_who_steps_down_does_neither(machine: Machine) -> None:
    say(machine, ae.Serve(5))
    say(machine, ae.StepDown())
    assert kinds(machine.step(w.Asked(1, object()), NOW)) == [w.Answer]  # type: ignore[arg-type]
    assert machine.step(w.Progressed(w.Running(1, 1, "flipping")), NOW) == []


def test_who_follows_reports_to_the_coordinator(machine: Machine) -> None:
    effects = say(machine, ae.Follow("a", 5))
    assert {effect.node for effect in effects if isinstance(effect, w.Tell)} == {"a"}


def test_who_lost_the_majority_begins_nothing(machine: Machine) -> None:
    say(machine, ae.Serve(5), ae.Stale(True))
    assert machine.dispatcher.deadline is None


def test_messages_go_to_whom_they_are_for(machine: Machine) -> None:
    say(machine, ae.Follow("a", 5))
    assert kinds(machine.step(w.Told("a", order()), NOW)) == [w.StartAttempt]
    for message in (w.Stop(9, 9, ""), GRANT):
        assert machine.step(w.Told("a", message), NOW)
    assert machine.step(w.Told("a", w.WorkBeat("a", 1, 1, 5, 1)), NOW) == [], "this node does not lead"


def test_what_is_to_be_watched_and_what_was_found_concern_the_watcher(machine: Machine) -> None:
    say(machine, ae.Follow("a", 5))
    watches = m.Watches(5, (m.WatchOrder(1, 1, 'name = "in"\nfolder = "san:in"\nfactories = ["one"]\n'),))
    assert w.StartWatch in kinds(machine.step(w.Told("a", watches), NOW))
    found = machine.step(w.Scanned(m.WatchStatus(1, 1, "disconnected", "gone")), NOW)
    beat = m.WatchBeat("b", 5, (m.WatchStatus(1, 1, "disconnected", "gone"),))
    assert found == [w.Tell("a", beat)], "a change of state is said at once"
    ended = w.AfterEnded(m.AfterOrder(4, 1, "in/x", 10, 20, "done", ""), "in/done/x")
    assert machine.step(ended, NOW) == [w.Tell("a", m.AfterDone("b", 4, "in/done/x"))]


def test_what_concerns_nobody_else_is_passed_through(machine: Machine) -> None:
    assert say(machine, ae.Thaw()) == [ae.Thaw()]


def test_it_wakes_for_the_first_of_its_parts(machine: Machine, array: Said) -> None:
    assert machine.deadline is None
    say(machine, ae.Follow("a", 5))
    assert machine.deadline == 10.5
    array.deadline = 10.2
    assert machine.deadline == 10.2
    assert machine.woken() == w.Tick()


def test_the_array_is_woken_when_its_time_has_come(machine: Machine, array: Said) -> None:
    array.deadline = 11.0
    machine.step(w.Tick(), NOW)
    assert array.events == []
    array.deadline = 10.0
    array.effects = [ae.Follow("a", 5)]
    assert kinds(machine.step(w.Tick(), NOW))[0] is ae.Follow
    assert array.events == [av.Woken()]
