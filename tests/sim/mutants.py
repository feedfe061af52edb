"""The mutation gate: each safety rule, left out, must be caught. ``python -m tests.sim.mutants [NAME…] [--seeds N]
[--jobs N]``.

"No violation in a hundred thousand seeds" means nothing if the simulator could not see one. The production code has
no switches: each mutant replaces small named methods of the core, or breaks a promise of the simulated shell. Names
are those of SAFETY.md's table.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from unittest.mock import patch

from fa.core import array_letters, array_proposal
from fa.core.array import Array
from fa.core.array_barriers import Barriers
from fa.core.array_changes import Changes
from fa.core.array_follower import Follower
from fa.core.array_leader import Leader
from fa.core.array_letters import Letters
from fa.core.array_proposal import Proposal
from fa.core.array_seat import Seat
from fa.core.array_state import State
from fa.core.array_supply import Supply
from fa.core.election import Election
from fa.core.mirror import Mirror
from fa.core.view import Ballot, View
from tests.sim import omissions as omit
from tests.sim.checks import Violation
from tests.sim.node import Node
from tests.sim.script import Script
from tests.sim.seed import run_seed
from tests.sim.world import World

STORIES = Path(__file__).parent.parent / "scripts"


@dataclass(frozen=True)
class Mutant:
    """``rule``: what is left out. ``patches``: (owner, attribute, replacement). ``prepare``: breaks the simulated
    shell.
    """

    name: str
    rule: str
    patches: tuple[omit.Patch, ...] = ()
    prepare: Callable[[World], None] | None = None
    story: str = ""
    """A story of ``tests/scripts`` that tells what the rule is for, where chance finds it rarely."""

    @contextmanager
    def active(self) -> Iterator[None]:
        with ExitStack() as stack:
            for owner, attribute, value in self.patches:
                stack.enter_context(patch.object(owner, attribute, value))
            yield


MUTANTS = (
    Mutant("ack_primary_only", "R1", ((Mirror, "acknowledgeable", lambda self: self._chain.end),)),
    Mutant("ack_majority_isr", "R1", ((Mirror, "acknowledgeable", omit.ack_majority),)),
    Mutant("sec_ack_unsynced", "R1", ((Follower, "append", omit.append_and_say_stored),)),
    Mutant(
        "pri_ack_unsynced", "R1", ((Node, "_committed", omit.committed_unsynced), (Node, "crash", omit.crash_unsynced))
    ),
    Mutant(
        "no_fence",
        "R5",
        ((Letters, "_heeds", omit.heed_anything), (Follower, "_report", omit.report_in_its_epoch)),
        story="46_fence",
    ),
    Mutant(
        "takeover_any", "R3", ((Proposal, "_entitled", omit.true), (Election, "_objection", omit.object_to_nothing))
    ),
    Mutant(
        "takeover_cached",
        "R2",
        ((Proposal, "_current", omit.current_from_cache), (Election, "_objection", omit.object_by_cache)),
    ),
    Mutant("one_vote", "R2", omit.everywhere(omit.one_vote)),
    Mutant("vote_unsynced", "R4", ((Array, "step", omit.step_saving_last),), story="45_vote_saved"),
    Mutant("promise_ignored", "R4", ((Ballot, "may_accept", omit.true),)),
    Mutant("drop_unilateral", "R2", ((Seat, "change", omit.drop_alone),)),
    Mutant(
        "ack_during_drop",
        "R6",
        ((Seat, "change", omit.drop_early), (Leader, "_may_acknowledge", omit.ack_as_coordinator)),
    ),
    Mutant(
        "ack_during_grow",
        "R6",
        (
            (Leader, "_may_acknowledge", omit.ack_as_coordinator),
            (Supply, "_ship_from", omit.ship_while_changing),
            (Node, "_Freeze", omit.no_freeze),
        ),
    ),
    Mutant("grow_not_caught", "R3", ((Mirror, "is_equal", omit.always),)),
    Mutant(
        "no_prefix_check",
        "R5",
        ((Follower, "append", omit.append_without_check), (Node, "_stored", omit.stored_without_check)),
    ),
    Mutant("keep_tail", "R5", ((Mirror, "confirm", omit.confirm_by_number),)),
    Mutant("resume_epoch", "R6", ((Array, "_on_started", omit.resume),)),
    Mutant("serve_unready", "R7", ((Leader, "begin", omit.serve_at_once),)),
    Mutant("same_epoch", "R4", ((array_proposal, "next_epoch", omit.same_epochs),)),
    Mutant("value_rule", "R2", ((Proposal, "_current", omit.value_ignored),)),
    Mutant(
        "wiped_insync",
        "R3",
        (
            (View, "holds", omit.holds_by_name),
            (Mirror, "_of", omit.copy_by_name),
            (Leader, "_copy", omit.copy_of_stranger),
        ),
        story="56_wiped_copy",
    ),
    Mutant("wiped_votes", "R8", omit.everywhere(omit.votes_by_name)),
    Mutant("nas_rmw", "R13", (), omit.set("exclusive_links", False), story="43_volume_duel"),
    Mutant(
        "fence_unsynced",
        "R4",
        ((State, "save", omit.save_voters_only), (array_letters, "contradiction", omit.no_contradiction)),
        story="44_fence_kept",
    ),
    Mutant("rollback", "R8", ((array_letters, "contradiction", omit.no_contradiction),)),
    Mutant("grant_early", "R9", (), omit.set("jobs.grant_early", True)),
    Mutant("regrant_timeout", "R9", (), omit.set("jobs.regrant_timeout", True)),
    Mutant("read_local", "R11", ((Barriers, "add", omit.pass_at_once),)),
    Mutant(
        "voters_new_only",
        "R12",
        ((Proposal, "_deciding", omit.only_new), (View, "quorums", omit.only_now)),
        story="42_voters_joint",
    ),
    Mutant("voters_unchosen", "R12", ((Proposal, "_voters", omit.voters_unchosen),), story="40_voters_unchosen"),
    Mutant(
        "voters_norestart",
        "R12",
        (
            (State, "deciding", omit.only_ours),
            (Changes, "wish", omit.close_at_once),
        ),
        story="41_voters_restart",
    ),
    Mutant("no_dedupe", "R10", (), omit.set("dedupe", False)),
)


def hunt(mutant: Mutant, seeds: range) -> tuple[str, str] | None:
    """What caught the mutant (its story, or the first seed) and what was seen; None when nothing did. A mutant that
    only breaks the simulator is not caught: the checkers must see it, or an assertion of the core."""
    with mutant.active():
        seen = _tell(mutant)
        if seen:
            return f"story {mutant.story}", seen
        for seed in seeds:
            result = run_seed(seed, prepare=mutant.prepare)
            if result.violation and not result.broke:
                return f"seed {seed}", result.violation
    return None


def _tell(mutant: Mutant) -> str:
    """What goes wrong when the mutant's story is told to it."""
    if not mutant.story:
        return ""
    script = Script()
    if mutant.prepare:
        mutant.prepare(script.world)
    try:
        script.run(STORIES.joinpath(f"{mutant.story}.txt").read_text(encoding="utf-8"))
    except Violation as violation:
        return str(violation)
    return ""


def _by_name(name: str) -> Mutant:
    return next(mutant for mutant in MUTANTS if mutant.name == name)


def _hunt_named(seeds: range, name: str) -> tuple[str, tuple[str, str] | None, float]:
    began = time.monotonic()
    return name, hunt(_by_name(name), seeds), time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=5_000, help="seeds tried per mutant at most")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    names = options.names or [mutant.name for mutant in MUTANTS]
    missed = []
    with Pool(options.jobs) as pool:
        for name, catch, seconds in pool.imap_unordered(partial(_hunt_named, range(options.seeds)), names):
            rule = _by_name(name).rule
            if catch:
                print(f"{rule:4} {name:18} caught by {catch[0]} ({seconds:.0f} s): {catch[1][:90]}", flush=True)
            else:
                missed.append(name)
                print(f"{rule:4} {name:18} NOT caught in {options.seeds} seeds ({seconds:.0f} s)", flush=True)
    print(
        f"{len(names) - len(missed)} of {len(names)} caught"
        + (f"; missed: {', '.join(sorted(missed))}" if missed else "")
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
