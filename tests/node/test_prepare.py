"""What an attempt sees before it encodes: whether it is the right volume, and that its source is safe."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest

from fa.core.commands import Order
from fa.core.model import Cause, Output, Spare
from fa.core.work import AttemptFailed
from fa.node import replacing
from fa.node.attempt import Workshop, carry_out
from tests.node.shares import Shares, digest, make_volume

RECIPE = """
name = "copy"
replace = true
[[products]]
name = "p"
exec = ["hold", "{input}", "{output}"]
destination = "san:out/{job}.txt"
"""
PRESET = RECIPE.replace('exec = ["hold", "{input}", "{output}"]', 'preset = "{0}"')


@pytest.fixture
def san(tmp_path: Path) -> Path:
    made = make_volume(tmp_path / "san")
    (made / "out").mkdir()
    (made / "in" / "x.txt").write_text("x")
    return made


async def failure(
    at: Path, to: str = "san:out/1.txt", recipe: str = RECIPE, spare: Spare | None = None, **mounts: Path
) -> AttemptFailed:
    """Of an attempt that comes to its end before it needs any tool."""
    shares = Shares(san=at, **mounts)
    shop = Workshop(cast(Any, shares), *[cast(Any, None)] * 2, at.parent, at.parent, False, {})
    order = Order(1, 7, 1, "a", 1, "p", "san:in/x.txt", to, "copy", 1, recipe, 50, 1, "cpu", 1, spare)
    ended = await carry_out(shop, order, lambda running: None)
    assert isinstance(ended, AttemptFailed)
    return ended


# --- the right volume ---


async def test_a_volume_that_went_since_the_last_look_is_nobodys_fault_and_gets_nothing(
    san: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    other = make_volume(tmp_path / "other", "san", "another array")
    (other / "in" / "x.txt").write_text("another x")
    empty.mkdir()
    for wrong in (empty, other, tmp_path / "nothing"):
        for failed in (await failure(wrong), await failure(san, to="nas:out/1.txt", nas=wrong)):
            assert (failed.permanent, failed.blame, failed.cause) == (False, False, Cause.OTHER), failed
    assert list(empty.iterdir()) == []
    assert {path.name for path in other.iterdir()} == {".fa", "in"}


# --- no source is ever touched ---


@pytest.mark.parametrize("to", ["san:in/x.txt", "san:in", "san:in/hard", "nas:in/x.txt"])
async def test_a_destination_that_is_the_source_by_any_name(san: Path, tmp_path: Path, to: str) -> None:
    nas = make_volume(tmp_path / "nas", "nas")
    os.link(san / "in" / "x.txt", san / "in" / "hard")
    os.link(san / "in" / "x.txt", nas / "in" / "x.txt")
    failed = await failure(san, to=to, nas=nas)
    assert failed.permanent and "source" in failed.error, failed


@pytest.mark.parametrize(
    ("spare", "words"),
    [
        (None, "There is no tool"),
        (Spare(12), "source of job 12"),
        (Spare(12, Output("san:out/1.txt", 3, "ab")), "There is no tool"),
    ],
)
async def test_the_source_of_another_job_is_known_before_anything_is_encoded(
    san: Path, spare: Spare | None, words: str
) -> None:
    """Where fa delivered something, what stands there is read only when it is to be replaced."""
    (san / "out" / "1.txt").write_text("old")
    failed = await failure(san, spare=spare)
    assert words in failed.error and failed.permanent is ("source" in words), failed


async def test_a_source_that_was_moved_away_is_no_hindrance(san: Path) -> None:
    assert "There is no tool" in (await failure(san, spare=Spare(12))).error


@pytest.mark.parametrize(
    ("preset", "standing", "words"),
    [
        ("h264-mp4", "file", ""),
        ("h264-mp4", "delivered", "never replaces"),
        ("hls-ladder", "file", "never replaces"),
        ("hls-ladder", "delivered", ""),
        ("hls-ladder", "folder", "not replaced"),
        ("hls-ladder", "link", "neither a file nor a folder"),
    ],
)
async def test_what_cannot_be_replaced_is_known_before_it_is_encoded(
    san: Path, preset: str, standing: str, words: str
) -> None:
    at = san / "out" / "1.txt"
    if standing == "file":
        at.write_text("old")
    elif standing == "link":
        at.symlink_to("../in/x.txt")
    else:
        at.mkdir()
    if standing == "delivered":
        replacing.note_delivery(str(san), "out/1.txt", digest(at)[1])
    failed = await failure(san, recipe=PRESET.replace("{0}", preset))
    assert failed.permanent is bool(words) and (words or "There is no tool") in failed.error, failed


# --- a cancel ---


class Slow(Shares):
    """The share of the destination answers when the test says so."""

    def __init__(self, san: Path) -> None:
        super().__init__(san=san)
        self.asked, self.answers = threading.Event(), threading.Event()

    @contextmanager
    def pinned(self, name: str, **needs: bool) -> Iterator[str]:
        with super().pinned(name, **needs) as root:
            if needs.get("write", True):
                self.asked.set()
                assert self.answers.wait(10)
            yield root


def opened(san: Path) -> list[str]:
    """What of the volume this process has open."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return [path for path in found if path.startswith(str(san))]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancel_while_a_volume_is_slow_leaves_nothing_open(san: Path, fails: bool) -> None:
    shares = Slow(san)
    shop = Workshop(cast(Any, shares), *[cast(Any, None)] * 2, san.parent, san.parent, True, {})
    to = "san:in/x.txt" if fails else "san:out/1.txt"
    order = Order(1, 7, 1, "a", 1, "p", "san:in/x.txt", to, "copy", 1, RECIPE, 50, 1, "cpu", 1)
    attempt = asyncio.create_task(carry_out(shop, order, lambda running: None))
    assert await asyncio.to_thread(shares.asked.wait, 10)
    assert str(san / "in" / "x.txt") in opened(san)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    shares.answers.set()
    async with asyncio.timeout(10):
        while opened(san):
            await asyncio.sleep(0.01)
