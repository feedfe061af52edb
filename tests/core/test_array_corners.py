"""A node that does not lead, in the rare cases: what it must refuse, disown or wait for, and when it may stand."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from fa.core import array_effects as ef
from fa.core import array_events as ev
from fa.core import array_messages as ms
from fa.core.array import Array
from fa.core.array_state import Config
from fa.core.position import EMPTY, Position
from fa.core.trust import Mark
from fa.core.view import EPOCH_STRIDE, Ballot, Member, View
from tests.core.test_array import A, B, W, append, at, born, chain, hello, kinds, only, sent

PAIR = View(EPOCH_STRIDE, "a", (A, B), (A, B, W), (A, B, W))
ALONE = View(EPOCH_STRIDE, "a", (A,), (A, B, W), (A, B, W))
NOTHING = ms.Remembered("a.1", "b.1", "b-run", 0, 0, 0)
"""What a says of b when nothing speaks against b's disk."""


def following(view: View = PAIR, length: int = 3, acked: Position = EMPTY, **settings: Any) -> Array:
    """b, believed, hears its coordinator a."""
    array, _ = born("b", view, length, **settings)
    array.step(ev.LinkUp("a", hello("a")), 0.0)
    array.step(ev.Received("a", NOTHING), 0.0)
    array.step(ev.Received("a", ms.Beat(view, 1, acked, stale=False)), 0.1)
    assert array.status().role == "following"
    return array


def asking(**settings: Any) -> Array:
    """a, restarted and believed, asks the voters whether it may stand; b and w are there."""
    array, _ = born(view=PAIR, **settings)
    array.step(ev.LinkUp("b", hello("b")), 0.0)
    array.step(ev.LinkUp("w", hello("w", "witness")), 0.0)
    array.step(ev.Received("w", ms.Remembered("w.1", "a.1", "a-run", 0, 0, 0)), 0.1)
    array.step(ev.Woken(), 0.6)
    assert array.status().role == "asking"
    return array


def proposing(**settings: Any) -> Array:
    """The same, when it stands: the promises for epoch 2048 are asked for."""
    array = asking(**settings)
    effects = array.step(ev.Received("w", ms.Stat(1, "w.1", EPOCH_STRIDE, PAIR, hears=False)), 0.6)
    assert sent(effects, "b", ms.Prepare) == [ms.Prepare(2048)]
    return array


def answer_of(array: Array) -> ms.BeatOk:
    """What it says of itself when the coordinator beats."""
    (answer,) = sent(array.step(ev.Received("a", ms.Beat(PAIR, 9, EMPTY, stale=False)), 1.0), "a", ms.BeatOk)
    assert isinstance(answer, ms.BeatOk)
    return answer


def error_of(effects: list[ef.Effect]) -> str:
    (answer,) = only(effects, ef.Answered)
    assert isinstance(answer, ef.Answered)
    return answer.error


def assert_disowned(effects: list[ef.Effect], why: str) -> None:
    """It comes back as another member, on a disk that is not believed; that is durable and people are told."""
    (identity,), (alarm,) = only(effects, ef.SaveIdentity), only(effects, ef.Alarm)
    assert isinstance(identity, ef.SaveIdentity) and isinstance(alarm, ef.Alarm)
    assert identity.mark is Mark.SUSPECT and identity.incarnation != "b.1"
    assert why in alarm.text


# ---- links


def test_a_link_that_never_was_up_is_no_loss() -> None:
    array = following()
    assert array.step(ev.LinkDown("z", refused=True), 0.2) == []
    assert array.status().role == "following"


@pytest.mark.parametrize("refused", [True, False])
def test_the_one_vote_that_counts_takes_over_at_once_when_the_coordinators_process_is_dead(refused: bool) -> None:
    array = following(View(EPOCH_STRIDE, "a", (A, B), (B, A), (B, A)))
    effects = array.step(ev.LinkDown("a", refused), 0.2)
    if not refused:
        assert effects == [], "a broken link proves nothing: the silence is waited for"
        return
    assert only(effects, ef.Lead) == [ef.Lead(2049)]
    assert array.status().in_sync == ("b",)


def test_the_voters_are_those_before_until_a_change_of_them_is_over() -> None:
    """Before that a majority of both is needed: nobody may rely on the new one yet."""
    both = following(View(EPOCH_STRIDE, "a", (A, B), (A, B, W), (A, B)))
    assert (both.status().voters, both.status().settled) == (("a", "b", "w"), ("a", "b"))
    assert following(PAIR).status().settled == following(PAIR).status().voters == ("a", "b", "w")


