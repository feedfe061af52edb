"""The coordinator's side of monitors, with a real ledger behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fa.core import commands as c
from fa.core import monitor_commands as mc
from fa.core import watch_messages as m
from fa.core import work as w
from fa.core.after_desk import AT_ONCE, HELD_MAX, PAGE, REPEAT_FIRST
from fa.core.arrivals import Fate, Sighting, Ticket
from fa.core.model import NodeMode
from fa.core.monitor_desk import ALARM_AFTER, OWNERS_WAIT, REPEAT_AFTER
from fa.core.monitor_places import ELSEWHERE_AFTER
from fa.errors import NotFound, StoreFull
from fa.node.active import active_of
from tests.core.book import AT, OFFERS, books, view
from tests.core.desk import EPOCH, Desk

TEXT = 'name = "in"\nfolder = "san:in"\nfactories = ["one"]\n'
SEEN = Sighting("in/a", 10, 20, 30, "ab")


@pytest.fixture
def desk() -> Iterator[Desk]:
    for book in books("memory"):
        yield Desk(book)


def begin(desk: Desk, text: str = TEXT, nodes: str = "ab") -> None:
    """One monitor, and these nodes."""
    desk.serve()
    desk.join(*nodes)
    desk.ask(mc.SaveMonitor(text, AT))
    desk.tick(0.3, beats=nodes)


def owner(desk: Desk) -> str:
    (row,) = desk.book.tables.monitors()
    return row.owner


def beat(desk: Desk, node: str, **status: Any) -> None:
    (row,) = desk.book.tables.monitors()
    desk.step(w.Told(node, m.WatchBeat(node, EPOCH, (m.WatchStatus(row.id, row.version, **status),))))


def report(desk: Desk, *files: Sighting, node: str = "a", number: int = 1) -> None:
    desk.step(w.Told(node, m.Sightings(node, 1, number, files)))


def pump(desk: Desk, seconds: float, nodes: str = "ab") -> None:
    """Time passes, second by second; these nodes are there."""
    for _ in range(int(seconds * 2)):
        desk.tick(0.5, beats=nodes)


# --- who watches ---


def test_a_new_monitor_gets_an_owner_who_is_told(desk: Desk) -> None:
    begin(desk)
    assert owner(desk) == "a"
    watches = desk.said(m.Watches, "a")[-1]
    assert watches.epoch == EPOCH and [order.text for order in watches.watches] == [TEXT]
    assert desk.said(m.Watches, "b") == []


def test_who_says_that_it_watches_something_else_is_told_again(desk: Desk) -> None:
    begin(desk)
    desk.said(m.Watches)
    pump(desk, 2 * REPEAT_AFTER)
    assert desk.said(m.Watches, "a"), "it never said that it watches"
    beat(desk, "a")
    pump(desk, 3 * REPEAT_AFTER)
    assert desk.said(m.Watches) == []
    beat(desk, "b")
    assert desk.said(m.Watches, "b")[-1].watches == (), "it is another one's"


def test_a_lost_owner_is_replaced_within_lost_after(desk: Desk) -> None:
    begin(desk)
    beat(desk, "a")
    lost_at = desk.now
    while owner(desk) == "a" and desk.now < lost_at + 60:
        desk.tick(0.25, beats="b")
    assert owner(desk) == "b" and desk.now - lost_at <= 3.0 + 0.75
    assert desk.said(m.Watches, "b")[-1].watches
    assert "a is lost" in desk.commands(mc.AssignMonitor)[-1].reason


def test_a_draining_owner_hands_over_and_a_paused_one_goes_on(desk: Desk) -> None:
    begin(desk)
    desk.ask(c.SetNodeMode("a", NodeMode.PAUSED, AT))
    pump(desk, 1.0)
    assert owner(desk) == "a"
    desk.ask(c.SetNodeMode("a", NodeMode.DRAINING, AT))
    pump(desk, 1.0)
    assert owner(desk) == "b"
    assert desk.said(m.Watches, "a")[-1].watches == ()


def test_an_owner_whose_volume_is_gone_hands_over(desk: Desk) -> None:
    begin(desk)
    sick = view("a", offers=OFFERS - {"source:san", "volume:san"}, unhealthy=(("source:san", "hung"),))
    desk.offer(sick, number=2)
    pump(desk, 1.0)
    assert owner(desk) == "b"


def test_an_owner_that_has_the_volume_and_cannot_look_at_the_folder_hands_over(desk: Desk) -> None:
    """Its folder hangs, or is not there for it; when that is so everywhere, it does not wander."""
    begin(desk, nodes="abc")
    owners = []
    for _ in range(8):
        owners.append(owner(desk))
        since = desk.now
        beat(desk, owner(desk))
        while owner(desk) == owners[-1] and desk.now < since + 4 * ELSEWHERE_AFTER:
            beat(desk, owner(desk), state="disconnected", why="the folder has not answered for 30 s")
            pump(desk, 1.0, "abc")
    assert owners == ["a", "b", "c", "c", "c", "c", "c", "c"]
    assert {command.reason for command in desk.commands(mc.AssignMonitor)[-2:]} == {
        "a cannot look at its folder",
        "b cannot look at its folder",
    }
    assert len(alarms(desk)) == 1, "somebody is told, once"
    desk.ask(mc.SaveMonitor(TEXT.replace("san:in", "san:other"), AT))
    while owner(desk) == "c" and desk.now < since + 8 * ELSEWHERE_AFTER:
        beat(desk, "c", state="disconnected", why="there is no folder san:other")
        pump(desk, 1.0, "abc")
    assert owner(desk) == "a", "what they said was of another folder"


def alarms(desk: Desk) -> list[c.RaiseAlert]:
    return [raised for raised in desk.commands(c.RaiseAlert) if raised.subject == "monitor/in"]


def test_an_owner_that_does_not_answer_for_a_moment_goes_on(desk: Desk) -> None:
    begin(desk)
    for _ in range(5):
        beat(desk, "a", state="disconnected", why="no folder")
        pump(desk, ELSEWHERE_AFTER - 2)
        beat(desk, "a")
        pump(desk, 1.0)
    assert owner(desk) == "a"


def test_a_removed_node_watches_nothing(desk: Desk) -> None:
    begin(desk)
    desk.ask(c.RemoveNode("a", AT))
    pump(desk, 1.0, "b")
    assert owner(desk) == "b"


def test_an_owner_that_is_lost_with_nobody_else_is_disconnected_and_stays_so(desk: Desk) -> None:
    begin(desk, nodes="a")
    beat(desk, "a")
    shown = set()
    for _ in range(20):
        desk.tick(0.25, beats="b")  # it has not said what it can do
        shown.add(desk.dispatcher.monitors.statuses()["in"].state)
        if desk.book.tables.monitors()[0].owner == "":
            assert desk.dispatcher.monitors.statuses()["in"].state == "disconnected"
    assert shown == {"watching", "disconnected"}


def test_where_nobody_can_it_is_disconnected_and_somebody_is_told(desk: Desk) -> None:
    begin(desk, TEXT.replace("san:", "tape:"))
    assert owner(desk) == "" and desk.dispatcher.monitors.statuses()["in"].state == "disconnected"
    pump(desk, ALARM_AFTER + 1)
    assert desk.book.tables.open_alert("monitor.disconnected", "monitor/in")


def test_a_new_coordinator_keeps_the_owners_that_it_hears_of(desk: Desk) -> None:
    desk.book.do(mc.SaveMonitor(TEXT, AT))
    desk.book.do(mc.AssignMonitor(1, "c", "earlier", AT))
    desk.serve()
    desk.join("a", "b")
    desk.tick(OWNERS_WAIT / 2, beats="ab")
    assert owner(desk) == "c"
    desk.join("c")
    pump(desk, 2.0, "abc")
    assert owner(desk) == "c"


def test_a_new_coordinator_does_not_wait_long_for_an_owner(desk: Desk) -> None:
    desk.book.do(mc.SaveMonitor(TEXT, AT))
    desk.book.do(mc.AssignMonitor(1, "c", "earlier", AT))
    desk.serve()
    desk.join("a", "b")
    pump(desk, OWNERS_WAIT + 0.5)
    assert owner(desk) == "a"


def test_a_disabled_monitor_is_watched_by_nobody(desk: Desk) -> None:
    begin(desk)
    beat(desk, "a")
    desk.ask(mc.EnableMonitor("in", False, AT))
    assert desk.said(m.Watches, "a")[-1].watches == () and desk.dispatcher.monitors.statuses() == {}
    desk.ask(mc.EnableMonitor("in", True, AT))
    assert [order.version for order in desk.said(m.Watches, "a")[-1].watches] == [3]
    desk.ask(mc.RemoveMonitor("in", AT))
    assert desk.said(m.Watches, "a")[-1].watches == ()


def test_a_changed_folder_goes_to_who_can_read_that_one(desk: Desk) -> None:
    """Owners are chosen by what the monitor says now."""
    begin(desk, nodes="a")
    desk.join("b", offers=OFFERS | {"source:tape"})
    assert owner(desk) == "a"
    desk.ask(mc.SaveMonitor(TEXT.replace("san:", "tape:"), AT))
    pump(desk, 1.0)
    assert owner(desk) == "b"
    assert [order.version for order in desk.said(m.Watches, "b")[-1].watches] == [2]
    assert desk.said(m.Watches, "a")[-1].watches == ()


def test_a_monitor_that_is_saved_before_the_store_was_read_gets_an_owner_too(desk: Desk) -> None:
    now = w.Moment(desk.now, AT)
    assert desk.dispatcher.step(w.Served(EPOCH), now) == [w.LoadActive()]
    earlier = active_of(desk.book.tables)  # read before the monitor is saved, handed over after it
    desk.ask(mc.SaveMonitor(TEXT, AT))
    assert desk.dispatcher.monitors.deadline == desk.now, "there is something to look at"
    desk.step(earlier)
    desk.join("a")
    desk.tick(0.3, beats="a")
    assert owner(desk) == "a" and desk.said(m.Watches, "a")[-1].watches


# --- what settled ---


def test_a_batch_is_answered_when_all_of_it_is_committed(desk: Desk) -> None:
    begin(desk)
    desk.held = True
    report(desk, SEEN, replace(SEEN, path="in/b"))
    report(desk, SEEN, replace(SEEN, path="in/b"))
    assert desk.said(m.SightingsHeard) == [] and len(desk.commands(mc.TakeArrival)) == 2, (
        "the repeat is not carried out"
    )
    desk.carry_out()
    assert desk.said(m.SightingsHeard, "a") == [m.SightingsHeard(1, 1, ("", ""))]
    desk.held = False
    report(desk, SEEN, number=2, node="b")
    assert desk.said(m.SightingsHeard, "b") == [m.SightingsHeard(1, 2, ("",))]
    assert sum(desk.book.tables.counts().values()) == 2, "two nodes saw it, one job came of it"


def test_a_batch_of_nothing_is_answered_at_once(desk: Desk) -> None:
    """Nobody waits for an answer that no commit would ever bring."""
    begin(desk)
    desk.held = True
    report(desk, number=4)
    assert desk.said(m.SightingsHeard) == [m.SightingsHeard(1, 4, ())] and desk.waiting == []
    report(desk, SEEN, number=5)
    desk.carry_out()
    assert desk.said(m.SightingsHeard) == [m.SightingsHeard(1, 5, ("",))]


def test_one_file_that_is_refused_holds_no_other_back(desk: Desk) -> None:
    begin(desk)
    report(desk, replace(SEEN, path="in//no place"), SEEN)
    (heard,) = desk.said(m.SightingsHeard)
    assert "empty" in heard.refused[0] and heard.refused[1] == ""
    assert sum(desk.book.tables.counts().values()) == 1


def test_a_batch_that_could_not_be_decided_is_not_answered(desk: Desk) -> None:
    begin(desk)
    desk.refuse[mc.TakeArrival] = StoreFull()
    report(desk, SEEN)
    assert desk.said(m.SightingsHeard) == []
    desk.refuse.clear()
    report(desk, SEEN)
    assert desk.said(m.SightingsHeard) == [m.SightingsHeard(1, 1, ("",))]


def test_a_ticket_that_is_refused_is_refused_for_ever(desk: Desk) -> None:
    begin(desk, TEXT + "tickets = true\n")
    bad = replace(SEEN, path="in/t.xml", ticket=Ticket("san:in/x", ("none",), answer=True))
    report(desk, bad, replace(SEEN, path="in/u.xml", ticket_error="not XML"))
    assert desk.said(m.SightingsHeard) == [m.SightingsHeard(1, 1, ("", ""))]
    assert [command.error for command in desk.commands(mc.RefuseArrival)] == ["not XML", str(unknown("none"))]
    assert sum(desk.book.tables.counts().values()) == 0


def unknown(name: str) -> NotFound:
    return NotFound(f"There is no factory {name!r}.", hint="`fa factories` lists them.")


def test_nodes_are_told_what_is_known(desk: Desk) -> None:
    begin(desk)
    effects = desk.dispatcher.step(w.Told("a", m.WantKnown("a", 1, 0)), w.Moment(desk.now, AT))
    assert w.LoadKnown("a", 1, 0) in effects
    desk.step(w.KnownLoaded("a", m.KnownPage(1, 0, b"", None)))
    assert desk.said(m.KnownPage, "a") == [m.KnownPage(1, 0, b"", None)]


def test_what_a_node_sees_itself_is_no_matter_of_the_coordinator(desk: Desk) -> None:
    """It comes as a message of the owner; the shell of the coordinator's own node reports to its watcher."""
    begin(desk)
    monitors, now = desk.dispatcher.monitors, w.Moment(desk.now, AT)
    assert monitors.step(w.Scanned(m.WatchStatus(1, 1, "error", "x"), (SEEN,)), now) == []
    assert monitors.statuses().get("in", m.WatchStatus(1, 1)).state == "watching"
    assert monitors.step(w.AfterEnded(m.AfterOrder(1, 1, "in/a", 10, 20, "done", ""), "in/done/a"), now) == []


