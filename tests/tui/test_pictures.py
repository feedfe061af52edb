"""The pictures of the README show the dashboard as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.tui import pictures

DOCS = Path(__file__).parents[2] / "docs"


def test_they_are_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pictures", str(tmp_path)])
    pictures.main()
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert drawn == {path.name: path.read_text() for path in DOCS.glob("dashboard-*.svg")}, (
        "python -m tests.tui.pictures docs"
    )
    readme = (DOCS.parent / "README.md").read_text()
    assert [name for name in drawn if f"docs/{name}" not in readme] == []
