"""A file is probed once, and again when it is another file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fa.node import probes as module
from fa.node.probes import Probes
from fa.transcode.errors import BadSource
from fa.transcode.media import MediaInfo
from fa.transcode.sandbox import Sandbox
from fa.transcode.tools import Tools

TOOLS = Tools("ffmpeg", "", "", "")


class Prober:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.bad = False

    async def __call__(self, tools: Any, sandbox: Any, path: str, pass_fds: tuple[int, ...]) -> MediaInfo:
        self.asked.append(path)
        if self.bad:
            raise BadSource
        return MediaInfo("mp4", 1.0, len(self.asked))


@pytest.fixture
def prober(monkeypatch: pytest.MonkeyPatch) -> Prober:
    made = Prober()
    monkeypatch.setattr(module, "probe", made)
    return made


async def look(probes: Probes, path: Path) -> MediaInfo:
    fd = os.open(path, os.O_RDONLY)
    try:
        return await probes.of(fd, str(path), TOOLS, Sandbox())
    finally:
        os.close(fd)


async def test_the_same_file_is_probed_once(prober: Prober, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    probes = Probes()
    assert await look(probes, path) == await look(probes, path)
    assert len(prober.asked) == 1
    path.write_text("another")
    assert (await look(probes, path)).size == 2, "its content changed"


async def test_a_failure_is_not_kept(prober: Prober, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    probes = Probes()
    prober.bad = True
    with pytest.raises(BadSource):
        await look(probes, path)
    prober.bad = False
    assert (await look(probes, path)).size == 2


async def test_only_so_many_are_kept(prober: Prober, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    probes = Probes()
    for name in "abca":
        (tmp_path / name).write_text(name)
        await look(probes, tmp_path / name)
    assert len(prober.asked) == 4, "the oldest went"
