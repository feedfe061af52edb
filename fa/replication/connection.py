"""The one write connection, and what to make of SQLite's errors."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from fa.replication.errors import WriterError
from fa.replication.state import PAGE_SIZE

CACHE_KIB = 64 * 1024
PRAGMAS = (
    f"page_size = {PAGE_SIZE}",
    "auto_vacuum = NONE",
    "journal_mode = WAL",
    "synchronous = FULL",  # an acknowledged write survives a power cut (SAFETY.md section 4)
    "wal_autocheckpoint = 0",  # only we checkpoint, never past the acknowledged position
    "cache_spill = OFF",  # SQLite's spill-and-rollback bug loses commits (REPLICATION.md section 5, pitfall 1)
    f"cache_size = -{CACHE_KIB}",
    "temp_store = MEMORY",
    "foreign_keys = ON",
    "trusted_schema = OFF",
)
POSITION_TABLE = """
CREATE TABLE IF NOT EXISTS position (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    txid  INTEGER NOT NULL,
    epoch INTEGER NOT NULL
) STRICT
"""
"""One row, updated by every group commit: it tells a reader which position its snapshot contains."""
SET_POSITION = "INSERT INTO position VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE SET txid = ?1, epoch = ?2"

_FATAL = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PROTOCOL})


def open_writer(db_path: Path) -> sqlite3.Connection:
    """The write connection. Raises ``WriterError`` when the file has another page size or cannot use a WAL."""
    connection = sqlite3.connect(db_path, isolation_level=None, cached_statements=512)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").fetchall()
    facts = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "page_size")}
    if facts != {"journal_mode": "wal", "page_size": PAGE_SIZE}:
        connection.close()
        raise WriterError(f"The store cannot be opened for writing: SQLite answers {facts}.")
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # makes SQLite open -wal and -shm
    return connection


def open_anchor(db_path: Path) -> sqlite3.Connection:
    """A second, read-only connection: while it is open, closing the writer does not checkpoint, nor can it itself.

    SQLite's last connection copies the whole WAL into the database when it closes, un-acknowledged commits included;
    a read-only one cannot. (Python 3.11 cannot set SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE.)
    """
    anchor = sqlite3.connect(f"{db_path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    anchor.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    return anchor


def is_full(trouble: BaseException) -> bool:
    """Whether SQLite ran out of disk space."""
    return _primary_code(trouble) == sqlite3.SQLITE_FULL


def finds_no_room(trouble: BaseException) -> bool:
    """Whether there was no room on the disk, or in a quota, for what SQLite or this program wanted to write."""
    if isinstance(trouble, OSError):
        return trouble.errno in (errno.ENOSPC, errno.EDQUOT)
    return is_full(trouble)


def is_fatal(trouble: BaseException) -> bool:
    """Whether SQLite said that the disk or the file is broken; the writer never goes on after that."""
    return _primary_code(trouble) in _FATAL


def is_rotten(trouble: BaseException) -> bool:
    """Whether SQLite found that the file makes no sense."""
    return _primary_code(trouble) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _primary_code(trouble: BaseException) -> int:
    return getattr(trouble, "sqlite_errorcode", 0) & 0xFF if isinstance(trouble, sqlite3.Error) else 0
