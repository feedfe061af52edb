"""Encoders and filters are tried once, those that factories ask for while the node works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fa.core.recipe import known_encoders, known_filters
from fa.node.proofs import Proofs

PRESETS = {f"encoder:{name}" for name in known_encoders()} | {f"filter:{name}" for name in known_filters()}


class Bench:
    """A node whose ffmpeg can do all but `bad`."""

    def __init__(self, root: Path, identity: str = "ffmpeg 1", bad: tuple[str, ...] = ()) -> None:
        self.bad = set(bad)
        self.tried: list[set[str]] = []
        self.said = asyncio.Semaphore(0)
        self.proofs = Proofs(identity, self._prove, root / "proved.json", self.said.release)

    async def _prove(self, words: list[str]) -> frozenset[str]:
        self.tried.append(set(words))
        return frozenset(words) - self.bad

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Once it has said what it can do."""
        task = asyncio.create_task(self.proofs.run())
        try:
            await self.next()
            yield
        finally:
            task.cancel()

    async def next(self) -> None:
        async with asyncio.timeout(30):
            await self.said.acquire()


async def test_what_factories_ask_for_is_tried_when_it_is_new(tmp_path: Path) -> None:
    bench = Bench(tmp_path, bad=("encoder:h264_nvenc",))
    async with bench.running():
        assert bench.tried == [PRESETS] and bench.proofs.held == PRESETS and bench.proofs.failed == frozenset()
        bench.proofs.want(("encoder:libmp3lame", "encoder:h264_nvenc", "tag:gpu", "encoder:libx264"))
        await bench.next()
        bench.proofs.want(("encoder:libmp3lame", "filter:hflip"))
        await bench.next()
    assert bench.tried[1:] == [{"encoder:libmp3lame", "encoder:h264_nvenc"}, {"filter:hflip"}]
    assert bench.proofs.held == PRESETS | {"encoder:libmp3lame", "filter:hflip"}
    assert bench.proofs.failed == {"encoder:h264_nvenc"}


async def test_what_is_asked_while_the_presets_are_tried_is_not_forgotten(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.proofs.want(("encoder:libmp3lame",))
    async with bench.running():
        assert bench.tried == [PRESETS | {"encoder:libmp3lame"}]


async def test_what_held_is_kept_as_long_as_the_programs_are_the_same(tmp_path: Path) -> None:
    async with Bench(tmp_path, bad=("encoder:libx265",)).running():
        pass
    again = Bench(tmp_path)
    async with again.running():
        assert again.tried == [{"encoder:libx265"}], "a driver may have come"
        assert again.proofs.held == PRESETS
    third, other = Bench(tmp_path), Bench(tmp_path, identity="ffmpeg 2")
    async with third.running():
        assert third.tried == [] and third.proofs.held == PRESETS
    async with other.running():
        assert other.tried == [PRESETS]


async def test_a_file_that_is_none_is_made_anew(tmp_path: Path) -> None:
    for content in ("{", "[]", '{"identity": "ffmpeg 1", "proved": ["tag:x", 3]}'):
        (tmp_path / "proved.json").write_text(content)
        bench = Bench(tmp_path)
        async with bench.running():
            assert bench.tried == [PRESETS]