def test_a_node_is_up_while_there_is_a_link_to_it() -> None:
    array = following()
    assert array.is_up("a") and array.is_up("b") and not array.is_up("z")
    array.step(ev.LinkDown("a", refused=False), 0.2)
    assert not array.is_up("a")


def test_who_is_not_let_in_never_believes_its_disk_by_itself() -> None:
    """Two servers without a third vote, and a clone of the one whose vote decides: the other one is linked with the
    original (scenario 15). Later the original is gone, and b tells what it remembers."""
    clone, _ = born("a", View(EPOCH_STRIDE, "a", (A, B), (A, B), (A, B)), 3)
    clone.step(ev.NotLetIn("b", "a second process runs as a"), 0.5)
    told = [clone.step(ev.Woken(), at / 10) for at in range(6, 200)]
    assert not any(only(effects, ef.Lead) or sent(effects, "b", ms.Prepare) for effects in told)
    assert clone.status().why == "b is there and does not take this node: a second process runs as a"

    clone.step(ev.LinkUp("b", hello("b")), 21.0)
    effects = clone.step(ev.Received("b", ms.Remembered("b.1", "a.1", "a-run", 0, 0, 4)), 21.1)
    assert "copy-disowned" in [alarm.kind for alarm in only(effects, ef.Alarm) if isinstance(alarm, ef.Alarm)]


# ---- mixed versions (scenario 16)


def test_a_store_of_a_newer_fa_is_followed_but_not_led() -> None:
    """It says why, neither stands nor says OK nor takes over, and cannot be forced: its copy stays good."""
    array = following(schema=4)
    array.step(ev.SchemaFound(5), 0.2)
    effects = array.step(ev.LinkDown("a", refused=True), 0.3)
    why = "the job store was written by a newer fa (it has schema 5, this fa knows 4): install that on this node"
    assert not only(effects, ef.Send) and array.status().why == why
    assert array.step(ev.Received("w", ms.Election(0)), 0.4) == []
    assert error_of(array.step(ev.Force(1), 0.5)) == why
    again = following(schema=4)
    again.step(ev.SchemaFound(5), 0.2)
    assert not again.step(ev.Received("a", ms.HandOver(EPOCH_STRIDE)), 0.3)
    assert again.status().role == "following"
    again.step(ev.SchemaFound(4), 0.4)
    effects = again.step(ev.Received("a", ms.HandOver(EPOCH_STRIDE)), 0.5)
    assert sent(effects, "a", ms.Prepare), "the newer rows were cut off again"


@pytest.mark.parametrize(("theirs", "first"), [(3, False), (0, False), (4, True), (5, True)])
def test_who_knows_only_an_older_schema_stands_first(theirs: int, first: bool) -> None:
    """Else the array would leave it behind: it could not lead any more before its own upgrade."""
    array, _ = born("a", PAIR, schema=4)
    array.step(ev.LinkUp("b", hello("b", schema=theirs)), 0.0)
    array.step(ev.LinkUp("w", hello("w", "witness")), 0.0)
    array.step(ev.Received("w", ms.Remembered("w.1", "a.1", "a-run", 0, 0, 0)), 0.1)
    array.step(ev.Woken(), 0.6)
    effects = array.step(ev.Received("w", ms.Stat(1, "w.1", EPOCH_STRIDE, PAIR, hears=False)), 0.6)
    assert bool(sent(effects, "b", ms.Election)) is not first
    assert bool(sent(effects, "b", ms.Prepare)) is first


# ---- the store


def test_a_copy_that_could_not_be_taken_back_is_not_believed_any_more() -> None:
    array = following()
    assert only(array.step(ev.Received("a", append(at(2), Position(3, 777), EPOCH_STRIDE)), 0.2), ef.Rewind)
    assert answer_of(array).busy
    assert_disowned(array.step(ev.RewindFailed("EIO"), 1.1), "could not be taken back: EIO")
    answer = answer_of(array)
    assert not answer.usable and not answer.busy, "a whole copy may be ordered now"


def test_a_copy_that_could_not_be_fetched_may_be_ordered_again() -> None:
    array, _ = born("b", ALONE, 3)
    order = ms.Resync(EPOCH_STRIDE, "a", 1_000_000)
    assert only(array.step(ev.Received("a", order), 0.1), ef.FetchCopy) == [ef.FetchCopy("a")]
    assert not only(array.step(ev.Received("a", order), 0.2), ef.FetchCopy), "one at a time"
    assert array.step(ev.CopyFailed("the link broke"), 0.3) == []
    assert array.status().why == "no whole copy could be fetched: the link broke"
    assert only(array.step(ev.Received("a", order), 0.4), ef.FetchCopy) == [ef.FetchCopy("a")]


