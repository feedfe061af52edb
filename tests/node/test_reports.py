"""Reports on disk: kept until they were carried out, and no longer."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fa.core import array_events as av
from fa.core import work as w
from fa.core.model import Output
from fa.core.work import Report, ReportKind
from fa.node import reports
from fa.node.reports import ReportDesk, ReportShelf

FAILED = Report("b", 1, 1, ReportKind.FAILED, error="it died")
WISH = Report("b", 2, 1, ReportKind.WANTS_PUBLISH, part="san:.fa/part/x", output=Output("san:out/x", 5, "ab"))


def test_what_is_kept_comes_back_until_it_is_dropped(tmp_path: Path) -> None:
    shelf = ReportShelf(tmp_path / "reports")
    shelf.keep(FAILED)
    shelf.jot(WISH)
    shelf.jot(replace(WISH, part="san:.fa/part/y"))
    again = ReportShelf(tmp_path / "reports")
    assert again.all() == (FAILED, replace(WISH, part="san:.fa/part/y"))
    again.drop(2, 1)
    again.drop(2, 1)
    again.drop(7, 7)
    assert ReportShelf(tmp_path / "reports").all() == (FAILED,)


def test_an_error_may_name_a_file_whose_name_is_no_utf_8(tmp_path: Path) -> None:
    """What raises here ends the node, and each that is given the task after it."""
    shelf = ReportShelf(tmp_path)
    shelf.keep(replace(FAILED, error="The source san:in/\udcff.mxf is not there."))
    shelf.jot(replace(WISH, error="\udcff"))
    first, second = ReportShelf(tmp_path).all()
    assert (first.error, second.error) == ("The source san:in/\\xff.mxf is not there.", "\\xff")


def test_a_torn_one_is_put_aside(tmp_path: Path) -> None:
    """As a power cut may leave it."""
    shelf = ReportShelf(tmp_path)
    shelf.keep(replace(FAILED, task=2))
    (tmp_path / "2-1.json").write_bytes(b"")
    shelf.keep(FAILED)
    assert ReportShelf(tmp_path).all() == (FAILED,)
    assert (tmp_path / "2-1.damaged").exists()


def test_what_became_of_a_wish_replaces_it(tmp_path: Path) -> None:
    shelf = ReportShelf(tmp_path)
    shelf.jot(WISH)
    unsettled = replace(WISH, kind=ReportKind.UNSETTLED, part="", output=None)
    shelf.keep(unsettled)
    assert ReportShelf(tmp_path).all() == (unsettled,)


def test_a_torn_line_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ReportShelf(tmp_path).jot(WISH)
    journal = tmp_path / "wishes.journal"
    journal.write_bytes(b"\0\0\n" + journal.read_bytes() + journal.read_bytes()[:40])
    assert ReportShelf(tmp_path).all() == (WISH,)
    assert caplog.text.count("cannot be read") == 2
    assert journal.read_bytes().count(b"\n") == 1, "what counts was written anew"


def test_the_journal_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "JOURNAL_BYTES", 2000)
    shelf = ReportShelf(tmp_path)
    shelf.jot(WISH)
    for task in range(3, 100):
        shelf.jot(replace(WISH, task=task))
        shelf.drop(task, 1)
        assert (tmp_path / "wishes.journal").stat().st_size < 2000
    assert ReportShelf(tmp_path).all() == (WISH,)


# --- a full disk ---


@dataclass
class Disk:
    """The disk of a folder, with an error for whoever writes to it, after half of what is written."""

    folder: Path
    number: int = 0

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.number and os.readlink(f"/proc/self/fd/{fd}").startswith(str(self.folder)):
            WRITE(fd, memoryview(data)[: len(data) // 2])
            raise OSError(self.number, os.strerror(self.number))
        return WRITE(fd, data)


WRITE = os.write
UNSETTLED = replace(WISH, task=3, kind=ReportKind.UNSETTLED, part="", output=None)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk(tmp_path)
    monkeypatch.setattr(os, "write", made.write)
    monkeypatch.setattr(reports, "AGAIN_AFTER", 0.01)
    return made


class Desk:
    """A desk, whom it told, and what a next life would find."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.met_full = 0
        self.posted: list[Any] = []
        self._thread = ThreadPoolExecutor(1)
        self._desk = ReportDesk(ReportShelf(folder), self._thread, self._is_full, self.posted.append)
        self._task = asyncio.create_task(self._desk.run())

    def _is_full(self) -> None:
        self.met_full += 1

    async def keep(self, *reports: Report) -> None:
        for report in reports:
            await self._desk.keep(w.KeepReport(report))

    async def drop(self, report: Report) -> None:
        await self._desk.drop(w.DropReport(report.task, report.attempt))

    def next_life(self) -> tuple[Report, ...]:
        """As after kill -9: of a copy, as it is set right there."""
        copy = self._folder.parent / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._folder, copy)
        return ReportShelf(copy).all()

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path / "reports")
    yield made
    await made.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_what_finds_no_room_is_written_when_there_is_some(disk: Disk, desk: Desk, number: int) -> None:
    await desk.keep(replace(WISH, task=9))
    disk.number = number
    await desk.keep(FAILED, UNSETTLED, WISH)
    assert desk.met_full == 3, "the watch over the disk makes room"
    assert desk.next_life() == (replace(WISH, task=9),)
    disk.number = 0
    await desk.until(lambda: desk.next_life() == (FAILED, UNSETTLED, replace(WISH, task=9), WISH))


