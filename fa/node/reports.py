"""Reports of attempts, on disk until the coordinator has carried them out: one small file each in `reports/`."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from fa.core.work import Report
from fa.replication.durable import sync_folder, write_durably

log = logging.getLogger(__name__)


class ReportShelf:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, report: Report) -> None:
        """Durable when it returns. Replaces an earlier report of the same attempt."""
        write_durably(self._path(report.task, report.attempt), msgspec.json.encode(report))

    def drop(self, task: int, attempt: int) -> None:
        """Not fsynced: a report that comes back after a crash is told again and refused."""
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
        return tuple(reports)

    def _path(self, task: int, attempt: int) -> Path:
        return self._folder / f"{task}-{attempt}.json"
