"""A modest number of seeds on every run; ``FA_SIM_SEEDS`` asks for more, as "COUNT" or "FIRST:LAST"."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.sim.seed import run_seed

DEFAULT = "120"
CHUNKS = 10
CAUGHT_BEFORE = (
    196, 200, 337, 444, 579, 1823, 1999, 2193, 2434, 3315, 3876, 10233, 13811, 20959, 23005, 23156, 26004, 26707, 27191,
    30396, 31149, 33444, 33663, 45057, 64096, 78484, 78852, 83071, 93721,
)  # fmt: skip
"""Seeds that once showed a fault of the core or of the checkers."""


def _seeds() -> range:
    first, _, last = os.environ.get("FA_SIM_SEEDS", DEFAULT).rpartition(":")
    return range(int(first or 0), int(last))


def _failures(seeds: range | tuple[int, ...]) -> tuple[list[str], Counter[str]]:
    failures, counts = [], Counter[str]()
    for seed in seeds:
        result = run_seed(seed)
        counts.update(result.counts)
        if result.violation or not result.live:
            why = result.violation or "no lock-step after healing"
            failures.append(f"{why}\n  replay: python -m tests.sim --seeds {seed}:{seed + 1} --trace")
    return failures, counts


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_seeds(chunk: int) -> None:
    failures, counts = _failures(_seeds()[chunk::CHUNKS])
    assert not failures, "\n".join(failures)
    assert counts["acks"] > 0


def test_seeds_that_failed_once() -> None:
    failures, _ = _failures(CAUGHT_BEFORE)
    assert not failures, "\n".join(failures)


def test_the_faults_happen() -> None:
    """Coverage: a simulator in which nothing goes wrong proves nothing."""
    wanted = {
        "acks", "answered", "views", "take-overs", "grows", "multi", "member-dropped", "voter-changes", "wiped",
        "reads", "published", "SwitchOver-done", "ReplaceVoter-done", "AddNode-done", "stale", "copy-disowned",
    }  # fmt: skip
    counts, seeds = Counter[str](), 0
    while seeds < 300 and not all(counts[kind] for kind in wanted):
        counts.update(run_seed(seeds).counts)
        seeds += 1
    assert all(counts[kind] for kind in wanted), f"never seen: {sorted(kind for kind in wanted if not counts[kind])}"
    assert counts["views"] >= 3 * seeds


@pytest.mark.parametrize("seed", [3, 8])
def test_a_seed_replays_byte_for_byte(seed: int) -> None:
    """Whatever the order of Python's sets: the same trace under two hash seeds."""
    traces = [_trace(seed, hash_seed) for hash_seed in ("1", "2")]
    assert traces[0].count(b"\n") > 500
    assert traces[0] == traces[1]


def _trace(seed: int, hash_seed: str) -> bytes:
    command = [sys.executable, "-m", "tests.sim", "--seeds", f"{seed}:{seed + 1}", "--trace"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120).stdout
