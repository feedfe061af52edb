"""The voter that is a chain of records on a volume (R13)."""

from __future__ import annotations

from fa.core.array_messages import (
    Accept,
    Accepted,
    Beat,
    Election,
    Greet,
    Nack,
    Prepare,
    Promise,
    Query,
    Remembered,
    Stat,
    Unproven,
)  # fmt: skip
from fa.core.array_volume import Record, serve
from fa.core.position import Position
from fa.core.view import Ballot, Member, View

A = Member("a", "a.1")
VIEW = View(2048, "a", (A,), (A,), (A,))
EMPTY = Record("array", "v.1")


def test_it_promises_upwards_only() -> None:
    promised, answer = serve(EMPTY, "a", Prepare(2048))
    assert promised.ballot == Ballot(2048)
    assert answer == Promise(2048, "v.1", None)
    assert serve(promised, "b", Prepare(2048)) == (promised, Nack(2048))


def test_it_accepts_what_it_promised_and_remembers_it() -> None:
    accepted, answer = serve(serve(EMPTY, "a", Prepare(2048))[0], "a", Accept(VIEW))
    assert answer == Accepted(2048, "v.1")
    assert serve(accepted, "b", Query(7)) == (accepted, Stat(7, "v.1", 2048, VIEW, hears=False))
    assert serve(accepted, "b", Prepare(3073))[1] == Promise(3073, "v.1", VIEW)
    raised = serve(accepted, "b", Prepare(3073))[0]
    assert serve(raised, "a", Accept(VIEW)) == (raised, Nack(3073))


def test_it_remembers_disks() -> None:
    noted, _ = serve(EMPTY, "a", Beat(VIEW, 1, Position(9, 1), stale=False))
    _, answer = serve(noted, "a", Greet("a.1", "run", 2, 3, Unproven(2, 0, ("run",))))
    assert isinstance(answer, Remembered) and (answer.by, answer.txid) == ("v.1", 9)


def test_a_deposed_coordinator_is_told_so() -> None:
    raised = serve(EMPTY, "b", Prepare(5121))[0]
    assert serve(raised, "a", Beat(VIEW, 1, Position(9, 1), stale=False)) == (raised, Nack(5121))


def test_what_is_not_for_a_voter_is_not_answered() -> None:
    assert serve(EMPTY, "a", Election(0)) == (EMPTY, None)
