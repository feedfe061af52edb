"""Reports of attempts, on disk until the coordinator has carried them out: in `reports/`, one small file each.

Wishes to publish, of which each attempt has one for a few milliseconds, are lines of one journal instead: making and
removing a file each time costs more than all the rest of a report, and makes every new file of that disk dearer.

One effect of the core after the other is carried out here, so nothing is done twice at once."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from fa.core.work import Key, Report
from fa.replication.durable import place, sync_folder, write_all, write_durably

log = logging.getLogger(__name__)

JOURNAL_BYTES = 1 << 20  # from here on it is written anew, without what is over


class ReportShelf:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._kept: set[Key] = set()
        self._journal = Journal(folder / "wishes.journal")

    def keep(self, report: Report) -> None:
        """Durable when it returns. Replaces an earlier report of the same attempt."""
        self._kept.add(report.key)
        write_durably(self._path(report.task, report.attempt), msgspec.json.encode(report))
        self._journal.drop(report.key)

    def jot(self, report: Report) -> None:
        """The same, not fsynced: the death of this process does not lose it, a power cut may for half a minute. For a
        wish to publish, which is answered within milliseconds: without it an encode is done again, and no more."""
        self._journal.jot(report)

    def drop(self, task: int, attempt: int) -> None:
        """Not fsynced: a report that comes back after a crash is told again and refused."""
        self._journal.drop((task, attempt))
        if (task, attempt) in self._kept:
            self._kept.remove((task, attempt))
            self._path(task, attempt).unlink(missing_ok=True)

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
    """Reports that come and go, a line each, in one file. A line that a power cut tore counts for nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = {report.key: _line(report) for report in self._read()}
        self._fd = self._begin()

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
        write_all(self._fd, line)
        if os.lseek(self._fd, 0, os.SEEK_CUR) >= JOURNAL_BYTES:
            os.close(self._fd)
            self._fd = self._begin()

    def _begin(self) -> int:
        """Write what counts into a new file, and go on there."""
        place(self._path, self._lines.values(), sync=False)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

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
    return msgspec.json.encode(report) + b"\n"