def test_nobody_speaks_for_another_node(desk: Desk) -> None:
    begin(desk)
    for message in (m.Sightings("b", 1, 1, (SEEN,)), m.WatchBeat("b", EPOCH, ()), m.WantKnown("b", 1, 0)):
        desk.step(w.Told("a", message))
    desk.step(w.Told("z", m.Sightings("z", 1, 1, (SEEN,))))
    assert desk.commands(mc.TakeArrival) == [] and desk.said(m.SightingsHeard) == []


# --- trouble ---


def test_trouble_that_lasts_is_told_once_and_taken_back(desk: Desk) -> None:
    begin(desk)
    beat(desk, "a", state="disconnected", why="not mounted")
    pump(desk, ALARM_AFTER - 1)
    assert desk.book.tables.open_alert("monitor.disconnected", "monitor/in") is None
    pump(desk, 3.0)
    alert = desk.book.tables.open_alert("monitor.disconnected", "monitor/in")
    assert alert and alert.text == "not mounted"
    assert [raised.kind for raised in desk.commands(c.RaiseAlert) if raised.subject == "monitor/in"] == [alert.kind]
    beat(desk, "a", state="error", why="in/x: no index")
    pump(desk, 1.0)
    assert desk.book.tables.open_alert("monitor.disconnected", "monitor/in") is None
    assert desk.book.tables.open_alert("monitor.error", "monitor/in")
    beat(desk, "a")
    pump(desk, 1.0)
    assert desk.book.tables.open_alert("monitor.error", "monitor/in") is None


