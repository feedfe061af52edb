"""A copy of the store as it arrives at the node that asked for it."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from fa.core.position import Position
from fa.errors import Unavailable
from fa.node import copying
from fa.replication.transfer import Kind, announce, chunks
from tests.replication.conftest import ARRAY

SIZE = 1 << 20


class Content(io.BytesIO):
    """What a peer sends."""

    async def readexactly(self, count: int) -> bytes:
        return self.read(count)


@pytest.fixture
def sent(tmp_path: Path) -> aiohttp.StreamReader:
    path = tmp_path / "theirs"
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    told = announce(Kind.SNAPSHOT, path, ARRAY, Position(3, 5), 1)
    return cast("aiohttp.StreamReader", Content(told.to_bytes() + b"".join(chunks(path))))


@pytest.mark.parametrize("missing", [0, 1])
async def test_a_copy_fills_no_disk(
    sent: aiohttp.StreamReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    """The disk was filled to the last byte, at each try: no vote could be saved meanwhile."""
    free = SIZE + copying.SPARE_BYTES - missing
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    target = tmp_path / "ours"
    if missing:
        with pytest.raises(Unavailable, match="no room here for a copy of 1 MiB"):
            await copying._receive(sent, target)
        assert not target.exists()
    else:
        told: Any = await copying._receive(sent, target)
        assert (told.size, target.read_bytes()) == (SIZE, (tmp_path / "theirs").read_bytes())
