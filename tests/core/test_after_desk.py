"""The list of what is due by itself: when it is full, when answers are late, and when several files fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fa.core import after_desk
from fa.core import commands as c
from fa.core import monitor_commands as mc
from fa.core import watch_messages as m
from fa.core import work as w
from fa.core.after_desk import ALARM, PAGE, AfterDesk
from fa.core.arrivals import Arrival, Fate
from fa.core.crew import Crew, Effects
from fa.core.ledger import Outcome
from fa.core.position import Position
from fa.core.work import Moment
from fa.errors import StoreFull

NOW = Moment(100.0, 1_700_000_000_000)


def named(monitor: int) -> str:
    return f"m{monitor}"


def order(arrival: int, monitor: int = 1) -> m.AfterOrder:
    return m.AfterOrder(arrival, monitor, f"in/{arrival}", 10, 20, "done", "")


def arrival(number: int) -> Arrival:
    return Arrival(number, 1, f"in/{number}", 10, 20, "ab", 30, NOW.wall, Fate.SUCCEEDED)


class Site:
    """A desk whose owner is "a"; commits are carried out when the test says so."""

    def __init__(self) -> None:
        self.crew = Crew(7, 0)
        self.desk = AfterDesk(self.crew, lambda monitor: "a")

    def load(self, *arrivals: int, more: int | None = None) -> Effects:
        return self.desk.loaded(w.DueLoaded(tuple(order(number) for number in arrivals), more), NOW)

    def done(self, number: int, error: str = "", name_of: Callable[[int], str] = named) -> Effects:
        path = "" if error else f"in/done/{number}"
        return self.desk.done(m.AfterDone("a", number, path, error), name_of, NOW)

    def carry_out(self, effects: Effects, refusal: StoreFull | None = None) -> None:
        for effect in effects:
            then = self.crew.carried(effect.tag) if isinstance(effect, w.Commit) else None
            if isinstance(effect, w.Commit) and then:
                then(w.Carried(effect.tag, refusal or Outcome(True, ()), Position(7, 1)), NOW)


def commands(effects: Effects) -> list[c.Command]:
    return [effect.command for effect in effects if isinstance(effect, w.Commit)]


def loads(effects: Effects) -> list[w.LoadDue]:
    return [effect for effect in effects if isinstance(effect, w.LoadDue)]


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Site:
    """It holds three orders, all taken."""
    monkeypatch.setattr(after_desk, "HELD_MAX", 3)
    made = Site()
    assert loads(made.load(1, 2, 3)) == []
    return made


def test_what_becomes_due_is_read_of_the_store_by_itself(site: Site) -> None:
    assert site.desk.due(arrival(9)) == [w.LoadDue(8, 1)]


def test_what_there_is_no_room_for_is_read_later_from_the_earliest_on(small: Site) -> None:
    """Jobs end in any order: the lowest arrival that was passed over says where to go on."""
    for number in (9, 5, 7):
        assert small.desk.due(arrival(number)) == []
    assert small.desk.tick(NOW) == [], "still no room"
    small.carry_out(small.done(2))
    assert loads(small.desk.tick(NOW)) == [w.LoadDue(4, PAGE)]
    assert loads(small.desk.tick(NOW)) == [], "it is on its way"


def test_room_that_ended_files_leave_does_not_skip_what_the_store_said_to_have(small: Site) -> None:
    small.load(3, more=3)
    assert small.desk.due(arrival(9)) == []
    small.carry_out(small.done(1))
    assert loads(small.desk.tick(NOW)) == [w.LoadDue(3, PAGE)], "4 to 8 are due as well"


def test_an_answer_about_what_is_not_due_changes_nothing(site: Site) -> None:
    """It was told twice, or of an order of an earlier coordinator."""
    assert site.done(1) == [] and site.done(1, "read-only") == []
    site.load(1)
    ending = site.done(1)
    assert mc.EndArrival(1, "in/done/1", NOW.wall) in commands(ending)
    assert site.done(1) == [] and site.done(1, "late") == [], "it is being written down already"
    site.carry_out(ending)
    assert site.done(1) == [] and not site.desk.waits


def test_what_the_store_could_not_write_is_still_due(site: Site) -> None:
    site.load(1)
    site.carry_out(site.done(1), StoreFull())
    assert site.desk.waits
    site.carry_out(site.done(1))
    assert not site.desk.waits


def test_the_alert_stands_until_the_last_failed_file_is_done(site: Site) -> None:
    site.load(1, 2, 3)
    raised = c.RaiseAlert(ALARM, "monitor/m1", "in/1: read-only", NOW.wall)
    assert commands(site.done(1, "read-only")) == [raised]
    assert site.done(2, "read-only") == [], "one alert a monitor"
    first = site.done(1)
    assert commands(first) == [mc.EndArrival(1, "in/done/1", NOW.wall)], "2 has failed still"
    site.carry_out(first)
    last = site.done(2)
    cleared = c.ClearAlert(ALARM, "monitor/m1", NOW.wall)
    assert commands(last) == [mc.EndArrival(2, "in/done/2", NOW.wall), cleared]
    site.carry_out(last)
    assert commands(site.done(3, "full"))[0] == c.RaiseAlert(ALARM, "monitor/m1", "in/3: full", NOW.wall)


def test_a_failed_file_of_one_monitor_keeps_no_alert_of_another(site: Site) -> None:
    site.desk.loaded(w.DueLoaded((order(1, 1), order(2, 2)), None), NOW)
    site.done(1, "read-only")
    site.done(2, "read-only")
    assert c.ClearAlert(ALARM, "monitor/m2", NOW.wall) in commands(site.done(2))


def test_what_is_due_of_a_changed_monitor_is_read_again(site: Site) -> None:
    site.desk.loaded(w.DueLoaded((order(1), order(2), order(3, 2)), None), NOW)
    ending = site.done(2)
    site.done(1, "on another file system")
    effects = site.desk.changed(1, "m1", NOW)
    assert commands(effects) == [c.ClearAlert(ALARM, "monitor/m1", NOW.wall)] and loads(effects) == [w.LoadDue(0, PAGE)]
    assert site.done(1) == [], "it is not held any more"
    site.carry_out(ending)
    assert mc.EndArrival(3, "in/done/3", NOW.wall) in commands(site.done(3)), "that of another monitor is"
    told = site.desk.loaded(w.DueLoaded((order(1),), None), NOW)
    assert [effect.message for effect in told if isinstance(effect, w.Tell)] == [order(1)], "at once"


def test_of_a_removed_monitor_nothing_is_due(site: Site) -> None:
    site.load(1)
    assert commands(site.done(1, "late", lambda monitor: "")) == [mc.EndArrival(1, "", NOW.wall)], "and no alert"


def test_who_does_not_watch_any_more_raises_no_alert(site: Site) -> None:
    """Its folder hung, the monitor was given to another node: what it had not carried out is told to that one."""
    site.load(1)
    gone = m.AfterDone("b", 1, "", "this node does not watch that folder any more")
    assert site.desk.done(gone, named, NOW) == []
    again = site.desk.tick(Moment(NOW.mono + 0.25, NOW.wall))
    assert [effect.message for effect in again if isinstance(effect, w.Tell)] == [order(1)]
    assert mc.EndArrival(1, "in/done/1", NOW.wall) in commands(site.done(1))


def test_of_a_file_whose_job_is_retried_nothing_is_due(site: Site) -> None:
    site.load(1, 2)
    ending = site.done(2)
    for number in (1, 2, 3):
        assert site.desk.due(replace(arrival(number), fate=Fate.OPEN)) == []
    assert site.done(1, "late") == [], "it is held no more"
    site.carry_out(ending)
    assert not site.desk.waits