def test_what_an_earlier_coordinator_raised_is_taken_back(desk: Desk) -> None:
    desk.book.do(mc.SaveMonitor(TEXT, AT))
    desk.book.do(c.RaiseAlert("monitor.error", "monitor/in", "no index", AT))
    desk.serve()
    desk.join("a")
    pump(desk, 1.0, "a")
    beat(desk, "a")
    pump(desk, ALARM_AFTER, "a")
    assert desk.book.tables.open_alert("monitor.error", "monitor/in") is None


# --- afterwards ---


def due(desk: Desk, *orders: m.AfterOrder) -> None:
    desk.step(w.DueLoaded(orders))


def finish_one(desk: Desk) -> None:
    """A file that is to be moved, and its job, over."""
    report(desk, SEEN)
    (order,) = desk.orders()
    desk.wish(order)
    desk.report(order.node, (order.task, order.attempt), w.ReportKind.PUBLISHED)


def test_what_is_due_is_told_to_the_owner_until_it_is_done(desk: Desk) -> None:
    begin(desk, TEXT + 'after = "move:done/"\n')
    finish_one(desk)
    order = m.AfterOrder(1, 1, "in/a", 10, 20, "done", "")
    due(desk, order)
    assert desk.said(m.AfterOrder, "a") == [order]
    pump(desk, REPEAT_FIRST + 0.5)
    assert desk.said(m.AfterOrder, "a") == [order]
    desk.step(w.Told("a", m.AfterDone("a", 1, "in/done/a")))
    arrival = desk.book.tables.arrival(1)
    assert arrival and arrival.fate is Fate.OVER
    pump(desk, 30.0)
    assert desk.said(m.AfterOrder) == []


