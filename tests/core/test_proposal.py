"""How many complete copies a coordinator's next view must have."""

from __future__ import annotations

from random import Random

import pytest

from fa.core.array_effects import Send
from fa.core.array_messages import Accept, Promise
from fa.core.array_proposal import Outcome, Proposal, Wish
from fa.core.array_state import Config, State
from fa.core.trust import Mark
from fa.core.view import Ballot, Member, View

A, B, C = (Member(name, f"{name}.1") for name in "abc")
LED = View(1024, "a", (A, B, C), (A, B, C), (A, B, C))
WITHOUT_C = View(2048, "a", (A, B), (A, B, C), (A, B, C))
"""Its coordinator asked for it, and b accepted it, and lost its disk; nobody knows whether it was chosen."""


@pytest.mark.parametrize(("gone", "outcome"), [((), Outcome.REFUSED), (("b",), Outcome.OPEN)])
def test_nobody_waits_for_a_copy_that_is_gone_for_good(gone: tuple[str, ...], outcome: Outcome) -> None:
    """Also when the newest view is not the one that is led, but one that was only asked for (seed 64096)."""
    state = State(Config("array", "a", 0, "run"), Random(1))
    state.me, state.mark, state.trusted, state.ballot = A, Mark.OK, True, Ballot(2048, WITHOUT_C)
    proposal = Proposal(state, LED, Wish(("b",), fewest=2, gone=gone), lambda member: False)
    assert proposal.begin(state) is Outcome.OPEN
    assert proposal.promised(state, C, Promise(3072, "c.1", LED)) is outcome
    asked = [e.message for e in state.effects if isinstance(e, Send) and isinstance(e.message, Accept)]
    assert {accept.view.in_sync for accept in asked} == ({(A,)} if gone else set())
