"""Who stands: suspicion, the question, the bully order."""

from __future__ import annotations

from random import Random

import pytest

from fa.core.array_effects import Send
from fa.core.array_messages import Election as ElectionMessage
from fa.core.array_messages import Greet, Ok, Query, Stat
from fa.core.array_roles import Role
from fa.core.array_state import Config, Peer, State
from fa.core.election import Election, answer_timeout
from fa.core.trust import Mark
from fa.core.view import Ballot, Member, View

A, B, C = (Member(name, f"{name}.1") for name in "abc")
VIEW = View(1024, "a", (A, B, C), (A, B, C), (A, B, C))


@pytest.fixture
def state() -> State:
    """Node b of a view that a leads, believed, at 10 s; c is linked."""
    made = State(Config("array", "b", 1, "run"), Random(1))
    made.me, made.mark, made.trusted, made.ballot = B, Mark.OK, True, Ballot(1024, VIEW)
    made.now = 10.0
    made.peers["c"] = Peer("c", "c.1", "data", 0, "c", True, 0.0)
    return made


def sent(state: State, kind: type) -> list[str]:
    found = [effect.peer for effect in state.effects if isinstance(effect, Send) and isinstance(effect.message, kind)]
    state.effects.clear()
    return found


def stat(node: str, view: View = VIEW, hears: bool = False, epoch: int = 1024) -> tuple[Member, Stat]:
    return Member(node, f"{node}.1"), Stat(1, f"{node}.1", epoch, view, hears)


def test_silence_makes_it_ask_and_an_answer_of_a_majority_stand(state: State) -> None:
    election = Election()
    election.heard(state)
    state.now = 11.9
    assert not election.tick(state) and state.role is Role.WAITING
    state.now = 12.0
    assert not election.tick(state) and state.role is Role.ASKING
    assert sent(state, Query) == ["a", "c"]
    assert election.answered(state, *stat("c"))


def test_a_refused_connection_needs_no_silence(state: State) -> None:
    election = Election()
    election.heard(state)
    election.lost(state)
    assert not election.hears(state)
    assert not election.tick(state) and state.role is Role.ASKING


def test_a_voter_met_while_it_asks_is_asked_at_once(state: State) -> None:
    election = Election()
    election.ask(state)
    state.effects.clear()
    election.met(state, "c")
    assert sent(state, Query) == ["c"]
    election.met(state, "x")
    assert sent(state, Query) == []


def test_a_node_met_after_it_asked_in_vain_ends_the_pause(state: State) -> None:
    election = Election()
    election.ask(state)
    state.now = 13.0
    assert not election.tick(state) and state.role is Role.WAITING and election.suspect_at > state.now
    election.met(state, "c")
    assert election.suspect_at == state.now
    election.heard(state)
    election.met(state, "c")
    assert election.suspect_at > state.now


def test_it_stands_by_while_a_voter_hears_the_coordinator(state: State) -> None:
    election = Election()
    election.ask(state)
    assert not election.answered(state, *stat("c", hears=True))
    assert state.role is Role.WAITING and "still hears" in state.why


def test_a_restarted_coordinator_is_not_held_up_by_its_own_echo(state: State) -> None:
    led_by_us = View(2049, "b", (A, B, C), (A, B, C), (A, B, C))
    state.ballot = Ballot(2049, led_by_us)
    election = Election()
    election.ask(state)
    assert election.answered(state, *stat("c", led_by_us, hears=True))


def test_it_stands_by_when_the_newest_view_left_it_out(state: State) -> None:
    election = Election()
    election.ask(state)
    assert not election.answered(state, *stat("c", View(2048, "a", (A, C), (A, B, C), (A, B, C))))
    assert state.role is Role.WAITING and "only a, c may lead" in state.why


D, E = Member("d", "d.1"), Member("e", "e.1")


