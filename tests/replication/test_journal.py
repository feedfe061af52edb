"""The journal of received segments: what was appended is read back, and nothing else ever is."""

from __future__ import annotations

from pathlib import Path

import pytest

from fa.replication import journal as journal_module
from fa.replication.journal import Journal


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of 64 kB, 16 records at most."""
    monkeypatch.setattr(journal_module, "CAPACITY", 65536)
    monkeypatch.setattr(journal_module, "FIRST_SIZE", 8192)
    return tmp_path / "journal"


def messages(path: Path) -> list[bytes]:
    journal = Journal(path)
    found = list(journal.messages())
    journal.close()
    return found


def test_what_was_appended_is_there_after_a_crash(path: Path) -> None:
    journal = Journal(path)
    assert not path.exists(), "nothing is made before it is needed"
    sent = [bytes([n]) * (n * 700) for n in range(1, 10)]
    journal.append(sent[:4])
    for message in sent[4:]:
        journal.append([message])
    assert messages(path) == sent
    again = Journal(path)
    again.append([b"and on"])
    assert messages(path) == [*sent, b"and on"]


def test_it_fills_and_begins_anew_and_old_records_do_not_count(path: Path) -> None:
    journal = Journal(path)
    for _ in range(16):
        assert journal.fits([bytes(4000)])
        journal.append([b"old" * 1000])
    assert not journal.fits([b"x"])
    journal.restart()
    assert messages(path) == [b"old" * 1000] * 16, "until the first new record the old ones are still good"
    journal.append([b"new"])
    assert messages(path) == [b"new"]
    assert not journal.fits([bytes(65536)])


def test_cleared_it_gives_nothing_back(path: Path) -> None:
    journal = Journal(path)
    journal.clear()
    journal.append([b"one"])
    journal.append([b"two"])
    journal.clear()
    assert messages(path) == []
    journal.append([b"three"])
    assert messages(path) == [b"three"]


def test_records_of_before_a_clear_do_not_line_up_with_new_ones(path: Path) -> None:
    journal = Journal(path)
    for text in (b"one", b"two", b"three"):
        journal.append([text])
    journal.clear()
    journal.close()
    again = Journal(path)
    again.append([b"new"])
    assert messages(path) == [b"new"]


@pytest.mark.parametrize("position", [0, 5, 9, 17, 24, 4096, 4096 + 30])
def test_a_torn_record_ends_it(path: Path, position: int) -> None:
    journal = Journal(path)
    for text in (b"one", b"two" * 30, b"three"):
        journal.append([text])
    raw = bytearray(path.read_bytes())
    raw[position] ^= 1
    path.write_bytes(raw)
    assert messages(path) == ([] if position < 4096 else [b"one"])