def test_a_move_that_fails_is_tried_again_and_told(desk: Desk) -> None:
    begin(desk, TEXT + 'after = "move:done/"\n')
    finish_one(desk)
    due(desk, m.AfterOrder(1, 1, "in/a", 10, 20, "done", ""))
    desk.said(m.AfterOrder)
    for _ in range(2):
        desk.step(w.Told("a", m.AfterDone("a", 1, "", "read-only")))
    alert = desk.book.tables.open_alert("monitor.after", "monitor/in")
    assert alert and alert.text == "in/a: read-only" and len(desk.commands(c.RaiseAlert)) == 1
    pump(desk, 10.0)
    assert desk.said(m.AfterOrder, "a")
    desk.step(w.Told("a", m.AfterDone("a", 1, "in/done/a")))
    assert desk.book.tables.open_alert("monitor.after", "monitor/in") is None
    assert sum(desk.book.tables.counts().values()) == 1, "never a second job"


def test_a_new_coordinator_looks_for_what_is_due(desk: Desk) -> None:
    desk.book.do(mc.SaveMonitor(TEXT, AT))
    effects = desk.dispatcher.step(w.Served(EPOCH), w.Moment(desk.now, AT))
    assert effects == [w.LoadActive()]
    assert w.LoadDue(0, PAGE) in desk.dispatcher.step(active_of(desk.book.tables), w.Moment(desk.now, AT))


