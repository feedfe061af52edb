"""Reports on disk: kept until they were carried out, and no longer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fa.core.model import Output
from fa.core.work import Report, ReportKind
from fa.node import reports
from fa.node.reports import ReportShelf

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
