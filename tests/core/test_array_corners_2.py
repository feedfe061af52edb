"""A coordinator in the rare cases: requests that cannot be met, changes that come to nothing, copies left behind."""

from __future__ import annotations

from random import Random

import pytest

from fa.core import array_chain
from fa.core import array_effects as ef
from fa.core import array_events as ev
from fa.core import array_messages as ms
from fa.core.array import Array
from fa.core.array_chain import Link
from fa.core.array_state import Config
from fa.core.position import Position
from fa.core.trust import Mark
from fa.core.view import Ballot, Member, View, first_view
from tests.core.test_array import A, B, W, append, at, beat_ok, follower, hello, kinds, led_pair, only, sent
from tests.core.test_array_corners import error_of

X = Member("x", "x.1")


def shipped(effects: list[ef.Effect]) -> list[tuple[str, Position]]:
    return [(effect.peer, effect.append.after) for effect in effects if isinstance(effect, ef.Ship)]


def dropped(effects: list[ef.Effect]) -> list[str]:
    return [effect.text for effect in effects if isinstance(effect, ef.Alarm) and effect.kind == "member-dropped"]


def with_learner() -> Array:
    """c is brought up to date beside the pair."""
    array = led_pair(mirrors=2)
    array.step(ev.LinkUp("c", hello("c")), 1.0)
    array.step(ev.Received("c", beat_ok(2048, 0, node="c")), 1.1)
    array.step(ev.Received("c", beat_ok(2048, 0, 2, node="c")), 1.2)
    return array


def choose(array: Array, epoch: int, now: float, txid: int) -> list[ef.Effect]:
    """w promises and accepts the proposal of ``epoch``; the epoch's own commit is made. All effects."""
    effects = array.step(ev.Received("w", ms.Promise(epoch, "w.1", None)), now)
    effects += array.step(ev.Received("w", ms.Accepted(epoch, "w.1")), now)
    return effects + array.step(ev.Committed(at(txid), epoch), now)


# ---- reads


def test_a_read_that_came_too_late_for_a_heartbeat_waits_for_the_next_which_is_sent_at_once() -> None:
    array = led_pair()
    (first,) = sent(array.step(ev.ReadBarrier(7), 1.0), "b", ms.Beat)
    assert isinstance(first, ms.Beat)
    assert array.step(ev.ReadBarrier(8), 1.0) == [], "one heartbeat at a time is asked back"
    effects = array.step(ev.Received("b", beat_ok(2048, 1, first.number)), 1.1)
    assert only(effects, ef.BarrierPassed) == [ef.BarrierPassed(7)]
    (second,) = sent(effects, "b", ms.Beat)
    assert isinstance(second, ms.Beat) and second.number == first.number + 1
    effects = array.step(ev.Received("b", beat_ok(2048, 1, second.number)), 1.2)
    assert only(effects, ef.BarrierPassed) == [ef.BarrierPassed(8)]


# ---- orders that are not for a coordinator


@pytest.mark.parametrize(
    "order",
    [append(at(1), at(2)), ms.Compare(2048, (at(0), Position(1, 7))), ms.Resync(2048, "b", 1_000_000)],
    ids=["append", "compare", "resync"],
)
def test_a_coordinator_takes_no_orders_about_its_copy(order: ms.Message) -> None:
    array = led_pair()
    assert array.step(ev.Received("b", order), 1.0) == []
    assert array.status().serving


# ---- requests


def test_a_request_that_is_open_when_another_node_takes_over_fails() -> None:
    array = led_pair()
    assert not only(array.step(ev.AddNode(5, X, True), 1.0), ef.Answered)
    assert error_of(array.step(ev.Received("w", ms.Nack(9000)), 1.1)) == "the coordinator changed; ask again"


def test_the_coordinator_is_not_removed() -> None:
    array = led_pair()
    effects = array.step(ev.RemoveNode(1, "a"), 1.0)
    assert error_of(effects).startswith("a is the coordinator: hand over first")
    assert "Freeze" not in kinds(effects)


def test_a_removed_node_leaves_the_in_sync_set_first_and_then_the_voters() -> None:
    array = led_pair()
    effects = array.step(ev.RemoveNode(1, "b"), 1.0)
    assert dropped(effects) and sent(effects, "w", ms.Prepare) == [ms.Prepare(3072)]
    effects = choose(array, 3072, 1.1, 2)
    assert array.status().in_sync == ("a",) and not only(effects, ef.Answered)
    assert sent(effects, "w", ms.Prepare) == [ms.Prepare(4096)], "now its vote"
    effects = choose(array, 4096, 1.2, 3)
    assert array.status().voters == ("a", "w")
    assert not only(effects, ef.Answered), "the old voters still count"
    effects = choose(array, 5120, 1.3, 4)
    assert only(effects, ef.Answered) == [ef.Answered(1)]


