"""What is known before anything is encoded, and whose fault it is: the task's for ever, this node's view, nobody's.

Encodes themselves are tried by tests/transcode and, with everything around them, by tests/e2e."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from fa.core.commands import Order
from fa.core.model import Cause, Output
from fa.core.work import AttemptFailed, Publish, PublishResult
from fa.node import publish as publish_module
from fa.node import shortage
from fa.node.attempt import Workshop, carry_out
from fa.node.publish import publish
from fa.node.shortage import Shortages, Space
from fa.node.volumes import VolumeFull
from fa.transcode import classify
from fa.transcode.digest import digest
from fa.transcode.perform import EncodeFailure, EncodeRequest

RECIPE = """
name = "copy"
[[products]]
name = "p"
exec = ["hold", "{input}", "{output}"]
destination = "san:out/{job}.txt"
"""
PART = ".fa/part/1-p-1-aa~1~a"


class Mounts:
    """`Volumes` that are all well: each is a folder below one."""

    def __init__(self, folder: Path, full: bool) -> None:
        self._folder = folder
        self._full = full

    def root(self, name: str, *, write: bool = True, room: bool = True) -> str:
        if self._full and write and room:
            raise VolumeFull(f"{name} is full.")
        return str(self._folder / name)

    @contextmanager
    def pinned(self, name: str, **needs: bool) -> Iterator[str]:
        yield self.root(name, **needs)


def made(san: Path, full: bool = False) -> Workshop:
    """Without any tool."""
    mounts, nothing = cast(Any, Mounts(san.parent, full)), cast(Any, None)
    return Workshop(mounts, nothing, nothing, san.parent, san.parent / "scratch", False, {})


def refusing(number: int) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.fixture
def san(tmp_path: Path) -> Path:
    for folder in ("in", ".fa/part", "out"):
        (tmp_path / "san" / folder).mkdir(parents=True)
    return tmp_path / "san"


async def failure(
    san: Path, source: str = "san:in/x.txt", shop: Workshop | None = None, recipe: str = RECIPE
) -> AttemptFailed:
    """Of an attempt that comes to its end before it needs any tool."""
    order = Order(1, 7, 1, "a", 1, "p", source, "san:out/1.txt", "copy", 1, recipe, 50, 1, "cpu", 1)
    ended = await carry_out(shop or made(san), order, lambda running: None)
    assert isinstance(ended, AttemptFailed)
    return ended


async def test_a_source_that_is_not_there_may_be_there_for_others(san: Path) -> None:
    failed = await failure(san)
    assert failed == AttemptFailed(7, 1, failed.error, False, True, Cause.VIEW)
    assert "san:in/x.txt is not there" in failed.error


async def test_what_is_there_and_no_film_is_none_for_anybody(san: Path) -> None:
    (san / "in" / "folder").mkdir()
    (san / "in" / "empty").touch()
    (san / "in" / "link").symlink_to("/etc/passwd")
    for name in ("folder", "empty", "link", "empty/below"):
        failed = await failure(san, f"san:in/{name}")
        assert (failed.permanent, failed.cause) == (True, Cause.OTHER), failed


async def test_a_destination_that_is_taken_is_so_for_all(san: Path) -> None:
    (san / "in" / "x.txt").write_text("film")
    (san / "out" / "1.txt").write_text("mine")
    assert (await failure(san)).permanent


async def test_a_folder_that_is_read_only_here_may_be_writable_elsewhere(
    san: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (san / "in" / "x.txt").write_text("film")
    monkeypatch.setattr(os, "access", lambda *args, **kwargs: False)  # root may do all, whatever the permissions are
    failed = await failure(san)
    assert (failed.permanent, failed.cause) == (False, Cause.VIEW)
    assert "san:out is read-only" in failed.error


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
async def test_a_source_that_may_not_be_read_here(san: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr("fa.node.attempt.open_beneath", refusing(number))
    failed = await failure(san)
    assert (failed.permanent, failed.cause) == (False, Cause.VIEW)
    assert os.strerror(number) in failed.error


@pytest.mark.parametrize(
    ("number", "result"),
    [
        (errno.EACCES, PublishResult.REFUSED),
        (errno.EPERM, PublishResult.REFUSED),
        (errno.EROFS, PublishResult.TROUBLE),
        (errno.ENOSPC, PublishResult.TROUBLE),
        (errno.EXDEV, PublishResult.EXISTS),
    ],
)
def test_a_publish_that_is_refused(
    san: Path, monkeypatch: pytest.MonkeyPatch, number: int, result: PublishResult
) -> None:
    """Where it is said that it can no longer happen, the part is away: nobody publishes it behind our back."""
    monkeypatch.setattr(publish_module, "rename_no_replace", refusing(number))
    (san / PART).write_text("done")
    done = digest(san / PART)
    output = Output("san:out/1.txt", done.bytes, done.sha256)
    granted = Publish(7, 1, f"san:{PART}", output, False, "san:in/x.txt")
    shares = Mounts(san.parent, full=True)  # nothing is written to that volume by it
    found, said = publish(shares, granted, lambda path: (digest(path).bytes, digest(path).sha256), "a")
    assert found is result and os.strerror(number) in said
    assert (san / PART).exists() is (result is PublishResult.TROUBLE)
    assert not (san / "out" / "1.txt").exists()


# --- room ---


async def test_who_found_no_room_does_not_encode_in_vain_again(san: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space(free=40 << 20, total=1 << 30)
    monkeypatch.setattr("fa.node.attempt.space_of", lambda root: space)
    (san / "in" / "x.txt").write_text("film")
    workshop = made(san)
    with monkeypatch.context() as full:
        full.setattr("fa.node.attempt.parts.make_part_folder", refusing(errno.ENOSPC))
        failed = await failure(san, shop=workshop)
    assert failed == AttemptFailed(7, 1, failed.error, False, True, Cause.ROOM)
    assert "Make room" in failed.error
    again = await failure(san, shop=workshop)
    assert (again.permanent, again.cause) == (False, Cause.ROOM)
    assert "40960 KiB" in again.error, "before anything is encoded"
    space = Space(free=50 << 20, total=1 << 30)
    assert "does not allow the program" in (await failure(san, shop=workshop)).error, "it is tried"


async def test_a_full_volume_parks_what_would_write_there(san: Path) -> None:
    (san / "in" / "x.txt").write_text("film")
    workshop = made(san, full=True)
    failed = await failure(san, shop=workshop)
    assert (failed.permanent, failed.cause) == (False, Cause.ROOM)


@pytest.mark.parametrize(
    ("code", "free", "cause"),
    [
        (classify.NO_ROOM, 99 << 20, Cause.ROOM),
        (classify.NO_ROOM, 900 << 20, Cause.OTHER),  # another disk is meant
        (classify.QUOTA, 900 << 20, Cause.ROOM),
        (classify.SURROUNDINGS, 99 << 20, Cause.OTHER),
        ("exec-failed", 10 << 10, Cause.ROOM),  # a tool without words
        ("exec-failed", 99 << 20, Cause.OTHER),
    ],
)
async def test_an_encode_that_found_no_room_is_nobodys_fault(
    san: Path, monkeypatch: pytest.MonkeyPatch, code: str, free: int, cause: Cause
) -> None:
    async def encode(request: EncodeRequest, report: Any) -> EncodeFailure:
        Path(request.output).write_text("half")
        return EncodeFailure(True, code, "it failed")

    monkeypatch.setattr("fa.node.attempt.perform", encode)
    monkeypatch.setattr("fa.node.attempt.space_of", lambda root: Space(free, 1000 << 20))
    (san / "in" / "x.txt").write_text("film")
    failed = await failure(san)
    assert (failed.error, failed.cause, failed.permanent) == ("it failed", cause, cause is Cause.OTHER)
    assert list((san / ".fa" / "part").iterdir()) == []


def test_a_shortage_lasts_until_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(shortage, "monotonic", lambda: now)
    shortages = Shortages()
    shortages.found(7, Space(100 << 20, 10 << 30), quota=False)
    now = 1e9
    assert shortages.lasts(7, Space(100 << 20, 10 << 30))
    assert shortages.lasts(7, Space(105 << 20, 10 << 30)), "a little is nothing"
    assert not shortages.lasts(8, Space(0, 10 << 30)), "each task for itself"
    assert not shortages.lasts(7, Space(120 << 20, 10 << 30))
    assert not shortages.lasts(7, Space(100 << 20, 10 << 30)), "it is tried, and then seen"


@pytest.mark.parametrize(("free", "quota"), [(9 << 30, False), (1 << 20, True)])
def test_where_figures_do_not_show_it_it_is_tried_after_a_while(
    monkeypatch: pytest.MonkeyPatch, free: int, quota: bool
) -> None:
    now = 0.0
    monkeypatch.setattr(shortage, "monotonic", lambda: now)
    shortages = Shortages()
    shortages.found(7, Space(free, 10 << 30), quota)
    now = shortage.ASK_AGAIN - 1
    assert shortages.lasts(7, Space(free, 10 << 30))
    now += 1
    assert not shortages.lasts(7, Space(free, 10 << 30))


def test_old_shortages_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortage, "KEPT", 2)
    shortages, space = Shortages(), Space(1, 1 << 30)
    for task in range(4):
        shortages.found(task, space, quota=False)
    assert [shortages.lasts(task, space) for task in range(4)] == [False, False, True, True]


async def test_a_full_scratch_folder_is_the_nodes_own_trouble(san: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sendfile", refusing(errno.ENOSPC))
    (san / "in" / "x.txt").write_text("film")
    failed = await failure(san, shop=replace(made(san), localise=True))
    assert failed == AttemptFailed(7, 1, failed.error, False, True, Cause.OTHER)
    assert "There is no room in" in failed.error


SLOW = RECIPE.replace('name = "copy"', 'name = "copy"\nlocalise = true\nstall_after = 1', 1)


@pytest.mark.parametrize("first", [0, 3], ids=["at once", "in the middle"])
async def test_a_copy_of_which_no_byte_comes_is_given_up(
    san: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """One file hangs, on tape perhaps, while its volume answers; what hangs in the kernel cannot be ended."""
    released, real = threading.Event(), os.sendfile

    def hangs(to: int, source: int, offset: int, count: int) -> int:
        if offset < first:
            return real(to, source, offset, first)
        released.wait()
        return 0

    monkeypatch.setattr(os, "sendfile", hangs)
    (san / "in" / "x.txt").write_text("a film")
    try:
        async with asyncio.timeout(20):
            failed = await failure(san, recipe=SLOW)
    finally:
        released.set()
    assert failed == AttemptFailed(7, 1, failed.error, False)
    assert "no byte of san:in/x.txt came" in failed.error
    assert list((san.parent / "scratch").iterdir()) == []


async def test_a_copy_that_is_only_slow_is_waited_for(san: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, begun = os.sendfile, time.monotonic()

    def slow(to: int, source: int, offset: int, count: int) -> int:
        time.sleep(0.7)
        return real(to, source, offset, 1)

    monkeypatch.setattr(os, "sendfile", slow)
    (san / "in" / "x.txt").write_text("film")
    failed = await failure(san, recipe=SLOW.replace("stall_after = 1", "stall_after = 2"))
    assert time.monotonic() - begun > 2.5
    assert "does not allow the program" in failed.error, "it is copied"
