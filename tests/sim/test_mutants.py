"""The fast part of the mutation gate; ``python -m tests.sim.mutants`` hunts all of them."""

from __future__ import annotations

import pytest

from tests.sim.mutants import MUTANTS, Mutant, hunt
from tests.sim.seed import run_seed

FAST = (
    "ack_primary_only", "sec_ack_unsynced", "takeover_any", "one_vote", "drop_unilateral", "grow_not_caught",
    "grant_early", "regrant_timeout", "no_dedupe",
)  # fmt: skip


@pytest.mark.parametrize("name", FAST)
def test_mutant_is_caught(name: str) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    assert hunt(mutant, range(200)), f"{name} ({mutant.rule}) was not caught"


TOLD = [mutant.name for mutant in MUTANTS if mutant.story]


@pytest.mark.parametrize("name", TOLD)
def test_mutant_is_caught_by_its_story(name: str) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    assert hunt(mutant, range(0)), f"the story {mutant.story} does not show what {name} ({mutant.rule}) breaks"


def test_a_mutant_leaves_nothing_behind() -> None:
    mutant: Mutant = MUTANTS[0]
    assert hunt(mutant, range(20))
    assert not run_seed(0).violation
