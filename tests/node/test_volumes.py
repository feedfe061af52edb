"""What a look at a volume finds, and who may use one in which state."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fa.core.model import NodeView
from fa.core.work import Offer, VolumeHealth
from fa.node import volume_probe, volumes
from fa.node.volume_probe import adopt, look
from fa.node.volumes import CRUMBS_BYTES, VolumeFull, VolumeGone, Volumes
from fa.node.wire import decode, encode

ARRAY = "0f3a9c11-0000-4000-8000-000000000001"
GIB = 1 << 30


@pytest.fixture
def san(tmp_path: Path) -> str:
    root = tmp_path / "san"
    root.mkdir()
    assert adopt(str(root), ARRAY, "san") == ""
    return str(root)


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "read-only"),
        (errno.ESTALE, "disconnected"),
    ],
)
def test_what_a_write_that_is_refused_says(san: str, monkeypatch: pytest.MonkeyPatch, number: int, state: str) -> None:
    def refuse(root: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(volume_probe, "_write_a_little", refuse)
    found = look(san, ARRAY, "san")
    assert (found["state"], found["free"] > 0, found["total"] > 0) == (state, True, True)
    assert ("Make room" in found["why"]) is (state == "full")


def test_what_is_foreign_is_not_written_to(san: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where it is full: it is not ours to fill."""
    Path(san, volume_probe.IDENTITY).write_text(json.dumps({"array_id": "another", "volume": "san"}))
    monkeypatch.setattr(volume_probe, "_write_a_little", lambda root: pytest.fail("it was written to"))
    assert look(san, ARRAY, "san")["state"] == "foreign"


def test_a_file_server_may_say_any_number_of_what_is_free(san: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than nothing without its sign, where a quota is exceeded. What no link takes ends the node that says it."""
    told = SimpleNamespace(f_bavail=2**64 - 7, f_blocks=2**62, f_frsize=1 << 20)
    monkeypatch.setattr(volume_probe, "os", SimpleNamespace(**vars(os) | {"statvfs": lambda root: told}))
    found = look(san, ARRAY, "san")
    health = VolumeHealth("san", san, found["state"], found["why"], found["free"], found["total"])
    view = NodeView("b", (("cpu", 1),))
    assert decode(encode(Offer(1, view, "https://b:7750", "0.1.0", (health,))))[0].volumes == (health,)


class Looks:
    """What the helper of one volume is to answer; `told` counts the changes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: str) -> None:
        self.answer: Mapping[str, Any] = {"state": "healthy", "why": "", "free": 500 * GIB, "total": 1000 * GIB}
        self.asked = asyncio.Event()
        self.told = 0
        self.volumes = Volumes("a", ARRAY, {"san": root}, timeout=1.0)
        monkeypatch.setattr(volumes, "_look", self._look)
        monkeypatch.setattr(volumes, "PERIOD", 0.0)

    async def _look(self, prober: Any, timeout: float) -> Mapping[str, Any]:
        self.asked.set()
        return self.answer

    def changed(self) -> None:
        self.told += 1

    async def see(self, free: int = 500 * GIB, **answer: Any) -> str:
        """The state once this was seen."""
        self.answer = {"state": "healthy", "why": "", "free": free, "total": 1000 * GIB} | answer
        for _ in range(2):
            self.asked.clear()
            await self.asked.wait()
        return self.volumes.status()[0].state


@pytest.fixture
async def looks(monkeypatch: pytest.MonkeyPatch, san: str) -> Any:
    looks = Looks(monkeypatch, san)
    await looks.volumes.start(looks.changed)
    yield looks
    await looks.volumes.stop()


async def test_a_volume_with_crumbs_only_is_full_until_there_is_twice_as_much(looks: Looks) -> None:
    assert await looks.see(CRUMBS_BYTES) == "healthy"
    assert await looks.see(CRUMBS_BYTES - 1) == "full"
    told = looks.told
    assert await looks.see(CRUMBS_BYTES + 1) == "full"
    assert looks.told == told, "what people read is the same"
    assert await looks.see(2 * CRUMBS_BYTES) == "healthy"
    assert await looks.see(500, total=1_000_000) == "full", "of a small one, a thousandth"


async def test_from_a_full_volume_things_can_be_removed_and_read(looks: Looks, san: str) -> None:
    assert await looks.see(state="full", why="no room") == "full"
    assert looks.volumes.root("san", write=False) == looks.volumes.root("san", room=False) == san
    with pytest.raises(VolumeFull, match="is full: no room"):
        looks.volumes.root("san")
    assert await looks.see() == "healthy"
    assert looks.volumes.root("san") == san


async def test_from_one_that_is_read_only_nothing_can_be_removed(looks: Looks, san: str) -> None:
    await looks.see(state="read-only", why="no")
    assert looks.volumes.root("san", write=False) == san
    for room in (True, False):
        with pytest.raises(VolumeGone, match="read-only"):
            looks.volumes.root("san", room=room)
