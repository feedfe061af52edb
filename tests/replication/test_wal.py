"""Capture from the WAL: what SQLite left is cross-checked, and every disagreement stops the writer."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fa.replication.connection import open_anchor, open_writer
from fa.replication.errors import WALError
from fa.replication.wal import FRAME_HEADER_SIZE, INDEX_COPY, WAL_HEADER_SIZE, WalCapture
from fa.replication.waltail import transactions

PAGE = 4096
FRAME = FRAME_HEADER_SIZE + PAGE


class Subject:
    """A database with one captured commit, and another one waiting to be captured."""

    def __init__(self, db: Path) -> None:
        self.db = db
        self.connection = open_writer(db)
        self.anchor = open_anchor(db)
        self.capture = WalCapture(db, PAGE, 0)
        self.connection.execute("CREATE TABLE t (a)")
        self.first = self.capture.capture()
        self.connection.execute("INSERT INTO t VALUES (zeroblob(9000))")

    def tamper(self, suffix: str, offset: int, mask: int = 1) -> None:
        """Flip bits of a byte of ``-wal`` or ``-shm`` behind SQLite's back."""
        with open(f"{self.db}{suffix}", "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ mask]))

    def close(self) -> None:
        self.connection.close()
        self.anchor.close()
        self.capture.close()


@pytest.fixture
def subject(fast_home: Path) -> Iterator[Subject]:
    made = Subject(fast_home / "x.db")
    yield made
    made.close()


def test_a_commit_is_captured_with_its_place(subject: Subject) -> None:
    second = subject.capture.capture()
    assert subject.first.offset == WAL_HEADER_SIZE
    assert second.offset == WAL_HEADER_SIZE + subject.first.size
    assert [number for number, _ in second.pages] == [1, 2, 3, 4]
    assert second.commit == 4
    assert (second.salt1, second.salt2) == (subject.first.salt1, subject.first.salt2)
    with pytest.raises(WALError, match="no new frames"):
        subject.capture.capture()


def test_the_page_sums_of_both_readers_agree(subject: Subject) -> None:
    second = subject.capture.capture()
    found = list(transactions(Path(f"{subject.db}-wal"), PAGE, None))
    assert [(c.commit, c.offset, c.size) for c in found] == [
        (c.commit, c.offset, c.size) for c in (subject.first, second)
    ]
    assert [(n, bytes(page)) for n, page in found[1].pages] == [(n, bytes(page)) for n, page in second.pages]


def second_frame(subject: Subject) -> int:
    return WAL_HEADER_SIZE + subject.first.size


TAMPERING: dict[str, tuple[Callable[[Subject], tuple[str, int]], str]] = {
    "salt of a frame": (lambda s: ("-wal", second_frame(s) + 8), "not of the transaction"),
    "commit in the middle": (lambda s: ("-wal", second_frame(s) + 7), "not of the transaction"),
    "no commit at the end": (lambda s: ("-wal", second_frame(s) + 3 * FRAME + 7), "last frame"),
    "checksum of the last frame": (lambda s: ("-wal", second_frame(s) + 3 * FRAME + 16), "last frame"),
    "one copy of the index": (lambda s: ("-shm", 16), "two copies"),
    "the other copy": (lambda s: ("-shm", INDEX_COPY.size + 20), "two copies"),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_every_disagreement_is_noticed(subject: Subject, what: str) -> None:
    place, sentence = TAMPERING[what]
    subject.tamper(*place(subject))
    with pytest.raises(WALError, match=sentence):
        subject.capture.capture()
    subject.tamper(*place(subject))
    subject.capture.capture()


def test_a_log_that_is_too_short_is_noticed(subject: Subject) -> None:
    os.truncate(f"{subject.db}-wal", second_frame(subject) + FRAME)
    with pytest.raises(WALError, match="shorter"):
        subject.capture.capture()


def test_pages_by_which_the_database_grew_must_be_there(fast_home: Path) -> None:
    """Opened again, a log begins anew: the next commit holds what it changed, not the pages 3 to 6 of before."""
    connection = open_writer(fast_home / "y.db")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (zeroblob(20000))")
    connection.close()
    connection = open_writer(fast_home / "y.db")
    capture = WalCapture(fast_home / "y.db", PAGE, 2)
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(WALError, match="page 3 is not in"):
        capture.capture()
    connection.close()
    capture.close()


def test_a_restart_needs_our_own_checkpoint(subject: Subject) -> None:
    subject.capture.capture()
    assert subject.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[0] == 0
    subject.connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(WALError, match="begun anew by somebody else"):
        subject.capture.capture()
    subject.capture.checkpointed()
    assert subject.capture.capture().offset == WAL_HEADER_SIZE


def test_a_restart_is_numbered_on_by_one(subject: Subject) -> None:
    subject.capture.capture()
    subject.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    subject.capture.checkpointed()
    subject.capture._sequence += 1
    subject.connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(WALError, match="begun anew"):
        subject.capture.capture()


def test_the_reader_of_left_over_logs_takes_whole_transactions_only(subject: Subject) -> None:
    wal = Path(f"{subject.db}-wal")
    raw = wal.read_bytes()
    copy = wal.with_name("copy")
    for length, count in [(0, 0), (31, 0), (32, 0), (len(raw) - 1, 1), (second_frame(subject) + 8, 1), (len(raw), 2)]:
        copy.write_bytes(raw[:length])
        assert len(list(transactions(copy, PAGE, None))) == count
    for position in (3, 20, second_frame(subject) + FRAME + 40, second_frame(subject) + FRAME + 17):
        damaged = bytearray(raw)
        damaged[position] ^= 1
        copy.write_bytes(damaged)
        assert len(list(transactions(copy, PAGE, None))) == (0 if position < 32 else 1)
    assert not list(transactions(copy, 8192, None))
    assert not list(transactions(wal.with_name("missing"), PAGE, None))


def test_a_database_with_another_page_size_is_not_opened(fast_home: Path) -> None:
    other = sqlite3.connect(fast_home / "z.db")
    other.execute("PRAGMA page_size = 8192")
    other.execute("CREATE TABLE t (a)")
    other.close()
    with pytest.raises(Exception, match="page_size"):
        open_writer(fast_home / "z.db")
