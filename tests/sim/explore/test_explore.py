"""The fast part of the explicit-state check; ``python -m tests.sim.explore`` goes as far as one lets it."""

from __future__ import annotations

import pytest

from tests.sim.explore.arrays import Search
from tests.sim.explore.nodes import Setting
from tests.sim.explore.search import SETTINGS, explore, hunt, still

NEAR = ("ack_primary_only", "one_vote", "drop_unilateral", "ack_during_drop", "grow_not_caught")
RUNS_ON = Setting("runs on", "ab", 0, 0, 0)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_nothing_is_broken_nearby(setting: Setting) -> None:
    found = explore(setting, 100)
    assert not found.violation, "\n".join((found.violation, *found.story))
    assert found.states == 100, "there is more than that"


def test_an_array_that_only_runs_on_is_exhausted() -> None:
    found = explore(RUNS_ON, 10_000)
    assert found.exhausted
    assert not found.violation


@pytest.mark.parametrize("name", NEAR)
def test_a_rule_that_is_left_out_is_missed(name: str) -> None:
    found = hunt(name, 2_000)
    assert found.violation, f"{name} was not caught"
    assert found.story, "it says how"


def test_a_step_is_the_same_whenever_it_is_taken() -> None:
    """What is remembered of a node is all that its steps depend on."""
    with still():
        one, other = Search(SETTINGS[0]), Search(SETTINGS[0])
    told = [[(search.told(what), state.net) for what, state in search.after(search.state)] for search in (one, other)]
    assert told[0] == told[1]
