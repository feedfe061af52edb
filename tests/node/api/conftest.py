from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.node.api.fake import Site, site


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Site]:
    """One node that leads."""
    async with site(tmp_path) as running:
        running.add_factory()
        yield running