def test_a_disk_that_has_room_again_says_so_with_the_next_heartbeat_only() -> None:
    array = following()
    assert sent(array.step(ev.StoreFull(True), 0.2), "a", ms.Unable)
    assert answer_of(array).full
    assert array.step(ev.StoreFull(False), 1.1) == []
    assert not answer_of(array).full
    assert only(array.step(ev.StoreFull(True), 1.2), ef.Alarm), "a new alarm: it had room in between"


@pytest.mark.parametrize(
    "proof",
    [append(at(2), Position(3, 777), EPOCH_STRIDE), ms.Compare(EPOCH_STRIDE, (at(2), Position(3, 777)))],
    ids=["segment", "comparison"],
)
def test_what_was_acknowledged_is_never_cut(proof: ms.Message) -> None:
    """A coordinator that contradicts what was acknowledged shows that this disk, or its own, was set back."""
    array = following(acked=at(3))
    effects = array.step(ev.Received("a", proof), 0.2)
    assert not only(effects, ef.Rewind)
    assert_disowned(effects, "before what was acknowledged")


# ---- trust


def test_what_a_peer_says_of_an_earlier_run_is_void() -> None:
    array, _ = born("b", PAIR, 3)
    assert array.step(ev.Received("a", ms.Remembered("a.1", "b.1", "b-former", 9, 9000, 99)), 0.1) == []
    assert array.step(ev.Received("a", ms.Prepare(2048)), 0.2) == [], "nor does it confirm this run"
    assert_disowned(array.step(ev.Received("a", ms.Remembered("a.1", "b.1", "b-run", 9, 0, 0)), 0.3), "boot 9")


def test_a_disk_that_is_suspect_already_is_disowned_once() -> None:
    array = Array(Config("array", "b", 1, "b-run"), Random(1))
    effects = array.step(ev.Started("b.1", 2, Mark.SUSPECT, Ballot(EPOCH_STRIDE, PAIR), chain(3)), 0.0)
    assert_disowned(effects, "failed before the last stop")
    now = array.hello().incarnation
    assert array.step(ev.Received("a", ms.Remembered("a.1", now, "b-run", 9, 0, 0)), 0.1) == []
    assert array.hello().incarnation == now


# ---- the register


def test_an_older_view_is_not_accepted() -> None:
    array = following()
    array.step(ev.Received("w", ms.Prepare(4096)), 0.2)
    older = View(2048, "a", (A,), (A, B, W), (A, B, W))
    assert array.step(ev.Received("a", ms.Accept(older)), 0.3) == [ef.Send("a", ms.Nack(4096))]
    (stat,) = sent(array.step(ev.Received("a", ms.Query(1)), 0.4), "a", ms.Stat)
    assert isinstance(stat, ms.Stat) and stat.accepted == PAIR


@pytest.mark.parametrize(
    ("sender", "view"),
    [("w", View(2048, "a", (A,), (A, B, W), (A, B, W))), ("a", View(2049, "b", (B,), (A, B, W), (A, B, W)))],
    ids=["not by its coordinator", "this node's own"],
)
def test_a_view_is_learned_from_its_coordinator_only(sender: str, view: View) -> None:
    array = following()
    assert array.step(ev.Received(sender, ms.Coordinator(view)), 0.2) == []
    assert (array.status().epoch, array.status().coordinator) == (EPOCH_STRIDE, "a")


# ---- standing


def test_a_coordinator_in_waiting_that_ranks_above_takes_the_election_to_itself() -> None:
    array, _ = born("b", View(EPOCH_STRIDE, "a", (A, B), (B, A), (B, A)), rank=1)
    array.step(ev.LinkUp("a", hello("a")), 0.0)
    array.step(ev.Received("a", NOTHING), 0.0)
    effects = array.step(ev.Received("a", ms.Election(0)), 0.1)
    assert kinds(effects)[0] == "Send" and sent(effects, "a", ms.Ok)
    assert only(effects, ef.Lead) == [ef.Lead(2049)], "its vote alone counts: nobody else is to be waited for"


