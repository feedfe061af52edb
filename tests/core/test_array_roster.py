"""Whom the coordinator wants."""

from __future__ import annotations

from random import Random

import pytest

from fa.core.array_roster import Roster
from fa.core.array_state import Config, Peer, State
from fa.core.mirror import Copy
from fa.core.view import Member, View

A, B, C, W = (Member(name, f"{name}.1") for name in "abcw")
B2 = Member("b", "b.2")


@pytest.fixture
def state() -> State:
    """Node a at 100 s, with b, c and w linked."""
    made = State(Config("array", "a", 0, "run"), Random(1))
    made.me, made.now = A, 100.0
    for member, kind in ((B, "data"), (C, "data"), (W, "witness")):
        made.peers[member.node] = Peer(member.node, member.incarnation, kind, 0, "run", True, 0.0)
    return made


def view(*in_sync: Member, voters: tuple[Member, ...] = (A, B, W)) -> View:
    return View(1024, "a", in_sync, voters, voters)


def copies(*members: Member, usable: bool = True) -> dict[str, Copy]:
    made = {member.node: Copy(member, 100.0, 100.0) for member in members}
    for copy in made.values():
        copy.usable = usable
    return made


def test_nothing_wished_nothing_changed(state: State) -> None:
    assert Roster().voters(state, view(A), copies(B, W), {}) is None


def test_a_wiped_voter_is_admitted_again_once_its_disk_may_be_used(state: State) -> None:
    state.peers["b"].incarnation = "b.2"
    assert Roster().voters(state, view(A), copies(B2, usable=False), {}) is None
    assert Roster().voters(state, view(A), copies(B2), {}) == (A, B2, W)


def test_an_old_wish_does_not_bring_back_a_dead_incarnation(state: State) -> None:
    roster = Roster()
    roster.want(view(A, voters=(A,)), (A, B, W))
    now = view(A, voters=(A, B2, W))
    assert roster.voters(state, now, {}, {}) is None
    assert roster.is_settled(now)


def test_of_two_votes_the_coordinators_counts(state: State) -> None:
    assert Roster().voters(state, view(A, voters=(B, A)), copies(B), {}) == (A, B)


def test_voters_that_do_not_answer_are_not_proposed(state: State) -> None:
    roster = Roster()
    roster.want(view(A), (A, B, W))
    for name in "bw":
        state.peers[name].up = False
    roster.want(view(A, voters=(A,)), (A, B, W))
    assert roster.voters(state, view(A, voters=(A,)), {}, {}) is None


def test_the_furthest_copy_learns_first_and_witnesses_never_do(state: State) -> None:
    made = copies(B, C, W)
    assert Roster().learners(state, view(A), made, ()) == ("b",)
    state.peers["c"].rank = 1
    assert Roster().learners(state, view(A), made, ()) == ("c",)
    made["b"].trouble = "its disk is full"
    assert Roster().learners(state, view(A), copies(W), ()) == ()


def test_who_may_not_mirror_is_given_no_copy_and_keeps_one(state: State) -> None:
    made = copies(B, C)
    state.peers["b"].mirror = False
    assert Roster().learners(state, view(A), made, ()) == ("c",)
    state.peers["c"].mirror = False
    assert Roster().learners(state, view(A), made, ()) == ()
    assert Roster().learners(state, view(A, B), copies(B, C), ()) == (), "b has one, and is enough"


def test_enough_mirrors_need_no_learner_unless_one_fails(state: State) -> None:
    assert Roster().learners(state, view(A, B), copies(B, C), ()) == ()
    assert Roster().learners(state, view(A, B), copies(B, C), ("b",)) == ("c",)


def test_a_flapping_node_is_let_back_in_later_and_later(state: State) -> None:
    roster, waits = Roster(), []
    for _ in range(9):
        roster.dropped(state, "b")
        waits.append(max(0.0, roster.readmit_at(state, "b") - state.now))
    assert waits == [0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0, 320.0]
    state.now += 601
    roster.dropped(state, "b")
    assert roster.readmit_at(state, "b") <= state.now
