"""The register: ballots, epochs, majorities."""

from __future__ import annotations

import itertools

import pytest

from fa.core.view import (
    EPOCH_STRIDE,
    Ballot,
    Member,
    View,
    counted,
    everyone,
    first_view,
    has_quorum,
    merged,
    newest,
    next_epoch,
    on_volume,
)  # fmt: skip

A, B, C, D, E = (Member(name, f"{name}.1") for name in "abcde")


def view(epoch: int, *in_sync: Member, voters: tuple[Member, ...] = (A, B, C), prev: tuple[Member, ...] = ()) -> View:
    return View(epoch, in_sync[0].node, in_sync, voters, prev or voters)


@pytest.mark.parametrize("seen", [0, 1, EPOCH_STRIDE, EPOCH_STRIDE + 7, 5 * EPOCH_STRIDE + 1023])
def test_epochs_grow_and_belong_to_one_node(seen: int) -> None:
    epochs = {next_epoch(seen, index) for index in (0, 1, 7, EPOCH_STRIDE - 1)}
    assert len(epochs) == 4
    assert min(epochs) > seen


def test_a_ballot_promises_only_upwards_and_accepts_what_it_promised() -> None:
    ballot = Ballot().raised(2048)
    assert not ballot.may_promise(2048)
    assert not ballot.may_promise(1024)
    assert ballot.may_promise(2049)
    assert ballot.may_accept(view(2048, A))
    assert not ballot.may_accept(view(1024, A))
    assert ballot.accepting(view(3072, A)) == Ballot(3072, view(3072, A))
    assert ballot.raised(1024).epoch == 2048


@pytest.mark.parametrize(
    ("voters", "counts"), [((A,), (A,)), ((A, B), (A,)), ((A, B, C), (A, B, C)), ((A, B, C, D), (A, B, C))]
)
def test_of_an_even_set_the_last_admitted_is_silent(voters: tuple[Member, ...], counts: tuple[Member, ...]) -> None:
    assert counted(voters) == counts


def test_a_quorum_is_a_majority_of_each_set() -> None:
    old, new = (A, B, C), (A, B, D)
    assert has_quorum((old, new), {A, B})
    assert not has_quorum((old, new), {B, C})
    assert not has_quorum((old, new), {A, C})
    assert has_quorum((old, new), {A, C, D})
    assert not has_quorum((), {A})


def test_a_wiped_voter_is_nobody() -> None:
    assert not has_quorum(((A, B, C),), {A, Member("b", "b.2")})


def test_two_majorities_of_the_same_voters_always_meet() -> None:
    for size in (1, 3, 5):
        voters = (A, B, C, D, E)[:size]
        majorities = [
            set(some)
            for n in range(size + 1)
            for some in itertools.combinations(voters, n)
            if has_quorum((voters,), some)
        ]
        assert all(one & two for one in majorities for two in majorities)


def test_a_change_of_voters_asks_both_sets() -> None:
    assert view(1024, A).quorums() == ((A, B, C),)
    assert view(1024, A, voters=(A, B, D), prev=(A, B, C)).quorums() == ((A, B, D), (A, B, C))
    assert everyone(view(1024, A, voters=(A, B, D), prev=(A, B, C)).quorums()) == (A, B, D, C)


def test_merged_sets_keep_their_order() -> None:
    assert merged(((A,), (B,)), ((B,), (C,))) == ((A,), (B,), (C,))


def test_the_epoch_decides_what_is_newest() -> None:
    assert newest([None, view(3072, A), view(2048, B, A)]) == view(3072, A)
    assert newest([None]) is None


def test_the_first_view_is_alone() -> None:
    first = first_view(A, 3)
    assert (first.epoch, first.in_sync, first.voters, first.prev) == (EPOCH_STRIDE + 3, (A,), (A,), (A,))
    assert first.holds(A) and not first.holds(Member("a", "a.2"))
    assert first.secondaries() == ()


def test_a_volume_is_known_by_its_name() -> None:
    assert on_volume("volume:san") and not on_volume("san")
