"""The stories of ``tests/scripts``: those of SAFETY.md's scenarios that the core can tell, and the everyday ones.

``FA_REGENERATE=1 pytest tests/core/test_scripts.py`` writes the traces anew; read the difference before you keep it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.sim.script import Script

STORIES = sorted(Path(__file__).parent.parent.joinpath("scripts").glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path: Path) -> None:
    told = path.read_text(encoding="utf-8")
    now = Script().run(told)
    if os.environ.get("FA_REGENERATE"):
        path.write_text(now, encoding="utf-8")
    assert now == told or os.environ.get("FA_REGENERATE")


def test_the_stories_are_there() -> None:
    assert len(STORIES) >= 20
