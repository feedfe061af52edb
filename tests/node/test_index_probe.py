"""Whether a container has been closed, asked of the real ffprobe."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from fa.core.intake import Stamp
from fa.core.places import Place
from fa.node import index_probe
from fa.node.beneath import open_beneath
from fa.node.index_probe import AT_ONCE, IndexProbe
from fa.node.scan import stamp_of
from fa.transcode.probe import probe as media_of
from fa.transcode.sandbox import find_sandbox
from fa.transcode.tools import find_tools
from tests.e2e.kit import make_clip


async def ask(probe: IndexProbe, root: str, place: Place) -> str:
    """Of the file as it is now."""
    path = Path(root, place.path)
    return await probe.why_not(root, place, stamp_of(path.stat()) if path.exists() else Stamp(1, 1, 1, 1))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 0.5, "64x64").read_bytes()


@pytest.mark.parametrize("name", ["clip.mp4", "-rf %d\n'.mp4", "\udcff.mp4"])
async def test_a_whole_clip_opens_and_half_of_it_does_not(tmp_path: Path, clip: bytes, name: str) -> None:
    probe, place = IndexProbe(find_tools(), find_sandbox()), Place("san", f"in/{name}")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(clip)
    assert await ask(probe, str(tmp_path), place) == ""
    (tmp_path / "in" / name).write_bytes(clip[: len(clip) // 2])
    assert "moov atom not found" in await ask(probe, str(tmp_path), place)


async def test_what_is_not_there_or_is_a_link_does_not_open(tmp_path: Path, clip: bytes) -> None:
    probe = IndexProbe(find_tools(), find_sandbox())
    assert "cannot be opened" in await ask(probe, str(tmp_path), Place("san", "none.mp4"))
    (tmp_path / "real.mp4").write_bytes(clip)
    (tmp_path / "link.mp4").symlink_to(tmp_path / "real.mp4")
    assert "cannot be opened" in await ask(probe, str(tmp_path), Place("san", "link.mp4"))


async def test_a_mount_that_hangs_keeps_no_file_of_another_waiting(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed, began = threading.Event(), threading.Semaphore(0)

    def opening(root: str, path: str, flags: int) -> int:
        if root == "/hangs":
            began.release()
            freed.wait()
        return open_beneath(root, path, flags)

    monkeypatch.setattr(index_probe, "open_beneath", opening)
    probe, place = IndexProbe(find_tools(), find_sandbox()), Place("san", "clip.mp4")
    (tmp_path / "clip.mp4").write_bytes(clip)
    hang = [asyncio.create_task(ask(probe, "/hangs", place)) for _ in range(5)]
    try:
        async with asyncio.timeout(20.0):
            for _ in range(AT_ONCE):
                await asyncio.to_thread(began.acquire)
            assert await ask(probe, str(tmp_path), place) == ""
        assert not any(task.done() for task in hang)
    finally:
        freed.set()
        told = await asyncio.gather(*hang)
    assert all("cannot be opened" in why for why in told)


@pytest.mark.parametrize("when", ["before", "during"])
async def test_another_file_than_the_one_that_settled_does_not_open(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """It waited for its turn, and its writer went on: it was submitted as it had been, and again as it was then."""
    path, tools = tmp_path / "clip.mp4", find_tools()
    path.write_bytes(clip if when == "during" else clip[: len(clip) // 2])
    settled = stamp_of(path.stat())

    async def looking(*given: Any) -> Any:
        found = await media_of(*given)
        path.write_bytes(clip + b"more")
        return found

    if when == "before":
        path.write_bytes(clip)
    else:
        monkeypatch.setattr(index_probe, "probe", looking)
    probe = IndexProbe(tools, find_sandbox())
    assert await probe.why_not(str(tmp_path), Place("san", "clip.mp4"), settled) == "it changed"
