"""The machine through its door: order of effects, deadlines, refusals, and what it tells people."""

from __future__ import annotations

from random import Random

import pytest

from fa.core import array_effects as ef
from fa.core import array_events as ev
from fa.core import array_messages as ms
from fa.core.array import Array
from fa.core.array_chain import Link
from fa.core.array_state import Config
from fa.core.position import EMPTY, Position
from fa.core.trust import Mark
from fa.core.view import EPOCH_STRIDE, Ballot, Member, View, first_view

A, B, W, SAN = Member("a", "a.1"), Member("b", "b.1"), Member("w", "w.1"), Member("volume:san", "v.1")


def at(txid: int) -> Position:
    return Position(txid, 100 + txid)


def chain(length: int) -> tuple[Link, ...]:
    return (Link(EMPTY, 0), *(Link(at(txid), 1024) for txid in range(1, length + 1)))


def born(
    node: str = "a", view: View | None = None, length: int = 0, **settings: object
) -> tuple[Array, list[ef.Effect]]:
    """A node that has just started from this view, with a chain of ``length`` segments."""
    config = Config("array", node, "abw".index(node), f"{node}-run", **settings)  # type: ignore[arg-type]
    array = Array(config, Random(1))
    ballot = Ballot(view.epoch, view) if view else Ballot()
    return array, array.step(ev.Started(f"{node}.1", 1, Mark.OK, ballot, chain(length)), 0.0)


def hello(node: str, kind: str = "data", **changes: object) -> ms.Hello:
    fields = {
        "array_id": "array",
        "incarnation": f"{node}.1",
        "kind": kind,
        "rank": 0,
        "boots": 1,
        "run": node,
        "protocol": 1,
    }
    return ms.Hello(node=node, **{**fields, **changes})  # type: ignore[arg-type]


