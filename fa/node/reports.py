"""Reports of attempts, on disk until the coordinator has carried them out: one small file each in `reports/`."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from fa.core.work import Key, Report
from fa.replication.durable import place, sync_folder, write_durably

log = logging.getLogger(__name__)


class ReportShelf:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._kept: set[Key] = set()

    def keep(self, report: Report) -> None:
        """Durable when it returns. Replaces an earlier report of the same attempt."""
        self._kept.add(report.key)
        write_durably(self._path(report.task, report.attempt), msgspec.json.encode(report))

    def jot(self, report: Report) -> None:
        """The same, not fsynced: the death of this process does not lose it, a power cut may for half a minute. For a
        wish to publish, which is answered within milliseconds: without it an encode is done again, and no more."""
        self._kept.add(report.key)
        place(self._path(report.task, report.attempt), [msgspec.json.encode(report)], sync=False)

    def drop(self, task: int, attempt: int) -> None:
        """Not fsynced: a report that comes back after a crash is told again and refused."""
        if (task, attempt) in self._kept:
            self._kept.remove((task, attempt))
            self._path(task, attempt).unlink(missing_ok=True)

    def all(self) -> tuple[Report, ...]:
        """What was left at the last stop; a file that a crash tore is put aside with a warning."""
        reports = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                reports.append(msgspec.json.decode(path.read_bytes(), type=Report))
            except msgspec.DecodeError as error:
                log.warning("the report %s cannot be read (%s); it is put aside", path.name, error)
                path.rename(path.with_suffix(".damaged"))
                sync_folder(self._folder)
        self._kept.update(report.key for report in reports)
        return tuple(reports)

    def _path(self, task: int, attempt: int) -> Path:
        return self._folder / f"{task}-{attempt}.json"
