"""Whether a container has been closed, asked of the real ffprobe."""

from __future__ import annotations

from pathlib import Path

import pytest

from fa.core.places import Place
from fa.node.index_probe import IndexProbe
from fa.transcode.sandbox import find_sandbox
from fa.transcode.tools import find_tools
from tests.e2e.kit import make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 0.5, "64x64").read_bytes()


@pytest.mark.parametrize("name", ["clip.mp4", "-rf %d\n'.mp4", "\udcff.mp4"])
async def test_a_whole_clip_opens_and_half_of_it_does_not(tmp_path: Path, clip: bytes, name: str) -> None:
    probe, place = IndexProbe(find_tools(), find_sandbox()), Place("san", f"in/{name}")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(clip)
    assert await probe.why_not(str(tmp_path), place) == ""
    (tmp_path / "in" / name).write_bytes(clip[: len(clip) // 2])
    assert "moov atom not found" in await probe.why_not(str(tmp_path), place)


async def test_what_is_not_there_or_is_a_link_does_not_open(tmp_path: Path, clip: bytes) -> None:
    probe = IndexProbe(find_tools(), find_sandbox())
    assert "cannot be opened" in await probe.why_not(str(tmp_path), Place("san", "none.mp4"))
    (tmp_path / "real.mp4").write_bytes(clip)
    (tmp_path / "link.mp4").symlink_to(tmp_path / "real.mp4")
    assert "cannot be opened" in await probe.why_not(str(tmp_path), Place("san", "link.mp4"))
