from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import kit


@pytest.fixture(scope="session")
def proved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first node of the session found out about ffmpeg; the others need not try every encoder again."""
    kept = tmp_path_factory.mktemp("proved") / "proved.json"
    with kit.array(tmp_path_factory.mktemp("prover")) as array:
        node = array.found("p")
        kit.wait_until("the encoders are proved", lambda: (node.root / "proved.json").exists(), 240)
        kept.write_bytes((node.root / "proved.json").read_bytes())
    return kept


@pytest.fixture
def array(tmp_path: Path, proved: Path) -> Iterator[kit.Array]:
    with kit.array(tmp_path, proved) as made:
        yield made
