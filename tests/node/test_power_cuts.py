"""What a power cut must not take: a part is on its disk before anybody is asked to publish it, a rename and the folders
that it needs before anybody is told of it."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any, cast

import pytest

from fa.core.commands import Order
from fa.core.work import AttemptFailed, Encoded, PublishResult
from fa.node import parts
from fa.node import publish as publish_module
from fa.node.attempt import Workshop, carry_out
from fa.node.beneath import rename_no_replace
from fa.node.publish import publish
from fa.transcode.digest import digest as digest_of
from fa.transcode.perform import EncodeRequest, EncodeResult
from tests.node.shares import Shares, digest, fill, make_part, make_volume, wish

RECIPE = """
name = "copy"
[[products]]
name = "p"
exec = ["hold", "{input}", "{output}"]
destination = "san:out/2026/{job}"
"""
LADDER = {"all.m3u8": "x", "360p/1.ts": "y"}
RENAMED = "renamed"


class Disk:
    """What was synced, by path, in its order, with the renames between."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.log: list[str] = []
        self.fails = False
        self._root = root
        monkeypatch.setattr(os, "fsync", self._fsync)

    def _fsync(self, fd: int) -> None:
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        self.log.append(str(path.relative_to(self._root)))

    def renames(self, *given: Any) -> None:
        rename_no_replace(*given)
        self.log.append(RENAMED)

    def after_rename(self) -> list[str]:
        return self.log[self.log.index(RENAMED) + 1 :]


@pytest.fixture
def san(tmp_path: Path) -> Path:
    made = make_volume(tmp_path / "san")
    (made / "in" / "x").write_text("a film")
    return made


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, san: Path) -> Disk:
    made = Disk(monkeypatch, san)
    monkeypatch.setattr(publish_module, "rename_no_replace", made.renames)
    return made


class Volume(Shares):
    def root(self, name: str, **needs: bool) -> str:
        return str(self.mounts[name])


async def encoded(san: Path, monkeypatch: pytest.MonkeyPatch, content: str | dict[str, str]) -> Encoded | AttemptFailed:
    """How an attempt ends whose tool writes this."""

    async def perform(request: EncodeRequest, report: Any) -> EncodeResult:
        assert request.finish is not None
        made = fill(Path(request.output), content)
        await asyncio.to_thread(request.finish, made)
        return EncodeResult(digest_of(made), None, 0.0)

    monkeypatch.setattr("fa.node.attempt.perform", perform)
    shop = Workshop(cast(Any, Volume(san=san)), *[cast(Any, None)] * 2, san.parent, san.parent, False, {})
    order = Order(1, 7, 1, "a", 1, "p", "san:in/x", "san:out/2026/1", "copy", 1, RECIPE, 50, 1, "cpu", 1)
    return await carry_out(shop, order, lambda running: None)


@pytest.mark.parametrize("content", ["a film", LADDER], ids=["file", "folder"])
async def test_a_part_is_durable_before_its_wish(
    san: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, content: str | dict[str, str]
) -> None:
    ended = await encoded(san, monkeypatch, content)
    assert isinstance(ended, Encoded)
    part = ended.part.partition(":")[2]
    inside = [f"{part}/{path}" for path in ("all.m3u8", "360p", "360p/1.ts")] if content is LADDER else []
    assert {part, *inside, parts.PART_FOLDER} <= set(disk.log)


async def test_a_part_that_may_not_be_durable_is_none(san: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (san / ".fa" / "part", san / "out" / "2026"):
        folder.mkdir(parents=True)
    disk.fails = True
    ended = await encoded(san, monkeypatch, "a film")
    assert isinstance(ended, AttemptFailed) and not ended.permanent
    assert os.strerror(errno.EIO) in ended.error
    assert list((san / ".fa" / "part").iterdir()) == []


def test_a_rename_is_durable_before_it_is_told(san: Path, disk: Disk) -> None:
    granted = wish(make_part(san), "out/2026/11/x")
    disk.log.clear()
    assert publish(Shares(san=san), granted, digest, "a") == (PublishResult.PUBLISHED, "")
    made = [path for path in disk.log if path != parts.PART_FOLDER]
    assert made == [".", "out", "out/2026", RENAMED, "out/2026/11"], "each folder in the one that it was made in"
    assert disk.after_rename() == ["out/2026/11", parts.PART_FOLDER], "what is visible before what is gone"


def test_a_rename_that_may_not_be_durable_is_not_told(san: Path, disk: Disk) -> None:
    granted = wish(make_part(san))
    (san / "out").mkdir()
    disk.fails = True
    result, why = publish(Shares(san=san), granted, digest, "a")
    assert (result, os.strerror(errno.EIO) in why) == (PublishResult.TROUBLE, True), "though it is visible"
    assert (san / "out" / "x").exists()
    disk.fails = False
    assert publish(Shares(san=san), granted, digest, "a") == (PublishResult.PUBLISHED, "")
    assert disk.log[-1] == "out"


def test_a_burial_is_durable_before_it_is_told(san: Path, disk: Disk) -> None:
    place, _ = make_part(san)
    (san / parts.GRAVE_FOLDER).mkdir()
    disk.log.clear()
    parts.bury(str(san), place.partition(":")[2])
    assert disk.log == [parts.GRAVE_FOLDER, parts.PART_FOLDER]