def test_a_coordinator_knows_without_whom_a_majority_answers() -> None:
    array = led_pair()
    array.step(ev.Received("w", ms.Stat(0, "w.1", 2048, None, hears=True)), 0.9)
    assert array.status().votes == (A, B, W)
    assert set(array.status().spare) >= {"b", "w"}
    array.step(ev.Received("b", beat_ok(2048, 1)), 3.0)
    assert "w" in array.status().spare and "b" not in array.status().spare, "w is silent"
    array.step(ev.Received("w", ms.Stat(0, "w.2", 0, None, hears=True)), 3.0)
    assert "b" not in array.status().spare, "another disk of that name does not count"
    array.step(ev.Received("w", ms.Nack(9000)), 3.1)
    assert array.status().spare == (), "it leads no more"


def test_a_vote_that_nobody_has_is_not_replaced() -> None:
    array = led_pair()
    effects = array.step(ev.ReplaceVoter(1, "x", Member("y", "y.1")), 1.0)
    assert effects == [ef.Answered(1, "x has no vote")]


# ---- the switchover


def test_a_switchover_to_the_coordinator_itself_is_refused() -> None:
    assert led_pair().step(ev.SwitchOver(1, "a"), 1.0) == [ef.Answered(1, "a is the coordinator already")]


def test_there_is_one_switchover_at_a_time() -> None:
    array = led_pair()
    assert array.step(ev.SwitchOver(1, "b"), 1.0) == [ef.Freeze()]
    assert "try again" in error_of(array.step(ev.SwitchOver(2, "b"), 1.1))
    assert array.step(ev.Frozen(), 1.2) == [ef.Send("b", ms.HandOver(2048))], "the first goes on"


def test_a_switchover_to_a_node_that_dies_is_answered_and_the_node_dropped() -> None:
    array = led_pair()
    array.step(ev.SwitchOver(1, "b"), 1.0)
    effects = array.step(ev.LinkDown("b", refused=True), 1.1)
    assert error_of(effects) == "b did not take over in time; nothing changed"
    assert kinds(effects).index("Thaw") < kinds(effects).index("Freeze"), "the pause ends before the change begins"
    assert dropped(effects) == ["b leaves the in-sync set: its process is gone."]


def test_a_switchover_that_takes_too_long_is_answered_and_the_writer_goes_on() -> None:
    array = led_pair()
    array.step(ev.SwitchOver(1, "b"), 1.0)
    array.step(ev.Received("b", beat_ok(2048, 1)), 2.5)
    effects = array.step(ev.Woken(), 3.1)
    assert "Thaw" in kinds(effects) and "Freeze" not in kinds(effects)
    assert error_of(effects) == "b did not take over in time; nothing changed"
    assert array.status().serving


# ---- the change of a view


def test_a_promise_that_shows_a_view_without_this_copy_deposes_the_coordinator() -> None:
    array = led_pair()
    array.step(ev.Received("b", ms.Unable(2048, "b.1", "its disk is full")), 1.0)
    assert array.status().role == "changing"
    newer = View(2049, "b", (B,), (A, B, W), (A, B, W))
    effects = array.step(ev.Received("w", ms.Promise(3072, "w.1", newer)), 1.1)
    assert kinds(effects)[:2] == ["StepDown", "DropVip"]
    assert array.status().role == "waiting" and not sent(effects, "w", ms.Accept)


# ---- copies left behind


def test_a_segment_that_is_no_longer_here_costs_an_in_sync_copy_its_place() -> None:
    array = led_pair()
    assert array.step(ev.SegmentMissing("z"), 1.0) == [], "nobody knows it"
    effects = array.step(ev.SegmentMissing("b"), 1.0)
    assert dropped(effects) == ["b leaves the in-sync set: its copy cannot be brought up to date segment by segment."]
    assert not sent(effects, "b", ms.Resync), "not while the view counts on it"


def test_a_segment_that_is_no_longer_here_makes_a_learner_fetch_a_whole_copy() -> None:
    effects = with_learner().step(ev.SegmentMissing("c"), 1.3)
    assert sent(effects, "c", ms.Resync) == [ms.Resync(2048, "b", 0)]


def test_no_copy_is_thrown_away_while_the_view_is_changing() -> None:
    """The next view may count on this very copy."""
    array = with_learner()
    array.step(ev.LinkDown("b", refused=True), 1.3)
    assert array.status().role == "changing"
    assert array.step(ev.SegmentMissing("c"), 1.4) == []
    assert array.step(ev.Received("c", ms.Unable(2048, "c.1", "bad bytes")), 1.5) == []


def test_a_node_that_does_not_lead_has_no_copies_to_seed() -> None:
    assert follower().step(ev.SegmentMissing("a"), 0.1) == []