def loads(desk: Desk, event: w.WorkEvent) -> list[w.LoadDue]:
    effects = desk.dispatcher.step(event, w.Moment(desk.now, AT))
    return [effect for effect in effects if isinstance(effect, w.LoadDue)]


def orders_of(monitor: int, *arrivals: int) -> tuple[m.AfterOrder, ...]:
    return tuple(m.AfterOrder(arrival, monitor, f"in/{arrival}", 10, 20, "done", "") for arrival in arrivals)


def test_an_owner_is_told_a_few_at_a_time(desk: Desk) -> None:
    begin(desk, TEXT + 'after = "move:done/"\n')
    due(desk, *orders_of(1, *range(1, AT_ONCE + 3)))
    assert len(desk.said(m.AfterOrder)) == AT_ONCE
    desk.step(w.Told("a", m.AfterDone("a", 1, "in/done/1")))
    desk.tick(0.3, beats="ab")
    assert [order.arrival for order in desk.said(m.AfterOrder)] == [AT_ONCE + 1]


def test_files_of_a_monitor_that_nobody_watches_hold_no_others_back(desk: Desk) -> None:
    begin(desk, TEXT + 'after = "move:done/"\n')
    desk.ask(mc.SaveMonitor(TEXT.replace('"in"', '"idle"', 1) + 'after = "move:done/"\n', AT))
    desk.ask(mc.EnableMonitor("idle", False, AT))
    due(desk, *orders_of(2, *range(1, 500)), *orders_of(1, 600))
    assert [order.arrival for order in desk.said(m.AfterOrder)] == [600]


def test_what_is_due_is_read_page_by_page_and_one_by_one(desk: Desk) -> None:
    begin(desk, TEXT + 'after = "move:done/"\n')
    assert loads(desk, w.DueLoaded(orders_of(1, 1, 2), more=2)) == [w.LoadDue(2, PAGE)]
    assert loads(desk, w.DueLoaded(orders_of(1, 3))) == []
    full = w.DueLoaded(orders_of(1, *range(1, HELD_MAX + 1)), more=HELD_MAX)
    assert loads(desk, full) == [], "no room; later"


def test_nothing_to_do_is_done_at_once(desk: Desk) -> None:
    begin(desk, TEXT + 'after = "move:done/"\n')
    finish_one(desk)
    due(desk, m.AfterOrder(1, 1, "in/a", 10, 20, "", ""))
    assert desk.commands(mc.EndArrival) and desk.said(m.AfterOrder) == []


def failed_move(desk: Desk) -> str:
    """The text that made it fail."""
    text = TEXT + 'after = "move:done/"\n'
    begin(desk, text)
    finish_one(desk)
    due(desk, *orders_of(1, 1))
    desk.step(w.Told("a", m.AfterDone("a", 1, "", "on another file system")))
    assert desk.book.tables.open_alert("monitor.after", "monitor/in")
    desk.said(m.AfterOrder)
    return text


def test_what_an_earlier_text_said_to_do_is_not_done_any_more(desk: Desk) -> None:
    text = failed_move(desk)
    desk.ask(mc.SaveMonitor(text.replace("done", "over"), AT))
    assert desk.book.tables.open_alert("monitor.after", "monitor/in") is None
    pump(desk, 60.0)
    assert desk.said(m.AfterOrder) == [], "it is read of the store again, see `active.due_orders`"


def test_a_removed_monitor_leaves_no_alert(desk: Desk) -> None:
    failed_move(desk)
    desk.ask(mc.RemoveMonitor("in", AT))
    desk.step(w.Told("a", m.AfterDone("a", 1, "", "late")))
    pump(desk, 1.0)
    alerts = [alert.subject for alert in desk.book.tables.open_alerts()]
    assert [subject for subject in alerts if subject.startswith("monitor")] == []
