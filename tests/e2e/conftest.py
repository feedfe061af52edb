from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import kit


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show the logs of the nodes of a test that failed, while its fixtures still hold them."""
    report = yield
    if report.failed:
        report.sections += [("the nodes", "\n".join(kit.logs()))]
    return report


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