@pytest.mark.parametrize(("sender", "epoch"), [("w", EPOCH_STRIDE), ("a", 9000)], ids=["a stranger", "another epoch"])
def test_only_the_own_coordinator_hands_over(sender: str, epoch: int) -> None:
    array = following()
    assert array.step(ev.Received(sender, ms.HandOver(epoch)), 0.2) == []
    assert sent(array.step(ev.Received("a", ms.HandOver(EPOCH_STRIDE)), 0.3), "w", ms.Prepare)


def test_nothing_is_handed_over_to_a_copy_that_is_not_in_sync() -> None:
    array = following(ALONE)
    assert array.step(ev.Received("a", ms.HandOver(EPOCH_STRIDE)), 0.2) == []


def test_it_stands_also_when_too_few_complete_copies_are_there() -> None:
    """It could acknowledge nothing, but another node can become the copy that is missing."""
    array, _ = born(view=PAIR, min_insync=2)
    array.step(ev.LinkUp("w", hello("w", "witness")), 0.0)
    array.step(ev.Received("w", ms.Remembered("w.1", "a.1", "a-run", 0, 0, 0)), 0.1)
    array.step(ev.Woken(), 0.6)
    effects = array.step(ev.Received("w", ms.Stat(1, "w.1", EPOCH_STRIDE, PAIR, hears=False)), 0.6)
    assert sent(effects, "w", ms.Prepare)


def test_when_too_few_complete_copies_are_left_those_that_are_not_there_stay_members() -> None:
    array = proposing(min_insync=2)
    array.step(ev.LinkDown("b", refused=False), 0.7)
    effects = array.step(ev.Received("w", ms.Promise(2048, "w.1", PAIR)), 0.8)
    assert [accept.view.in_sync for accept in sent(effects, "w", ms.Accept)] == [(A, B)]  # type: ignore[attr-defined]


def test_a_promise_that_shows_a_view_without_this_copy_ends_the_take_over() -> None:
    array = proposing()
    newer = View(1025, "b", (B,), (A, B, W), (A, B, W))
    effects = array.step(ev.Received("w", ms.Promise(2048, "w.1", newer)), 0.7)
    assert not sent(effects, "w", ms.Accept)
    assert array.status().role == "waiting"
    assert array.status().why == "only b may lead: this copy is not in the in-sync set"
    assert not array.step(ev.Received("b", ms.Promise(2048, "b.1", PAIR)), 0.8), "a late promise revives nothing"


def test_only_acceptances_of_the_view_that_was_asked_for_count() -> None:
    array = proposing()
    assert not only(array.step(ev.Received("w", ms.Accepted(2048, "w.1")), 0.7), ef.Lead), "nothing was asked yet"
    assert sent(array.step(ev.Received("b", ms.Promise(2048, "b.1", PAIR)), 0.7), "w", ms.Accept)
    assert not only(array.step(ev.Received("w", ms.Accepted(EPOCH_STRIDE, "w.1")), 0.8), ef.Lead)
    assert only(array.step(ev.Received("w", ms.Accepted(2048, "w.1")), 0.9), ef.Lead) == [ef.Lead(2048)]


def test_a_take_over_that_nobody_answers_is_begun_again_with_the_question() -> None:
    array = proposing()
    effects = array.step(ev.Woken(), 3.0)
    assert (array.status().role, array.status().why) == ("waiting", "no majority of the voters answers")
    assert not sent(effects, "w", ms.Prepare)
    assert sent(array.step(ev.Woken(), 6.0), "w", ms.Query)


# ---- forcing


def test_a_node_without_a_copy_cannot_be_forced() -> None:
    witness, _ = born("w", PAIR, kind="witness")
    stranger, _ = born("b")
    for array in (witness, stranger):
        effects = array.step(ev.Force(1), 0.1)
        assert error_of(effects) == "this node holds no copy of the job store"
        assert not only(effects, ef.Lead)
    assert stranger.force_report() == "b holds no copy of the job store: it cannot be forced to lead."


def test_what_forcing_may_lose_is_judged_by_the_newest_view_that_was_heard_of() -> None:
    array = proposing()
    assert "nothing acknowledged is lost" in array.force_report()
    array.step(ev.Received("w", ms.Promise(2048, "w.1", View(1025, "b", (B,), (A, B, W), (A, B, W)))), 0.7)
    report = array.force_report()
    assert "epoch 1025: b leads, in sync with it: nobody else" in report
    assert "This copy was not in sync" in report and "nothing acknowledged is lost" not in report


