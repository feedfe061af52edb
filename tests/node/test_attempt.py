"""What is known before anything is encoded, and whose fault it is: the task's for ever, this node's view, nobody's.

Encodes themselves are tried by tests/transcode and, with everything around them, by tests/e2e."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, cast

import pytest

from fa.core.commands import Order
from fa.core.model import Cause, Output
from fa.core.work import AttemptFailed, PublishResult
from fa.node import publish as publish_module
from fa.node.attempt import Workshop, carry_out
from fa.node.publish import publish
from fa.transcode.digest import digest

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

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def root(self, name: str, *, write: bool = True) -> str:
        return str(self._folder / name)


@pytest.fixture
def san(tmp_path: Path) -> Path:
    for folder in ("in", ".fa/part", "out"):
        (tmp_path / "san" / folder).mkdir(parents=True)
    return tmp_path / "san"


async def failure(san: Path, source: str = "san:in/x.txt") -> AttemptFailed:
    """Of an attempt that comes to its end before it needs any tool."""
    shop = Workshop(cast(Any, Mounts(san.parent)), *[cast(Any, None)] * 2, san.parent, san.parent, False, {})
    order = Order(1, 7, 1, "a", 1, "p", source, "san:out/1.txt", "copy", 1, RECIPE, 50, 1, "cpu", 1)
    ended = await carry_out(shop, order, lambda running: None)
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
    (san / "out" / "1.txt").write_text("mine")
    assert (await failure(san)).permanent


async def test_a_folder_that_is_read_only_here_may_be_writable_elsewhere(
    san: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *args, **kwargs: False)  # root may do all, whatever the permissions are
    failed = await failure(san)
    assert (failed.permanent, failed.cause) == (False, Cause.VIEW)
    assert "san:out is read-only" in failed.error


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
async def test_a_source_that_may_not_be_read_here(san: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*args: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fa.node.attempt.open_beneath", refuse)
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

    def refuse(*args: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(publish_module, "rename_no_replace", refuse)
    (san / PART).write_text("done")
    made = digest(san / PART)
    output = Output("san:out/1.txt", made.bytes, made.sha256)
    found, said = publish(str(san), PART, output, False, lambda path: (digest(path).bytes, digest(path).sha256))
    assert found is result and os.strerror(number) in said
    assert (san / PART).exists() is (result is PublishResult.TROUBLE)
    assert not (san / "out" / "1.txt").exists()