async def test_what_is_over_before_there_is_room_is_never_written(disk: Disk, desk: Desk) -> None:
    await desk.keep(WISH)
    disk.number = errno.ENOSPC
    await desk.keep(FAILED, UNSETTLED)
    await desk.drop(FAILED)
    await desk.drop(WISH)
    disk.number = 0
    await desk.until(lambda: desk.next_life() == (UNSETTLED,))


async def test_what_became_of_it_meanwhile_is_what_is_written(disk: Disk, desk: Desk) -> None:
    await desk.keep(WISH)
    disk.number = errno.ENOSPC
    await desk.keep(replace(UNSETTLED, task=WISH.task), replace(UNSETTLED, task=WISH.task, error="again"))
    disk.number = 0
    await desk.until(lambda: desk.next_life() == (replace(UNSETTLED, task=WISH.task, error="again"),))


async def test_one_that_is_being_written_is_not_behind(
    disk: Disk, desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing lacked room: nobody is told that there is some again."""
    caplog.set_level(logging.INFO)
    written, write = threading.Event(), reports.write_durably

    def slow(path: Path, data: bytes) -> None:
        written.wait(0.2)  # time enough for the desk to look
        write(path, data)

    monkeypatch.setattr(reports, "write_durably", slow)
    await desk.keep(FAILED)
    await desk.keep(UNSETTLED)  # behind whatever the desk began meanwhile
    assert not caplog.records


async def test_another_error_ends_the_node(disk: Disk, desk: Desk) -> None:
    disk.number = errno.EIO
    for report in (FAILED, WISH):
        with pytest.raises(OSError, match="Input/output"):
            await desk.keep(report)
    assert desk.met_full == 0


async def test_a_disk_that_fails_while_it_is_written_later(disk: Disk, desk: Desk) -> None:
    disk.number = errno.ENOSPC
    await desk.keep(FAILED)
    disk.number = errno.EIO
    await desk.until(lambda: desk.posted)
    assert isinstance(desk.posted[0], av.StoreFailed)


def test_half_a_line_does_not_spoil_the_next(tmp_path: Path, disk: Disk) -> None:
    shelf = ReportShelf(tmp_path / "reports")
    disk.number = errno.ENOSPC
    with pytest.raises(OSError, match="No space"):
        shelf.jot(WISH)
    disk.number = 0
    shelf.jot(replace(WISH, task=4))
    assert ReportShelf(tmp_path / "reports").all() == (WISH, replace(WISH, task=4))


def test_a_journal_that_finds_no_room_to_be_written_anew(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it has grown nor at the start of a node."""
    shelf = ReportShelf(tmp_path / "reports")
    shelf.jot(WISH)
    disk.number = errno.ENOSPC
    again = ReportShelf(tmp_path / "reports")
    assert again.all() == (WISH,)
    disk.number = 0
    monkeypatch.setattr(reports, "JOURNAL_BYTES", 1)
    monkeypatch.setattr("fa.node.reports.place", _no_room)
    for each in (shelf, shelf, again):
        with pytest.raises(OSError, match="No space"):
            each.jot(replace(WISH, task=4))
    monkeypatch.undo()
    for each in (shelf, again):
        each.jot(replace(WISH, task=5))
        assert ReportShelf(tmp_path / "reports").all() == tuple(replace(WISH, task=task) for task in (2, 4, 5))


def _no_room(*args: Any, **kwargs: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
