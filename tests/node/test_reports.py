"""Reports on disk: kept until they were carried out, and no longer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fa.core.model import Output
from fa.core.work import Report, ReportKind
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
    shelf.jot(WISH)
    (tmp_path / "2-1.json").write_bytes(b"")
    shelf.keep(FAILED)
    assert ReportShelf(tmp_path).all() == (FAILED,)
    assert (tmp_path / "2-1.damaged").exists()