@pytest.mark.parametrize(
    ("prev", "asked", "again"), [((B, D, E), ["d", "e"], ["d", "e"]), ((A, B, C), ["d", "e", "a", "c"], ["a", "c"])]
)
def test_one_voter_that_knows_a_newer_view_says_who_is_asked(
    state: State, prev: tuple[Member, ...], asked: list[str], again: list[str]
) -> None:
    """Of an open change both sets count (R12), and perhaps nobody accepted it: next time it is not presumed. A closed
    one is remembered: those who are voters no more may be gone for ever."""
    election = Election()
    election.ask(state)
    sent(state, Query)
    assert not election.answered(state, *stat("c", View(2048, "a", (A, B), (B, D, E), prev)))
    assert sent(state, Query) == asked
    election.tick(state)
    state.now += 100.0
    election.tick(state)
    state.now += 100.0
    state.effects.clear()
    election.tick(state)
    assert sent(state, Query) == again


def test_a_node_that_ranks_above_goes_first(state: State) -> None:
    state.peers["c"].rank = 5
    election = Election()
    election.ask(state)
    assert not election.answered(state, *stat("c"))
    assert sent(state, ElectionMessage) == ["c"]
    election.outranked(state)
    assert state.role is Role.YIELDING


def test_silence_after_election_makes_it_stand(state: State) -> None:
    state.peers["c"].rank = 5
    election = Election()
    election.ask(state)
    election.answered(state, *stat("c"))
    state.now += state.config.heartbeat / 2
    assert election.tick(state)


def test_the_silent_coordinator_is_not_asked_to_stand(state: State) -> None:
    state.peers["a"] = Peer("a", "a.1", "data", 9, "a", True, 0.0)
    election = Election()
    election.heard(state)
    state.now = 13.0
    election.ask(state)
    assert election.answered(state, *stat("c"))


def test_a_challenge_from_below_is_answered_and_taken_up(state: State) -> None:
    state.config = Config("array", "b", 1, "run", rank=7)
    election = Election()
    election.challenged(state, "c")
    assert sent(state, Ok) == ["c"] and state.role is Role.ASKING


def test_a_challenge_from_above_is_left_alone(state: State) -> None:
    state.peers["c"].rank = 5
    assert not Election().challenged(state, "c") and not state.effects


def test_no_majority_is_said_and_tried_again(state: State) -> None:
    election = Election()
    election.ask(state)
    state.now = election.deadline(state)
    assert not election.tick(state)
    assert state.why == "no majority of the voters answers"
    assert state.now < election.deadline(state) < state.now + 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mark": Mark.RESYNCING}, "resyncing"),
        ({"trusted": False}, "set back in time"),
        ({"busy": "rewinding"}, "busy (rewinding)"),
        ({"config": Config("array", "b", 1, "run", kind="witness")}, "a witness only votes"),
    ],
)
def test_who_cannot_stand_says_why(state: State, change: dict[str, object], why: str) -> None:
    for name, value in change.items():
        setattr(state, name, value)
    state.alone_at = 99.0
    assert not Election().ask(state)
    assert why in state.why and state.role is Role.WAITING


def test_equal_ranks_go_by_name(state: State) -> None:
    assert state.outranks("b", "c") and not state.outranks("c", "b")


def test_a_volume_is_given_more_time(state: State) -> None:
    san = Member("volume:san", "v.1")
    assert (
        answer_timeout(state, ((A, B, C),)) < 2 < state.config.witness_timeout <= answer_timeout(state, ((A, B, san),))
    )


@pytest.mark.parametrize(("mark", "greeted"), [(Mark.RESYNCING, ["a", "c"]), (Mark.SUSPECT, [])])
def test_a_copy_that_is_being_replaced_asks_again_to_be_believed(state: State, mark: Mark, greeted: list[str]) -> None:
    state.mark, state.trusted = mark, False
    assert not Election().ask(state)
    assert sent(state, Greet) == greeted
    assert state.why == f"the copy on this node is {mark}: it waits for a whole one"