def test_a_node_that_is_storing_a_segment_cannot_be_forced_yet() -> None:
    array = following()
    array.step(ev.Received("a", append(at(3), at(4), EPOCH_STRIDE)), 0.2)
    assert "busy (storing segments)" in error_of(array.step(ev.Force(1), 0.3))
    array.step(ev.SegmentStored(at(4)), 0.4)
    effects = array.step(ev.Force(2), 0.5)
    assert error_of(effects) == "" and only(effects, ef.Lead)


def test_half_a_copy_cannot_be_forced() -> None:
    array = Array(Config("array", "b", 1, "b-run"), Random(1))
    array.step(ev.Started("b.1", 2, Mark.RESYNCING, Ballot(EPOCH_STRIDE, ALONE), chain(0)), 0.0)
    effects = array.step(ev.Force(1), 0.1)
    assert "only half a copy" in error_of(effects) and not only(effects, ef.Lead)


def test_the_report_before_forcing_says_whether_this_copy_was_in_sync() -> None:
    outside, inside = following(ALONE).force_report(), following().force_report()
    assert "was not in sync: everything acknowledged after transaction 3 is lost" in outside
    assert "nothing acknowledged is lost" in inside and "was not in sync" not in inside


def test_a_copy_that_was_replaced_as_told_owes_nothing_to_what_the_old_one_held() -> None:
    array, _ = born("b", ALONE, 3)
    array.step(ev.Received("a", NOTHING), 0.0)
    effects = array.step(ev.Received("a", ms.Resync(EPOCH_STRIDE, "a", 1_000_000)), 0.1)
    assert only(effects, ef.SaveIdentity) == [ef.SaveIdentity("b.1", Mark.RESYNCING, replaced=EPOCH_STRIDE)]
    array.step(ev.CopyInstalled(at(1), EPOCH_STRIDE), 0.2)
    before = ms.Remembered("w.1", "b.1", "b-run", 0, 0, 3, in_sync=EPOCH_STRIDE - 1)
    assert not only(array.step(ev.Received("w", before), 0.3), ef.SaveIdentity)
    assert_disowned(array.step(ev.Received("w", replace(before, in_sync=EPOCH_STRIDE)), 0.4), "transaction 3")


def test_a_witness_needs_no_word_of_a_volume() -> None:
    """It reaches none, so no volume can know of it; with one of the other two disks gone, it still votes."""
    voters = (A, B, Member("volume:san", "san.1"))
    view = View(EPOCH_STRIDE, "a", (A, B), voters, voters)
    array, _ = born("w", view, kind="witness")
    array.step(ev.Received("b", ms.Remembered("b.1", "w.1", "w-run", 0, 0, 0)), 0.1)
    assert sent(array.step(ev.Received("b", ms.Prepare(2048)), 0.2), "b", ms.Promise)


def test_the_voters_of_a_newer_view_are_greeted_too() -> None:
    """Those of the view that this disk knows may be gone for ever."""
    array, _ = born("b", PAIR)
    array.step(ev.LinkUp("w", hello("w", "witness")), 0.0)
    newer = replace(PAIR, epoch=9 * EPOCH_STRIDE, voters=(A, B, Member("x", "x.1")))
    array.step(ev.Received("w", ms.Remembered("w.1", "b.1", "b-run", 0, 0, 0, view=newer)), 0.1)
    effects = [effect for now in range(1, 9) for effect in array.step(ev.Woken(), float(now))]
    assert sent(effects, "x", ms.Greet)


def test_a_silent_coordinator_is_kept_when_the_newest_view_has_no_copy_to_spare() -> None:
    """It may only have stopped leading; nobody could ever take over without it."""
    three = replace(PAIR, in_sync=(A, B, Member("c", "c.1")))
    array, _ = born("b", three, 3, min_insync=2)
    array.step(ev.LinkUp("a", hello("a")), 0.0)
    array.step(ev.Received("a", NOTHING), 0.0)
    array.step(ev.LinkUp("w", hello("w", "witness")), 0.0)
    array.step(ev.Received("a", ms.Beat(three, 1, EMPTY, stale=False)), 0.1)
    array.step(ev.Woken(), 9.0)
    array.step(ev.Received("w", ms.Stat(1, "w.1", EPOCH_STRIDE, three, hears=False)), 9.0)
    effects = array.step(ev.Received("w", ms.Promise(2049, "w.1", replace(PAIR, epoch=1025))), 9.1)
    assert [accept.view.in_sync for accept in sent(effects, "w", ms.Accept)] == [(A, B)]
