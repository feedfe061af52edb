"""The stories of ``tests/scripts``: those of SAFETY.md's scenarios that the core can tell, and the everyday ones.

``FA_REGENERATE=1 pytest tests/core/test_scripts.py`` writes the traces anew; read the difference before you keep it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from fa.core import scheduling
from fa.core.array import PROTOCOL, Array
from fa.core.array_messages import Hello
from fa.core.array_state import State
from fa.core.array_volume import Record, serve
from fa.core.model import Group, NodeView
from fa.core.trust import Mark
from tests.sim import mutants
from tests.sim.script import Script
from tests.sim.story import Story, blocks
from tests.sim.work import mutants as work_mutants
from tests.sim.work.script import JobScript
from tests.sim.world import ARRAY_ID, World

STORIES = sorted(Path(__file__).parent.parent.joinpath("scripts").glob("*.txt"))


def teller(told: str) -> Story:
    """The first command says of what it tells: ``cluster``, the array; ``crew``, the jobs."""
    _, commands = next(blocks(told))
    return JobScript() if commands[0].startswith("crew ") else Script()


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path: Path) -> None:
    told = path.read_text(encoding="utf-8")
    now = teller(told).run(told)
    if os.environ.get("FA_REGENERATE"):
        path.write_text(now, encoding="utf-8")
    assert now == told or os.environ.get("FA_REGENERATE")


def test_each_scenario_is_told() -> None:
    """All 26 of SAFETY.md section 2, under their numbers; the everyday ones are numbered from 30."""
    numbers = {int(path.stem.partition("_")[0]) for path in STORIES}
    assert set(range(1, 27)) <= numbers


# ---- what each story is for: without the rule it comes out otherwise

_refusal = Array._refusal


def ignoring(**fields: Any) -> AbstractContextManager[Any]:
    """Who says hello is not asked for these."""

    def refusal(self: Array, peer: str, hello: Hello, known: Any) -> str:
        return _refusal(self, peer, replace(hello, **fields), known)

    return patch.object(Array, "_refusal", refusal)


def vote_unwritten() -> AbstractContextManager[Any]:
    """The helper of a volume answers although the record could not be written."""
    answer = World._volume_answer

    def answered(self: World, node: Any, life: int, call: Any, message: Any) -> None:
        if message is None:
            _, message = serve(self.volumes[call.volume][-1], node.name, call.message)
        answer(self, node, life, call, message)

    return patch.object(World, "_volume_answer", answered)


def marked_at_the_end() -> AbstractContextManager[Any]:
    """That a copy is being replaced is written down when it has been."""
    save = State.save_identity

    def save_identity(self: State) -> None:
        if self.mark is not Mark.RESYNCING:
            save(self)

    return patch.object(State, "save_identity", save_identity)


def empty_promises() -> AbstractContextManager[Any]:
    """Records that are lost are taken for a voter that has promised nothing."""
    read = World._volume_read

    def reading(self: World, node: Any, life: int, call: Any) -> None:
        if not self.volumes[call.volume]:
            self.volumes[call.volume].append(Record(ARRAY_ID, f"{call.volume}.1"))
        read(self, node, life, call)

    return patch.object(World, "_volume_read", reading)


_why_not_now = scheduling.why_not_now


def any_volume() -> AbstractContextManager[Any]:
    """Work is given to nodes whose volume is in trouble."""

    def why_not_now(group: Group, node: NodeView) -> Any:
        return _why_not_now(group, replace(node, unhealthy=()))

    def why_never(group: Group, node: NodeView, priority: int = 0) -> Any:
        return None

    return patch.multiple(scheduling, why_not_now=why_not_now, why_never=why_never)


Plant = Callable[[], AbstractContextManager[Any]]


def array_rule(name: str) -> tuple[str, Plant]:
    """A rule of the mutation gate, left out."""
    return name, next(mutant.active for mutant in mutants.MUTANTS if mutant.name == name)


def job_rule(name: str) -> tuple[str, Plant]:
    """The same of the gate of the jobs."""
    return name, next(mutant.plant for mutant in work_mutants.MUTANTS if mutant.name == name)


PLANTED: tuple[tuple[str, tuple[str, Plant]], ...] = (
    ("09_torn_log", array_rule("rollback")),
    ("09_torn_vote", array_rule("rollback")),
    ("11_no_vote", ("vote_unwritten", vote_unwritten)),
    ("11_no_vote", array_rule("wiped_votes")),
    ("11_wrong_share", ("any_volume", any_volume)),
    ("16_versions", ("any_protocol", lambda: ignoring(protocol=PROTOCOL))),
    ("17_another_array", ("any_array", lambda: ignoring(array_id=ARRAY_ID))),
    ("20_resync_interrupted", ("marked_at_the_end", marked_at_the_end)),
    ("21_take_over_in_a_commit", array_rule("ack_primary_only")),
    ("21_take_over_in_a_copy", ("marked_at_the_end", marked_at_the_end)),
    ("22_node_killed_while_publishing", job_rule("silent")),
    ("22_node_killed_while_publishing", job_rule("no_comparison")),
    ("22_coordinator_killed_while_publishing", job_rule("grant_early")),
    ("22_coordinator_killed_while_publishing", job_rule("no_look_back")),
    ("23_sleeper_with_a_grant", job_rule("regrant_timeout")),
    ("23_sleeper_with_a_grant", job_rule("never_found")),
    ("26_volume_amnesia", ("empty_promises", empty_promises)),
    ("26_volume_amnesia", array_rule("wiped_votes")),
)


@pytest.mark.parametrize(("story", "rule"), PLANTED, ids=[f"{story}-{rule[0]}" for story, rule in PLANTED])
def test_a_story_shows_its_rule(story: str, rule: tuple[str, Plant]) -> None:
    told = next(path for path in STORIES if path.stem == story).read_text(encoding="utf-8")
    name, plant = rule
    with plant():
        try:
            now = teller(told).run(told)
        except AssertionError as violation:
            now = str(violation)
    assert now != told, f"{story} comes out the same without {name}"
