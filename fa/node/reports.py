"""Reports of attempts, on disk until the coordinator has carried them out: in `reports/`, one small file each.

Wishes to publish, of which each attempt has one for a few milliseconds, are lines of one journal instead: making and
removing a file each time costs more than all the rest of a report, and makes every new file of that disk dearer.

A full disk ends nothing. What found no room stays in memory, and is written when there is some. Nothing unsafe follows
from that: what is decided is in the store of the coordinator, and the worker repeats a report until it is there. These
files only remember it over a crash. Without them a failed attempt is missed, a wish leaves a part that is swept, and
both are done again; what could not be published was granted, and is granted again until somebody looked at the volume.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import msgspec

from fa.core import array_events as av
from fa.core import work as w
from fa.core.work import Key, Report, ReportKind
from fa.node.as_json import encode
from fa.node.disk import is_full
from fa.replication.durable import place, sync_folder, write_all, write_durably

log = logging.getLogger(__name__)

JOURNAL_BYTES = 1 << 20  # from here on it is written anew, without what is over
AGAIN_AFTER = 2.0  # seconds until what found no room is tried again


class ReportDesk:
    """Carries out what the worker asks of the shelf. One thing after the other, also between `run` and the runtime."""

    def __init__(
        self, shelf: ReportShelf, disk: Executor, met_full: Callable[[], None], post: Callable[[Any], None]
    ) -> None:
        self._shelf = shelf
        self._disk = disk
        self._met_full = met_full
        self._post = post
        self._one = asyncio.Lock()

    def all(self) -> tuple[Report, ...]:
        return self._shelf.all()

    async def keep(self, effect: w.KeepReport) -> None:
        async with self._one:
            try:
                if effect.report.kind is ReportKind.WANTS_PUBLISH:
                    self._shelf.jot(effect.report)
                else:
                    await self._in_thread(self._shelf.keep, effect.report)
            except OSError as error:
                self._bear(error)

    async def drop(self, effect: w.DropReport) -> None:
        async with self._one:
            try:
                self._shelf.drop(effect.task, effect.attempt)
            except OSError as error:
                self._bear(error)

    async def run(self) -> None:
        """Until cancelled: write what found no room. An error ends the node, as it does above."""
        while True:
            await asyncio.sleep(AGAIN_AFTER)
            async with self._one:  # what is being written at this moment is not behind
                if not self._shelf.behind:
                    continue
                try:
                    await self._in_thread(self._shelf.catch_up)
                    log.info("there is room for reports again: all are written")
                except OSError as error:
                    if not is_full(error):
                        self._post(av.StoreFailed(str(error)))

    def _bear(self, error: OSError) -> None:
        if not is_full(error):
            raise error
        log.warning("a report stays in memory until there is room for it: %s", error)
        self._met_full()

    async def _in_thread(self, act: Callable[..., None], *words: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._disk, act, *words)


class ReportShelf:
    """Raises `OSError`; after one of a full disk it is `behind` until `catch_up` found room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._kept: set[Key] = set()
        self._unwritten: dict[Key, Report] = {}
        self._journal = Journal(folder / "wishes.journal")

    def keep(self, report: Report) -> None:
        """Durable when it returns. Replaces an earlier report of the same attempt."""
        self._kept.add(report.key)
        self._unwritten[report.key] = report
        write_durably(self._path(report.task, report.attempt), encode(report))
        del self._unwritten[report.key]
        self._journal.drop(report.key)

    def jot(self, report: Report) -> None:
        """The same, not fsynced: the death of this process does not lose it, a power cut may for half a minute. For a
        wish to publish, which is answered within milliseconds: without it an encode is done again, and no more."""
        self._journal.jot(report)

    def drop(self, task: int, attempt: int) -> None:
        """Not fsynced: a report that comes back after a crash is told again and refused."""
        key = (task, attempt)
        self._unwritten.pop(key, None)
        if key in self._kept:
            self._path(task, attempt).unlink(missing_ok=True)
            self._kept.remove(key)
        self._journal.drop(key)

    @property
    def behind(self) -> bool:
        """Whether something is in memory only."""
        return bool(self._unwritten) or self._journal.behind

    def catch_up(self) -> None:
        for report in list(self._unwritten.values()):
            self.keep(report)
        if self._journal.behind:
            self._journal.renew()

    def all(self) -> tuple[Report, ...]:
        """What was left at the last stop, wishes last; a file that a crash tore is put aside with a warning."""
        reports = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                reports.append(msgspec.json.decode(path.read_bytes(), type=Report))
            except msgspec.DecodeError as error:
                log.warning("the report %s cannot be read (%s); it is put aside", path.name, error)
                path.rename(path.with_suffix(".damaged"))
                sync_folder(self._folder)
        self._kept.update(report.key for report in reports)
        return (*reports, *(wish for wish in self._journal.all() if wish.key not in self._kept))

    def _path(self, task: int, attempt: int) -> Path:
        return self._folder / f"{task}-{attempt}.json"


class Journal:
    """Reports that come and go, a line each, in one file. A line that a power cut tore counts for nothing.

    `behind`: it has to be written anew; a line that found no room may be there by half, and would spoil the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = {report.key: _line(report) for report in self._read()}
        self._fd: int | None = None
        self.behind = True
        try:
            self.renew()
        except OSError as error:
            if not is_full(error):
                raise

    def all(self) -> list[Report]:
        return [msgspec.json.decode(line, type=Report) for line in self._lines.values()]

    def jot(self, report: Report) -> None:
        self._lines[report.key] = line = _line(report)
        self._write(line)

    def drop(self, key: Key) -> None:
        if self._lines.pop(key, None) is not None:
            self._write(b"%d %d\n" % key)

    def _write(self, line: bytes) -> None:
        """Files that are open for appending tell where they end."""
        if self._fd is not None and not self.behind:
            self.behind = True
            write_all(self._fd, line)
            self.behind = os.lseek(self._fd, 0, os.SEEK_CUR) >= JOURNAL_BYTES
        if self.behind:
            self.renew()

    def renew(self) -> None:
        """Write what counts into a new file, and go on there."""
        place(self._path, self._lines.values(), sync=False)
        old, self._fd = self._fd, os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self.behind = False
        if old is not None:
            os.close(old)

    def _read(self) -> list[Report]:
        reports: dict[Key, Report] = {}
        for line in self._path.read_bytes().splitlines() if self._path.exists() else ():
            try:
                if line.startswith(b"{"):
                    report = msgspec.json.decode(line, type=Report)
                    reports[report.key] = report
                else:
                    task, attempt = map(int, line.split())
                    reports.pop((task, attempt), None)
            except ValueError as error:  # that of msgspec is one as well
                log.warning("a line of %s cannot be read (%s)", self._path.name, error)
        return list(reports.values())


def _line(report: Report) -> bytes:
    return encode(report) + b"\n"
