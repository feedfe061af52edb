"""The fast part of the work simulator: some seeds, some planted bugs, and that one seed is one run."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.sim.hashes import told_under_both
from tests.sim.work.__main__ import replay
from tests.sim.work.mutants import MUTANTS, Mutant, caught
from tests.sim.work.seed import run_seed

FAST = ("grant_early", "regrant_timeout", "no_dedupe", "cancel_granted", "hasty", "slots_at_once", "by_age_only")
SEEN = """
from hashlib import sha256
from tests.sim.work.seed import run_seed
for seed in (3, 9):
    result = run_seed(seed, trace=True)
    print(result.counts["events"], sha256("\\n".join(result.lines).encode()).hexdigest())
"""


def test_seeds_hold() -> None:
    counts: Counter[str] = Counter()
    for seed in range(40):
        result = run_seed(seed)
        counts += result.counts
        assert not result.violation, f"seed {seed}: {result.violation}; replay: {replay(seed)}"
    happened = ("renames", "take-overs", "views", "kept unanswered", "withdrawn", "hung for good")
    assert all(counts[what] for what in happened), f"too little happens: {counts}"


@pytest.mark.parametrize("name", FAST)
def test_a_planted_bug_is_caught(name: str) -> None:
    mutant: Mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    assert caught(mutant), f"{name} ({mutant.rule}) was not caught"


def test_a_planted_bug_leaves_nothing_behind() -> None:
    assert caught(MUTANTS[0], 5)
    assert not run_seed(0).violation


def test_one_seed_is_one_run_whatever_the_order_of_hashes() -> None:
    first, second = told_under_both(SEEN)
    assert first and first == second
