"""Who is there, what they run, and what becomes of the work of those that are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fa.core import commands as c
from fa.core import work as w
from fa.core.attendance import ILL_PATIENCE, PUBLISH_PATIENCE
from fa.core.members import RESEND_AFTER, TOLD_MAX, Member, is_older, volumes_of
from fa.core.model import NewJob, NodeMode
from fa.core.reporting import SHARE_WITHIN
from fa.core.work import ReportKind
from fa.errors import StoreFull
from tests.core.book import AT, OFFERS, books, view
from tests.core.desk import EPOCH, POSITION, Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    for book in books("memory"):
        desk = Desk(book)
        desk.serve()
        desk.join("a", "b")
        desk.told.clear()
        desk.asked.clear()
        yield desk


def submit(desk: Desk, jobs: int = 1) -> list[c.Order]:
    desk.ask(c.SubmitJobs((NewJob("san:in/clip.mxf", "one"),) * jobs, AT))
    return desk.orders()


def states(desk: Desk) -> dict[str, str]:
    return {member.name: member.state for member in desk.dispatcher.members}


def alerts(desk: Desk, kind: str, *subjects: str) -> list[str]:
    return [subject for subject in subjects if desk.book.tables.open_alert(kind, subject)]


# --- lost and found ---


def test_a_silent_node_is_lost_and_its_work_goes_back_to_the_queue(desk: Desk) -> None:
    submit(desk, 3)
    assert desk.dispatcher.runs_on("b") == ((2, 1),)
    desk.tick(2.9, beats="a")
    assert states(desk)["b"] == "up"
    desk.tick(0.7, beats="a")
    assert states(desk) == {"a": "up", "b": "lost", "c": "lost"}
    assert alerts(desk, "node.lost", "node/a", "node/b", "node/c") == ["node/b", "node/c"]
    assert desk.dispatcher.runs_on("b") == ()
    assert desk.book.attempt(2).error == "b was lost"
    assert desk.book.task(2).state == "queued", "a is full"
    desk.beat("b", (2, 1))
    assert states(desk)["b"] == "up"
    assert alerts(desk, "node.lost", "node/b", "node/c") == ["node/c"]
    assert desk.said(w.Stop, "b")[-1] == w.Stop(2, 1, "it does not count any more")


def test_the_slots_of_what_is_left_over_there_are_not_open(desk: Desk) -> None:
    submit(desk, 4)
    desk.tick(4.0, beats="a")
    desk.beat("b", (2, 1), (4, 1))
    assert desk.orders() == [], "b still runs what it had"
    desk.beat("b", (4, 1))
    assert [(order.task, order.attempt) for order in desk.orders()] == [(2, 2)]


def test_what_runs_there_and_nobody_knows_of_takes_room_and_is_stopped(desk: Desk) -> None:
    """Given by an earlier coordinator, and given away by it as well."""
    stray = w.Running(77, 3, "flipping", cost=2)
    desk.step(w.Told("b", w.WorkBeat("b", 1, 10**6, EPOCH, 1, (stray,))))
    assert desk.said(w.Stop, "b") == [w.Stop(77, 3, "it does not count any more")]
    assert desk.dispatcher.views()[1].used == (("cpu", 2, 0),)
    assert [order.node for order in submit(desk, 3)] == ["a", "a"]
    desk.report("b", (77, 3), ReportKind.STOPPED)
    assert desk.said(w.Heard, "b") == [w.Heard(77, 3, ReportKind.STOPPED)]


def test_when_this_process_slept_it_cannot_tell_who_is_lost(desk: Desk) -> None:
    submit(desk, 2)
    desk.now += 60.0
    desk.step(w.Tick())
    assert states(desk) == {"a": "up", "b": "up", "c": "up"}
    desk.beat("a")
    desk.tick(3.5, beats="a")
    assert states(desk) == {"a": "up", "b": "lost", "c": "lost"}, "those that are still silent are"


def test_an_alert_of_an_earlier_coordinator_is_cleared(desk: Desk) -> None:
    for kind, subject in (("node.lost", "node/c"), ("volume.ill", "node/c/san")):
        desk.ask(c.RaiseAlert(kind, subject, "text", AT))
    desk.join("c")
    assert alerts(desk, "node.lost", "node/c") == alerts(desk, "volume.ill", "node/c/san") == []


def test_the_work_of_a_node_that_is_no_member_goes_back_as_well() -> None:
    for book in books("memory"):
        book.submit()
        book.dispatch(view("z"))
        desk = Desk(book)
        desk.serve()
        desk.tick(0.1)
        assert book.task(1).state == "queued"


def test_what_cannot_be_given_away_now_is_given_away_later(desk: Desk) -> None:
    submit(desk, 2)
    desk.refuse[c.GiveAway] = StoreFull()
    desk.tick(5.0, beats="a")
    assert desk.dispatcher.runs_on("b") == ((2, 1),)
    desk.refuse.clear()
    desk.tick(RESEND_AFTER, beats="a")
    assert desk.dispatcher.runs_on("b") == ()


def test_what_was_not_given_away_when_its_node_is_back_goes_on(desk: Desk) -> None:
    submit(desk, 2)
    desk.refuse[c.GiveAway] = StoreFull()
    desk.tick(5.0, beats="a")
    assert states(desk)["b"] == "lost"
    desk.beat("b", (2, 1))
    desk.refuse.clear()
    desk.tick(10.0, beats="ab")
    assert desk.dispatcher.runs_on("b") == ((2, 1),)
    assert (desk.book.task(2).state, desk.book.task(2).attempt) == ("running", 1)
    assert desk.said(w.Stop) == []


def test_an_order_to_a_node_that_was_lost_meanwhile_is_taken_back(desk: Desk) -> None:
    desk.held = True
    desk.ask(c.SubmitJobs((NewJob("san:x", "one"),) * 2, AT))
    desk.step(w.Carried(desk.waiting[0].tag, desk._result(desk.waiting.pop(0).command), POSITION))
    desk.tick(4.0, beats="a")
    desk.held = False
    desk.carry_out()
    assert [order.node for order in desk.orders()] == ["a", "b"]
    desk.tick(0.1, beats="a")
    assert [order.node for order in desk.orders()] == ["a"]


# --- beats ---


def test_an_order_that_left_no_trace_is_told_again(desk: Desk) -> None:
    (order,) = submit(desk)
    desk.beat("a", exactly=())
    assert desk.orders() == [], "it is on its way"
    desk.serve(EPOCH + 1)
    desk.now += RESEND_AFTER
    desk.beat("a", exactly=())
    (again,) = desk.orders()
    assert (again.task, again.attempt, again.epoch) == (order.task, order.attempt, EPOCH + 1)


def test_a_node_that_has_fewer_slots_than_it_says_keeps_no_work(desk: Desk) -> None:
    """It beats and never begins the order: another node gets the task, and it is blamed."""
    submit(desk, 2)
    for _ in range(int(TOLD_MAX * RESEND_AFTER) + 2):
        desk.tick(1.0, beats="a")
        desk.beat("b", exactly=())
    assert desk.dispatcher.runs_on("b") == ()
    assert desk.book.attempt(2).error == "b said that it has room and did not begin it"
    assert desk.book.task(2).blocked == ("b",)
    desk.beat("b", (2, 1))
    assert desk.said(w.Stop, "b"), "too late"


def test_it_is_blamed_once_however_long_the_commit_takes(desk: Desk) -> None:
    submit(desk, 2)
    desk.held = True
    for _ in range(int(TOLD_MAX * RESEND_AFTER) + 6):
        desk.tick(1.0, beats="a")
        desk.beat("b", exactly=())
    assert [type(commit.command) for commit in desk.waiting].count(c.FailAttempt) == 1


def test_what_was_there_and_is_gone_is_given_to_others(desk: Desk) -> None:
    submit(desk)
    desk.beat("a", (1, 1))
    desk.beat("a", exactly=())
    assert [(order.task, order.attempt) for order in desk.orders()] == [(1, 2)]
    assert desk.book.attempt(1).error == "a no longer runs it"


def test_what_waits_to_be_reported_is_not_gone(desk: Desk) -> None:
    submit(desk)
    desk.beat("a", (1, 1))
    desk.beat("a", exactly=(), reporting=((1, 1),))
    assert desk.dispatcher.runs_on("a") == ((1, 1),)


def test_a_node_that_started_anew_has_lost_what_it_ran_but_not_what_it_reports(desk: Desk) -> None:
    submit(desk, 4)
    desk.beat("a", boot=2, exactly=(), reporting=((1, 1),))
    assert desk.dispatcher.runs_on("a") == ((1, 1),)
    assert desk.said(w.Seen, "a")[-1] == w.Seen(EPOCH, -1), "what it offers is to be said anew"
    assert desk.orders() == [], "until then it gets nothing"
    desk.offer(view("a"), boot=2)
    desk.beat("a", exactly=(), reporting=((1, 1),))
    assert [(order.task, order.attempt, order.boot) for order in desk.orders()] == [(3, 2, 2)]


@pytest.mark.parametrize(
    "late", [{"epoch": EPOCH - 1}, {"boot": 0}, {"number": 0}], ids=["other reign", "other life", "overtaken"]
)
def test_late_beats_prove_nothing(desk: Desk, late: dict[str, int]) -> None:
    submit(desk)
    desk.beat("a", (1, 1))
    desk.said(w.Seen)
    desk.beat("a", exactly=(), **late)
    assert len(desk.said(w.Seen)) == 1
    assert desk.commands(c.GiveAway) == []
    assert desk.dispatcher.members[0].boot == 1


def test_a_node_whose_disk_was_replaced_may_count_its_boots_anew(desk: Desk) -> None:
    desk.beat("b", boot=9)
    desk.tick(4.0, beats="a")
    desk.beat("b", boot=1)
    assert states(desk)["b"] == "up"
    assert desk.dispatcher.members[1].boot == 1


# --- what nodes offer ---


def test_volumes_in_trouble_are_alarmed_once_and_cleared(desk: Desk) -> None:
    ill = (
        ("source:san", "hung: no answer"),
        ("volume:san", "hung: no answer"),
        ("volume:nas", "read-only: as mounted"),
    )
    subjects = ("node/a/nas", "node/a/san")
    desk.offer(view("a", offers=OFFERS - {"volume:san"}, unhealthy=ill), number=2)
    assert alerts(desk, "volume.ill", *subjects) == list(subjects)
    alert = desk.book.tables.open_alert("volume.ill", "node/a/san")
    assert alert is not None
    assert alert.text == "volume san on a is hung: no answer"
    desk.offer(view("a", unhealthy=ill[2:]), number=3)
    assert alerts(desk, "volume.ill", *subjects) == ["node/a/nas"]
    desk.offer(view("a", unhealthy=ill), number=2)
    assert alerts(desk, "volume.ill", *subjects) == ["node/a/nas"], "an offer that came late is none"


HUNG = (("source:san", "hung: no answer"), ("volume:san", "hung: no answer"))


def hang(desk: Desk, name: str, number: int = 2) -> None:
    """The volume of what runs there does not answer."""
    desk.offer(view(name, offers=OFFERS - {"source:san", "volume:san"}, unhealthy=HUNG), number=number)


def test_what_runs_on_a_volume_in_trouble_is_given_to_others(desk: Desk) -> None:
    submit(desk, 3)
    assert desk.dispatcher.runs_on("b") == ((2, 1),)
    desk.join("c")
    desk.orders()
    hang(desk, "b")
    desk.tick(ILL_PATIENCE - 0.5, beats="abc")
    assert desk.dispatcher.runs_on("b") == ((2, 1),), "it may pass"
    desk.tick(3.0, beats="abc")
    assert desk.dispatcher.runs_on("b") == ()
    assert desk.book.attempt(2).error == "volume san on b is in trouble"
    assert [(order.task, order.node) for order in desk.orders()] == [(2, "c")]
    assert desk.said(w.Stop, "b")[0].task == 2


def test_what_runs_on_a_full_volume_is_left_alone(desk: Desk) -> None:
    """It fails of that by itself, or still ends well."""
    submit(desk, 2)
    full = (w.VolumeHealth("san", "/mnt/san", "full", "no room"),)
    ill = (("volume:san", "full: no room"),)
    desk.offer(view("b", offers=OFFERS - {"volume:san"}, unhealthy=ill), number=2, volumes=full)
    desk.tick(ILL_PATIENCE + 3, beats="ab")
    assert desk.dispatcher.runs_on("b") == ((2, 1),)
    assert alerts(desk, "volume.ill", "node/b/san") == ["node/b/san"]
    submit(desk, 1)
    assert [order.node for order in desk.orders() if order.task == 3] == [], "nothing new begins there"


def test_trouble_that_passes_costs_nothing(desk: Desk) -> None:
    submit(desk, 2)
    hang(desk, "b")
    desk.tick(ILL_PATIENCE - 1, beats="ab")
    desk.offer(view("b"), number=3)
    desk.tick(2.0, beats="ab")
    hang(desk, "b", 4)
    desk.tick(ILL_PATIENCE - 1, beats="ab")
    assert desk.dispatcher.runs_on("b") == ((2, 1),)


def test_trouble_that_everybody_has_is_waited_for(desk: Desk) -> None:
    submit(desk, 2)
    hang(desk, "a")
    hang(desk, "b")
    desk.tick(60.0, beats="ab")
    assert desk.dispatcher.runs_on("b") == ((2, 1),), "nobody could do it instead"
    desk.offer(view("a"), number=3)
    desk.tick(3.0, beats="ab")
    assert desk.dispatcher.runs_on("b") == ()


def test_a_new_coordinator_gives_away_what_hangs_as_well(desk: Desk) -> None:
    submit(desk, 2)
    desk.step(w.Deposed())
    desk.serve(EPOCH + 1)
    for name in "ab":
        desk.beat(name, ((1, 1) if name == "a" else (2, 1)), epoch=EPOCH + 1)
    desk.offer(view("a"))
    hang(desk, "b")
    for _ in range(4):
        desk.tick(2.0)
        for name in "ab":
            desk.beat(name, epoch=EPOCH + 1)
    assert desk.dispatcher.runs_on("b") == ()


def test_an_order_that_crossed_the_news_of_trouble_is_given_away(desk: Desk) -> None:
    desk.held = True
    desk.ask(c.SubmitJobs((NewJob("san:x", "one"),) * 2, AT))
    desk.step(w.Carried(desk.waiting[0].tag, desk._result(desk.waiting.pop(0).command), POSITION))
    hang(desk, "b")
    desk.held = False
    desk.carry_out()
    assert desk.dispatcher.runs_on("b") == ((2, 1),)
    desk.tick(ILL_PATIENCE + 3, beats="ab")
    assert desk.dispatcher.runs_on("b") == ()


def refused(desk: Desk, *kinds: type) -> None:
    desk.refuse = dict.fromkeys(kinds, StoreFull())


def test_an_alert_that_the_store_refuses_is_raised_later(desk: Desk) -> None:
    refused(desk, c.RaiseAlert)
    desk.tick(4.0, beats="a")
    assert (states(desk)["b"], alerts(desk, "node.lost", "node/b")) == ("lost", [])
    refused(desk)
    desk.tick(1.0, beats="a")
    assert alerts(desk, "node.lost", "node/b") == ["node/b"]
    desk.commands(c.RaiseAlert)
    desk.tick(5.0, beats="a")
    assert desk.commands(c.RaiseAlert) == [], "once is enough"


def test_the_end_of_an_alert_that_the_store_refuses_is_noted_later(desk: Desk) -> None:
    desk.tick(4.0, beats="a")
    refused(desk, c.NodeCame)
    desk.beat("b")
    desk.tick(1.0, beats="ab")
    assert alerts(desk, "node.lost", "node/b") == ["node/b"]
    refused(desk)
    desk.tick(1.0, beats="ab")
    assert alerts(desk, "node.lost", "node/b") == []


def test_only_the_last_that_the_store_refused_is_said_later(desk: Desk) -> None:
    refused(desk, c.RaiseAlert, c.NodeCame)
    desk.tick(4.0, beats="a")
    desk.beat("b")
    refused(desk)
    desk.commands(c.RaiseAlert)
    desk.tick(1.0, beats="ab")
    assert alerts(desk, "node.lost", "node/b") == []
    assert [alert for alert in desk.commands(c.RaiseAlert) if alert.subject == "node/b"] == []


def test_a_late_refusal_of_what_has_changed_since_is_left_alone(desk: Desk) -> None:
    desk.held = True
    desk.tick(4.0, beats="a")
    desk.beat("b")
    refused(desk, c.RaiseAlert)
    desk.carry_out()
    refused(desk)
    desk.held = False
    desk.tick(1.0, beats="ab")
    assert alerts(desk, "node.lost", "node/b") == []


def test_alerts_of_volumes_are_said_later_as_well(desk: Desk) -> None:
    refused(desk, c.RaiseAlert)
    hang(desk, "b")
    refused(desk)
    assert alerts(desk, "volume.ill", "node/b/san") == []
    desk.tick(1.0, beats="ab")
    assert alerts(desk, "volume.ill", "node/b/san") == ["node/b/san"]
    refused(desk, c.ClearAlert)
    desk.offer(view("b"), number=3)
    refused(desk)
    desk.tick(1.0, beats="ab")
    assert alerts(desk, "volume.ill", "node/b/san") == []


def test_nothing_is_raised_later_of_a_node_that_is_gone(desk: Desk) -> None:
    refused(desk, c.RaiseAlert)
    hang(desk, "b")
    desk.tick(4.0, beats="a")
    refused(desk)
    desk.ask(c.RemoveNode("b", AT))
    desk.tick(2.0, beats="a")
    assert alerts(desk, "node.lost", "node/b") == alerts(desk, "volume.ill", "node/b/san") == []


def test_with_a_node_that_is_removed_goes_what_was_wrong_with_its_volumes(desk: Desk) -> None:
    desk.offer(view("b", unhealthy=(("volume:san", "hung"),)), number=2)
    assert alerts(desk, "volume.ill", "node/b/san") == ["node/b/san"]
    desk.ask(c.RemoveNode("b", AT))
    assert alerts(desk, "volume.ill", "node/b/san") == []
    desk.ask(c.RemoveNode("c", AT))
    assert [member.name for member in desk.dispatcher.members] == ["a"]


def test_offers_of_an_earlier_life_are_none() -> None:
    member = Member("a", NodeMode.UP, "", 0.0, boot=2)
    offer = w.Offer(5, view("a", boot=2), "", "")
    assert not is_older(offer, member)
    assert is_older(w.Offer(9, view("a", boot=1), "", ""), member)
    member.offer = offer
    assert is_older(w.Offer(4, view("a", boot=2), "", ""), member)
    assert not is_older(offer, member)
    assert volumes_of(["volume:san", "tag:gpu", "source:san", "source:nas"]) == ["nas", "san"]


# --- publishes that their node does not end ---


def granted(desk: Desk) -> c.Order:
    order = next(order for order in submit(desk, 2) if order.node == "b")
    desk.wish(order)
    desk.said(w.Grant)
    return order


def test_a_grant_is_told_again_until_it_leaves_a_trace(desk: Desk) -> None:
    granted(desk)
    desk.beat("b", (2, 1))
    desk.now += RESEND_AFTER
    desk.beat("b", exactly=())
    assert [grant.task for grant in desk.said(w.Grant, "b")] == [2]
    desk.beat("b", boot=2, exactly=())
    assert desk.commands(c.GiveAway) == [], "what is granted is settled, also over a restart"


def test_the_publish_of_a_lost_node_is_finished_by_another(desk: Desk) -> None:
    granted(desk)
    desk.tick(4.0, beats="a")
    assert [grant.task for grant in desk.said(w.Grant, "a")] == [2]
    desk.tick(RESEND_AFTER, beats="a")
    assert [grant.task for grant in desk.said(w.Grant, "a")] == [2], "until it is done"
    desk.report("a", (2, 1), ReportKind.PUBLISHED)
    desk.tick(SHARE_WITHIN, beats="a")
    assert desk.book.task(2).state == "succeeded"
    desk.report("b", (2, 1), ReportKind.PUBLISHED)
    assert desk.said(w.Heard, "b") == [w.Heard(2, 1, ReportKind.PUBLISHED)], "it knows no better"


def test_a_publish_that_hangs_is_offered_to_the_others_in_turn(desk: Desk) -> None:
    desk.join("c")
    desk.tick(0.1, beats="abc")
    granted(desk)
    for _ in range(11):
        desk.tick(1.0, beats="abc")
    assert desk.said(w.Grant, "b") == []
    seen = {node for node, message in desk.told if isinstance(message, w.Grant)}
    desk.tick(4.0, beats="abc")
    seen |= {node for node, message in desk.told if isinstance(message, w.Grant)}
    assert seen == {"a", "c"}
    assert PUBLISH_PATIENCE > 3 * RESEND_AFTER


def test_a_publish_whose_node_started_anew_and_hangs_is_offered_to_others(desk: Desk) -> None:
    """It says nothing of what it publishes, so that it is told again and again: each time counts as nothing."""
    granted(desk)
    desk.beat("b", (2, 1))
    for _ in range(int(PUBLISH_PATIENCE + RESEND_AFTER) + 1):
        desk.now += 1.0
        desk.beat("a")
        desk.beat("b", boot=2, exactly=())
        desk.step(w.Tick())
    assert desk.said(w.Grant, "b"), "it is told again as well"
    assert {grant.task for grant in desk.said(w.Grant, "a")} == {2}


def test_a_wish_that_is_repeated_after_the_grant_buys_no_patience(desk: Desk) -> None:
    order = next(order for order in submit(desk, 2) if order.node == "b")
    for _ in range(int(PUBLISH_PATIENCE + RESEND_AFTER) + 1):
        desk.wish(order)
        desk.tick(1.0, beats="ab")
    assert desk.said(w.Grant, "a")


def test_nobody_can_publish_where_nobody_has_the_volume(desk: Desk) -> None:
    granted(desk)
    desk.offer(view("a", offers=OFFERS - {"volume:san"}), number=2)
    desk.tick(4.0, beats="a")
    assert desk.said(w.Grant) == []
    desk.offer(view("a"), number=3)
    desk.tick(RESEND_AFTER, beats="a")
    assert len(desk.said(w.Grant, "a")) == 1


def test_the_publish_of_a_node_that_is_no_member_is_finished_by_another() -> None:
    for book in books("memory"):
        book.submit()
        book.grant(*book.dispatch(view("z")))
        desk = Desk(book)
        desk.serve()
        desk.join("a")
        desk.tick(0.1, beats="a")
        assert [(node, grant.task) for node, grant in desk.told if isinstance(grant, w.Grant)] == [("a", 1)]


def test_a_rename_needs_no_room(desk: Desk) -> None:
    """A full volume takes no work, but whoever has it can make visible what lies there."""
    granted(desk)
    ill = (("volume:san", "full: no room"),)
    desk.offer(view("a", offers=OFFERS - {"volume:san"}, unhealthy=ill), number=2)
    desk.tick(4.0, beats="a")
    assert [grant.task for grant in desk.said(w.Grant, "a")] == [2]


def test_a_settled_publish_is_tried_again_from_the_start(desk: Desk) -> None:
    granted(desk)
    desk.report("b", (2, 1), ReportKind.UNSETTLED, error="the part is gone")
    assert desk.said(w.Heard, "b") == [w.Heard(2, 1, ReportKind.UNSETTLED)]
    assert (desk.book.task(2).state, desk.book.task(2).failures) == ("queued", 1)
    assert desk.dispatcher.runs_on("b") == ()


# --- draining ---


@pytest.mark.parametrize("mode", [NodeMode.DRAINING, NodeMode.PAUSED])
def test_a_node_that_drains_or_is_paused_finishes_what_runs_and_begins_nothing(desk: Desk, mode: NodeMode) -> None:
    _, order = submit(desk, 2)
    desk.ask(c.SetNodeMode("b", mode, AT))
    assert [other.node for other in submit(desk, 4)] == ["a"], "b has a slot, too"
    desk.tick(10.0, beats="ab")
    assert (desk.said(w.Stop), desk.dispatcher.runs_on("b")) == ([], ((2, 1),))
    desk.wish(order)
    desk.report("b", (2, 1), ReportKind.PUBLISHED)
    desk.tick(SHARE_WITHIN, beats="ab")
    assert (desk.book.task(2).state, desk.book.task(2).attempt) == ("succeeded", 1)
    assert desk.orders() == []
    assert bool(desk.book.tables.fact("drained/b")) is (mode is NodeMode.DRAINING)


def test_a_drained_node_is_noted_when_nothing_is_left_there(desk: Desk) -> None:
    submit(desk, 2)
    desk.ask(c.SetNodeMode("b", NodeMode.DRAINING, AT))
    desk.beat("b")
    desk.ask(c.ActOnJobs(c.JobAction.CANCEL, (2,), AT))
    desk.beat("b", (2, 1))
    assert desk.commands(c.NoteDrained) == [], "it is still being killed"
    desk.refuse[c.NoteDrained] = StoreFull()
    desk.beat("b", exactly=())
    desk.refuse.clear()
    desk.beat("b")
    desk.beat("b")
    assert len(desk.commands(c.NoteDrained)) == 2, "once more after the store refused it, then no more"
    assert desk.book.tables.fact("drained/b")


# --- reports ---


def test_only_its_own_node_says_that_an_attempt_failed_or_stopped(desk: Desk) -> None:
    submit(desk)
    for kind in (ReportKind.FAILED, ReportKind.STOPPED):
        desk.report("b", (1, 1), kind)
    assert len(desk.said(w.Heard, "b")) == 2
    assert desk.dispatcher.runs_on("a") == ((1, 1),)


def test_what_stopped_by_itself_is_given_to_others(desk: Desk) -> None:
    submit(desk)
    desk.report("a", (1, 1), ReportKind.STOPPED)
    assert desk.book.attempt(1).error == "a stopped it"
    assert desk.said(w.Heard, "a") == [w.Heard(1, 1, ReportKind.STOPPED)]


def test_a_wish_without_a_file_is_none(desk: Desk) -> None:
    submit(desk)
    desk.report("a", (1, 1), ReportKind.WANTS_PUBLISH)
    assert desk.said(w.Heard, "a") == [w.Heard(1, 1, ReportKind.WANTS_PUBLISH)]
    assert desk.book.task(1).state == "running"


def test_a_late_wish_is_stopped_and_a_late_failure_is_heard(desk: Desk) -> None:
    (order,) = submit(desk)
    desk.beat("a", (1, 1))
    desk.beat("a", exactly=())
    desk.told.clear()
    desk.wish(order)
    assert desk.said(w.Stop, "a")[0].reason.startswith("This attempt does not count any more")
    desk.report("a", (1, 1), ReportKind.FAILED, error="x")
    assert desk.said(w.Heard, "a") == [w.Heard(1, 1, ReportKind.FAILED)]
    assert desk.book.task(1).failures == 0


def test_a_report_is_repeated_while_the_store_is_full(desk: Desk) -> None:
    submit(desk)
    desk.refuse[c.FailAttempt] = StoreFull()
    desk.report("a", (1, 1), ReportKind.FAILED, error="x")
    assert desk.said(w.Heard) == []
    desk.refuse.clear()
    desk.report("a", (1, 1), ReportKind.FAILED, error="x")
    assert desk.said(w.Heard, "a") == [w.Heard(1, 1, ReportKind.FAILED)]
