"""`fa demo`, as a person who tries fa for the first time runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fa.cli.demo_clips import CLIPS
from tests.e2e import kit

LONGEST = 1500  # seconds, on a busy machine: it encodes all it shows, and proves every encoder on three nodes
PRODUCTS = 3  # of each clip


@pytest.mark.timeout(LONGEST + 60)
def test_the_coordinator_is_killed_and_everything_is_made(tmp_path: Path) -> None:
    words = [*kit.FA, "demo", "--dir", str(tmp_path / "demo")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    before, killed, after = done.stdout.partition("4. kill -9 of node ")
    assert killed and "2. 3 node(s)" in before
    assert "is the coordinator now" in after
    lines = [line.split("\t") for line in after.splitlines()]
    header = next(line for line in lines if line[0] == "JOB")
    made = [dict(zip(header, line, strict=True)) for line in lines if len(line) == len(header) and line is not header]
    assert len(made) == PRODUCTS * len(CLIPS)
    assert {(row["STATE"], row["SHA256"]) for row in made} == {("succeeded", "ok")}