def test_a_complaint_of_another_disk_costs_nobody_his_place() -> None:
    array = led_pair()
    assert array.step(ev.Received("b", ms.Unable(2048, "b.2", "its disk is full")), 1.0) == []
    assert array.step(ev.Received("z", ms.Unable(2048, "z.1", "its disk is full")), 1.0) == []
    assert array.status().serving


def test_what_was_lost_on_the_way_is_shipped_again() -> None:
    """Lost is what did not arrive between two heartbeats while nothing else arrived either."""
    array = led_pair()
    assert shipped(array.step(ev.Committed(at(2), 2048), 1.0)) == [("b", at(2))]
    assert shipped(array.step(ev.Committed(at(3), 2048), 1.0)) == [("b", at(3))]
    arriving = ms.BeatOk(2048, "b.1", 2, at(1), 2, 0, usable=True, busy=False, full=False)
    assert shipped(array.step(ev.Received("b", arriving), 1.1)) == [], "the second one may be on its way"
    assert shipped(array.step(ev.Received("b", arriving), 1.6)) == [("b", at(3))]
    array.step(ev.Received("b", ms.Stored(2048, "b.1", at(1), 1, 0)), 1.7)
    effects = array.step(ev.Received("b", beat_ok(2048, 1, 3)), 1.8)
    assert shipped(effects) == [("b", at(2)), ("b", at(3))], "the bytes of the first were bad"


def test_shipping_goes_on_from_what_both_have() -> None:
    array = led_pair()
    array.step(ev.Committed(at(2), 2048), 1.0)
    answer = ms.Stored(2048, "b.1", Position(2, 7), 2, 0, common=at(1))
    effects = array.step(ev.Received("b", answer), 1.1)
    assert shipped(effects) == [("b", at(2))]
    assert not only(effects, ef.Acknowledge) and not sent(effects, "b", ms.Compare)


def test_a_copy_further_behind_than_the_chain_remembers_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_chain, "WINDOW", 2)
    array = led_pair(ship_window=1)
    for txid in range(2, 10):
        array.step(ev.Committed(at(txid), 2048), 1.0)
    assert array.status().in_sync == ("a", "b")
    effects = array.step(ev.Woken(), 1.3)
    assert dropped(effects) == ["b leaves the in-sync set: its copy cannot be brought up to date segment by segment."]


def test_a_learner_that_ends_before_all_that_is_remembered_fetches_a_whole_copy() -> None:
    array = Array(Config("array", "a", 0, "a-run"), Random(1))
    view = first_view(A, 0)
    array.step(ev.Started("a.1", 1, Mark.OK, Ballot(view.epoch, view), (Link(at(5), 1024),)), 0.0)
    array.step(ev.Committed(at(6), 2048), 0.1)
    array.step(ev.LinkUp("c", hello("c")), 0.2)
    effects = array.step(ev.Received("c", beat_ok(2048, 3, node="c")), 0.3)
    effects += array.step(ev.Received("c", beat_ok(2048, 3, 2, node="c")), 0.4)
    assert sent(effects, "c", ms.Resync) == [ms.Resync(2048, "a", 0)]
    assert not sent(effects, "c", ms.Compare) and not shipped(effects)


def test_a_vote_is_not_given_to_a_disk_that_its_node_no_longer_has() -> None:
    array = led_pair()
    effects = array.step(ev.ReplaceVoter(1, "w", Member("a", "a.0")), 1.0)
    assert effects == [ef.Answered(1, "a has another disk by now: ask again")]
    effects = array.step(ev.ReplaceVoter(2, "w", Member("b", "b.0")), 1.0)
    assert effects == [ef.Answered(2, "b has another disk by now: ask again")]


def test_a_removal_that_would_leave_too_few_waits_and_holds_nothing_up() -> None:
    """Its vote goes at once; the copy stays until another one takes its place."""
    array = led_pair(min_insync=2)
    effects = array.step(ev.RemoveNode(1, "b"), 1.0)
    assert sent(effects, "w", ms.Prepare) and not dropped(effects)
    assert "does not answer" not in array.status().why


# ---- what is told of it


def test_the_round_trip_is_that_of_the_newest_heartbeat() -> None:
    array = led_pair()
    (older,) = sent(array.step(ev.ReadBarrier(7), 1.0), "b", ms.Beat)
    assert isinstance(older, ms.Beat)
    array.step(ev.Received("b", beat_ok(2048, 1, older.number)), 1.25)
    assert [copy.round_trip for copy in array.status().copies] == [0.25]
    (newer,) = sent(array.step(ev.ReadBarrier(8), 2.0), "b", ms.Beat)
    assert isinstance(newer, ms.Beat)
    array.step(ev.Received("b", beat_ok(2048, 1, older.number)), 2.5)
    assert [copy.round_trip for copy in array.status().copies] == [0.25], "that answer is to another heartbeat"
    array.step(ev.Received("b", beat_ok(2048, 1, newer.number)), 2.75)
    assert [copy.round_trip for copy in array.status().copies] == [0.75]