def kinds(effects: list[ef.Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def only(effects: list[ef.Effect], kind: type) -> list[ef.Effect]:
    return [effect for effect in effects if isinstance(effect, kind)]


def sent(effects: list[ef.Effect], peer: str, kind: type) -> list[ms.Message]:
    sends = [effect for effect in effects if isinstance(effect, ef.Send) and effect.peer == peer]
    return [send.message for send in sends if isinstance(send.message, kind)]


def led_pair(**settings: object) -> Array:
    """a, serving in epoch 2.0 with b in sync and w as a witness; one segment acknowledged."""
    view = View(EPOCH_STRIDE, "a", (A, B), (A, B, W), (A, B, W))
    array, _ = born(view=view, **settings)
    array.step(ev.LinkUp("b", hello("b")), 0.0)
    array.step(ev.LinkUp("w", hello("w", "witness")), 0.0)
    array.step(ev.Received("w", ms.Remembered("w.1", "a.1", "a-run", 0, 0, 0)), 0.1)
    array.step(ev.Woken(), 0.6)
    array.step(ev.Received("b", ms.Stat(1, "b.1", 1024, view, hears=False)), 0.6)
    array.step(ev.Received("b", ms.Promise(2048, "b.1", view)), 0.6)
    array.step(ev.Received("w", ms.Accepted(2048, "w.1")), 0.6)
    array.step(ev.Committed(at(1), 2048), 0.7)
    array.step(ev.Received("b", beat_ok(2048, 0)), 0.7)
    array.step(ev.Received("b", ms.Stored(2048, "b.1", at(1), 1, 0)), 0.7)
    assert array.status().serving
    return array


def beat_ok(epoch: int, txid: int, number: int = 1, node: str = "b", **changes: object) -> ms.BeatOk:
    position = at(txid) if txid else EMPTY
    fields = {"usable": True, "busy": False, "full": False, **changes}
    return ms.BeatOk(epoch, f"{node}.1", number, position, txid, 0, **fields)  # type: ignore[arg-type]


# ---- one voter


def test_a_single_voter_leads_at_once_and_serves_after_its_own_commit() -> None:
    array, effects = born(view=first_view(A, 0))
    assert only(effects, ef.Lead) == [ef.Lead(2048)]
    assert not array.status().serving
    effects = array.step(ev.Committed(at(1), 2048), 0.1)
    assert kinds(effects)[:3] == ["Acknowledge", "Serve", "TakeVip"]
    assert array.status().mirror == "solo"


def test_the_ballot_is_saved_before_the_view_is_led() -> None:
    _, effects = born(view=first_view(A, 0))
    last_save = max(n for n, effect in enumerate(effects) if isinstance(effect, ef.SaveBallot))
    assert last_save < kinds(effects).index("Lead")


def test_a_commit_of_an_older_epoch_acknowledges_nothing() -> None:
    array, _ = born(view=first_view(A, 0))
    assert not only(array.step(ev.Committed(at(1), 1024), 0.1), ef.Acknowledge)
    assert only(array.step(ev.Committed(at(2), 2048), 0.2), ef.Acknowledge) == [ef.Acknowledge(at(2))]


def test_a_node_without_a_view_waits_and_says_so() -> None:
    array, effects = born("b")
    assert not only(effects, ef.Lead)
    assert array.status().why == "this node belongs to no view yet"


# ---- a voter answers only after it saved


def test_a_promise_is_saved_before_it_is_sent() -> None:
    array, _ = born("b")
    effects = array.step(ev.Received("a", ms.Prepare(2048)), 0.1)
    assert kinds(effects) == ["SaveBallot", "Send"]
    assert sent(array.step(ev.Received("a", ms.Prepare(2048)), 0.2), "a", ms.Nack) == [ms.Nack(2048)]


def test_a_disk_that_is_not_believed_does_not_vote() -> None:
    array, _ = born("b", View(1024, "a", (A, B), (A, B, W), (A, B, W)))
    assert not array.step(ev.Received("a", ms.Prepare(2048)), 0.1)


# ---- a pair


def test_a_segment_is_acknowledged_when_both_have_it() -> None:
    array = led_pair()
    effects = array.step(ev.Committed(at(2), 2048), 1.0)
    assert [ship.append.after for ship in only(effects, ef.Ship)] == [at(2)]  # type: ignore[attr-defined]
    assert not only(effects, ef.Acknowledge)
    effects = array.step(ev.Received("b", ms.Stored(2048, "b.1", at(2), 2, 0)), 1.1)
    assert only(effects, ef.Acknowledge) == [ef.Acknowledge(at(2))]


@pytest.mark.parametrize(
    "answer",
    [
        ms.Stored(1024, "b.1", at(2), 2, 0),
        ms.Stored(2048, "b.2", at(2), 2, 0),
        ms.Stored(2048, "b.1", Position(2, 7), 2, 0),
    ],
    ids=["older epoch", "another disk", "another history"],
)
def test_a_word_that_does_not_count(answer: ms.Stored) -> None:
    array = led_pair()
    array.step(ev.Committed(at(2), 2048), 1.0)
    assert not only(array.step(ev.Received("b", answer), 1.1), ef.Acknowledge)


def test_a_higher_epoch_deposes_and_is_saved() -> None:
    array = led_pair()
    effects = array.step(ev.Received("w", ms.Nack(9000)), 1.0)
    assert kinds(effects) == ["StepDown", "DropVip", "SaveBallot"]
    assert not array.status().serving
    assert sent(array.step(ev.Received("w", ms.Query(3)), 1.0), "w", ms.Stat)[0].epoch == 9000  # type: ignore[attr-defined]


def test_from_the_proposal_on_nothing_is_acknowledged() -> None:
    array = led_pair()
    array.step(ev.Committed(at(2), 2048), 1.0)
    effects = array.step(ev.LinkDown("b", refused=True), 1.1)
    assert "Freeze" in kinds(effects) and sent(effects, "w", ms.Prepare)
    assert not only(array.step(ev.Received("b", ms.Stored(2048, "b.1", at(2), 2, 0)), 1.2), ef.Acknowledge)


def test_a_read_waits_for_a_heartbeat_begun_after_it() -> None:
    array = led_pair()
    (beat,) = sent(array.step(ev.ReadBarrier(7), 1.0), "b", ms.Beat)
    number = beat.number  # type: ignore[attr-defined]
    assert not only(array.step(ev.Received("b", beat_ok(2048, 1, number - 1)), 1.1), ef.BarrierPassed)
    effects = array.step(ev.Received("b", beat_ok(2048, 1, number)), 1.2)
    assert only(effects, ef.BarrierPassed) == [ef.BarrierPassed(7)]


def test_reads_fail_when_the_coordinator_is_deposed() -> None:
    array = led_pair()
    array.step(ev.ReadBarrier(7), 1.0)
    assert only(array.step(ev.Received("w", ms.Nack(9000)), 1.1), ef.BarrierFailed) == [ef.BarrierFailed(7)]


def test_a_stalled_coordinator_does_not_keep_the_reads_that_nobody_waits_for_any_more() -> None:
    array = led_pair()
    array.step(ev.LinkDown("b", refused=True), 1.0)
    for number in range(100):
        array.step(ev.ReadBarrier(number), 1.1)
    array.step(ev.ReadBarrier(100), 5.0)
    failed = only(array.step(ev.Woken(), 6.2), ef.BarrierFailed)
    assert failed == [ef.BarrierFailed(number) for number in range(100)]
    assert only(array.step(ev.ReadBarrier(101), 10.1), ef.BarrierFailed) == [ef.BarrierFailed(100)]


# ---- a copy that follows


def follower(length: int = 3) -> Array:
    array, _ = born("b", View(1024, "a", (A, B), (A, B, W), (A, B, W)), length)
    array.step(ev.LinkUp("a", hello("a")), 0.0)
    return array


def append(before: Position, after: Position, epoch: int = 2048) -> ms.Append:
    return ms.Append(epoch, before, after, epoch, EMPTY)


def test_a_segment_that_follows_is_stored_then_reported() -> None:
    array = follower()
    effects = array.step(ev.Received("a", append(at(3), at(4))), 0.1)
    assert kinds(effects) == ["SaveBallot", "Follow", "StoreSegment"]
    effects = array.step(ev.SegmentStored(at(4)), 0.2)
    assert sent(effects, "a", ms.Stored) == [ms.Stored(2048, "b.1", at(4), 4, 1_000_000)]


def test_a_lower_epoch_is_refused() -> None:
    array = follower()
    array.step(ev.Received("a", append(at(3), at(4), epoch=9000)), 0.1)
    effects = array.step(ev.Received("a", append(at(4), at(5))), 0.2)
    assert effects == [ef.Send("a", ms.Nack(9000))]


def test_a_gap_stores_nothing() -> None:
    array = follower()
    assert not only(array.step(ev.Received("a", append(at(5), at(6))), 0.1), ef.StoreSegment)


def test_a_tail_is_cut_only_on_proof() -> None:
    array = follower()
    effects = array.step(ev.Received("a", append(at(2), Position(3, 777))), 0.1)
    assert only(effects, ef.Rewind) == [ef.Rewind(at(2))]
    assert not only(array.step(ev.Received("a", append(at(2), Position(3, 777))), 0.2), ef.StoreSegment)
    array.step(ev.Rewound(at(2)), 0.3)
    assert only(array.step(ev.Received("a", append(at(2), Position(3, 777))), 0.4), ef.StoreSegment)


def test_a_late_comparison_cuts_nothing() -> None:
    array = follower()
    effects = array.step(ev.Received("a", ms.Compare(2048, (at(1), at(2)))), 0.1)
    assert not only(effects, ef.Rewind)
    assert sent(effects, "a", ms.Stored)[0].common == at(2)  # type: ignore[attr-defined]


def test_a_history_that_shares_nothing_is_said_to() -> None:
    array = follower()
    effects = array.step(ev.Received("a", ms.Compare(2048, (Position(2, 7), Position(3, 8)))), 0.1)
    assert not only(effects, ef.Rewind)
    (unable,) = sent(effects, "a", ms.Unable)
    assert "shares nothing" in unable.reason  # type: ignore[attr-defined]


def test_a_learner_that_cannot_follow_gets_a_whole_copy() -> None:
    array = led_pair(mirrors=2)
    array.step(ev.LinkUp("c", hello("c")), 1.0)
    effects = array.step(ev.Received("c", beat_ok(2048, 0, node="c")), 1.1)
    assert only(effects, ef.Ship) or only(array.step(ev.Received("c", beat_ok(2048, 0, 2, node="c")), 1.2), ef.Ship)
    effects = array.step(ev.Received("c", ms.Unable(2048, "c.1", "bad bytes")), 1.3)
    assert sent(effects, "c", ms.Resync) == [ms.Resync(2048, "b", 0)]


def test_the_late_word_of_a_copy_that_was_to_be_thrown_away_counts_no_more() -> None:
    """Else it could join the in-sync set while the order to throw it away is on its way (seed 26004)."""
    array = led_pair(mirrors=2)
    array.step(ev.LinkUp("c", hello("c")), 1.0)
    array.step(ev.Received("c", beat_ok(2048, 0, node="c")), 1.1)
    array.step(ev.Received("c", ms.Unable(2048, "c.1", "bad bytes")), 1.2)
    assert not array.step(ev.Received("c", ms.Stored(2048, "c.1", at(1), 1, 0)), 1.3)
    effects = array.step(ev.Received("c", beat_ok(2048, 1, 2, node="c")), 1.4)
    assert sent(effects, "c", ms.Resync) == [ms.Resync(2048, "a", 0)], "told again, it is to try another source"
    assert not sent(array.step(ev.Frozen(), 1.45), "w", ms.Prepare)
    assert sent(array.step(ev.Received("c", ms.Stored(2048, "c.1", at(1), 1, 1)), 1.5), "w", ms.Prepare)


def test_the_order_to_throw_a_copy_away_is_obeyed_for_that_copy_only() -> None:
    view = View(1024, "a", (A,), (A, B, W), (A, B, W))
    array, _ = born("b", view, 3)
    assert not only(array.step(ev.Received("a", ms.Resync(2048, "a", 999_999)), 0.1), ef.FetchCopy)
    assert only(array.step(ev.Received("a", ms.Resync(2048, "a", 1_000_000)), 0.2), ef.FetchCopy)


def test_an_in_sync_node_that_cannot_store_has_to_leave() -> None:
    array = led_pair()
    effects = array.step(ev.Received("b", ms.Unable(2048, "b.1", "its disk is full")), 1.0)
    (alarm,) = only(effects, ef.Alarm)
    assert "its disk is full" in alarm.text and sent(effects, "w", ms.Prepare)  # type: ignore[attr-defined]


def test_a_copy_that_is_in_sync_is_never_thrown_away() -> None:
    array = follower()
    assert not only(array.step(ev.Received("a", ms.Resync(2048, "a", 1_000_000)), 0.1), ef.FetchCopy)


def test_bad_bytes_are_asked_for_again_and_then_given_up() -> None:
    array = follower()
    for _ in range(2):
        array.step(ev.Received("a", append(at(3), at(4))), 0.1)
        assert sent(array.step(ev.SegmentRefused(at(4), "checksum"), 0.2), "a", ms.Stored)
    array.step(ev.Received("a", append(at(3), at(4))), 0.1)
    assert sent(array.step(ev.SegmentRefused(at(4), "checksum"), 0.2), "a", ms.Unable)


def test_nothing_is_taken_until_all_that_was_queued_behind_bad_bytes_is_refused() -> None:
    array = follower()
    array.step(ev.Received("a", append(at(3), at(4))), 0.1)
    array.step(ev.Received("a", append(at(4), at(5))), 0.1)
    assert not array.step(ev.SegmentRefused(at(4), "checksum"), 0.2)
    assert not only(array.step(ev.Received("a", append(at(3), at(4))), 0.3), ef.StoreSegment)
    assert sent(array.step(ev.SegmentRefused(at(5), "does not follow"), 0.4), "a", ms.Stored)
    assert only(array.step(ev.Received("a", append(at(3), at(4))), 0.5), ef.StoreSegment)


# ---- volumes


def greeted(effects: list[ef.Effect]) -> int:
    """The number of the call that greets the volume."""
    calls = [call for call in effects if isinstance(call, ef.WitnessCall) and isinstance(call.message, ms.Greet)]
    return calls[0].call


def test_a_late_answer_of_a_volume_is_void() -> None:
    view = View(EPOCH_STRIDE, "a", (A,), (A, B, SAN), (A, B, SAN))
    remembered = ms.Remembered("v.1", "a.1", "a-run", 0, 0, 0)
    array, effects = born(view=view)
    array.step(ev.WitnessAnswer(greeted(effects), remembered), 5.1)
    effects = array.step(ev.Woken(), 6.0)
    assert "confirmed" in array.status().why
    array.step(ev.WitnessAnswer(greeted(effects), remembered), 6.1)
    array.step(ev.Woken(), 7.0)
    assert array.status().role == "asking"


def test_an_answer_is_taken_once() -> None:
    array, _ = born(view=View(EPOCH_STRIDE, "a", (A,), (A, B, SAN), (A, B, SAN)))
    assert not array.step(ev.WitnessAnswer(999, ms.Promise(2048, "v.1", None)), 0.1)


# ---- what people see


def test_strangers_are_refused_with_a_sentence() -> None:
    array = led_pair()
    for changes in ({"array_id": "other"}, {"protocol": 9}, {"run": "clone"}):
        effects = array.step(ev.LinkUp("b", hello("b", **changes)), 1.0)
        assert kinds(effects)[:2] == ["RefuseLink", "Alarm"]


def test_a_failed_fsync_ends_the_process_after_the_mark_is_saved() -> None:
    array = led_pair()
    assert kinds(array.step(ev.StoreFailed("EIO"), 1.0)) == ["SaveIdentity", "Exit"]


def test_rot_ends_the_process_and_the_next_start_judges_the_copy() -> None:
    """With the mark the only complete copy would be nobody's any more, and the array wait for ever."""
    assert kinds(led_pair().step(ev.StoreFailed("2 pages", rotten=True), 1.0)) == ["Exit"]


def test_requests_to_another_node_are_answered() -> None:
    array = follower()
    for request in (ev.SwitchOver(1), ev.RemoveNode(2, "a"), ev.AddNode(3, W, True), ev.ReplaceVoter(4, "w", W)):
        (answer,) = only(array.step(request, 0.1), ef.Answered)
        assert answer == ef.Answered(request.id, "this node is not the coordinator")


def test_at_most_five_vote() -> None:
    array = led_pair()
    for number, name in enumerate("xyz", 1):
        effects = array.step(ev.AddNode(number, Member(name, f"{name}.1"), True), 1.0)
    (answer,) = only(effects, ef.Answered)
    assert "at most 5" in answer.error  # type: ignore[attr-defined]


def test_the_report_before_forcing_says_what_may_be_lost() -> None:
    array = follower()
    report = array.force_report()
    assert "ends at transaction 3" in report and "thrown away" in report
    assert "nothing to force" in only(led_pair().step(ev.Force(1), 1.0), ef.Answered)[0].error  # type: ignore[attr-defined]


def test_two_votes_are_warned_of() -> None:
    array, _ = born("b", View(1024, "a", (A, B), (A, B), (A, B)))
    assert "nobody takes over" in array.status().warning
    assert led_pair().status().warning == ""


def test_the_deadline_is_the_next_thing_to_do() -> None:
    array = led_pair()
    deadline = array.deadline
    assert deadline is not None and 0.7 < deadline <= 1.3
    assert sent(array.step(ev.Woken(), deadline), "b", ms.Beat)


def test_marks_of_peers_are_saved_some_time() -> None:
    array = led_pair()
    array.step(ev.Received("b", ms.Greet("b.1", "b-run", 1, 0, ms.Unproven(1, 1024, ("b-run",)))), 0.9)
    for now in (1.0, 3.0, 6.0):
        array.step(ev.Received("b", beat_ok(2048, 1, 2)), now)
        effects = array.step(ev.Woken(), now)
    assert only(effects, ef.SaveMarks)


def test_whose_word_counts_is_told_by_the_newest_view() -> None:
    """The voters of the view that this disk remembers may be gone for ever."""
    array, _ = born("b", View(1024, "a", (A, B), (A, B, W), (A, B, W)))
    x = Member("x", "x.1")
    now = View(4096, "x", (x,), (x, B, W), (x, B, W))
    array.step(ev.Received("x", ms.Remembered("x.1", "b.1", "b-run", 0, 0, 0, view=now)), 0.1)
    assert sent(array.step(ev.Received("x", ms.Prepare(5120)), 0.2), "x", ms.Promise)


def test_a_node_whose_copy_is_being_replaced_still_votes_but_never_stands() -> None:
    view = View(1024, "a", (A,), (A, B, W), (A, B, W))
    array = Array(Config("array", "b", 1, "b-run"), Random(1))
    array.step(ev.Started("b.1", 2, Mark.RESYNCING, Ballot(1024, view), chain(0)), 0.0)
    array.step(ev.Received("a", ms.Remembered("a.1", "b.1", "b-run", 1, 1024, 99)), 0.1)
    assert sent(array.step(ev.Received("a", ms.Prepare(2048)), 0.2), "a", ms.Promise)
    array.step(ev.Woken(), 9.0)
    assert "resyncing" in array.status().why
