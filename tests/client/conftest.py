"""What the tests of the clients share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.fake import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def sock() -> Iterator[str]:
    """A path for a Unix socket; pytest's own folders may be too deep for one."""
    with tempfile.TemporaryDirectory(prefix="fa") as folder:
        yield str(Path(folder) / "fa.sock")
