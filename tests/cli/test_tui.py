"""`fa tui` looks at the terminal before it loads anything, and hands the options over."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from fa.cli import tui
from fa.cli.main import main


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    got: dict[str, Any] = {}

    class App:
        @staticmethod
        def run(target: Any, **options: Any) -> int:
            got.update(options, target=target)
            return 0

    monkeypatch.setitem(sys.modules, "fa.tui.app", App)  # type: ignore[arg-type]
    monkeypatch.setattr(tui.os, "isatty", lambda number: True)
    monkeypatch.setenv("TERM", "xterm")
    return got


def test_options(started: dict[str, Any]) -> None:
    assert main(["tui", "--dir", "/srv/a", "--readonly", "--no-mouse", "--refresh", "500ms", "--no-color"]) == 0
    assert started["target"].socket == "/srv/a/fa.sock"
    del started["target"]
    assert started == {
        "readonly": True, "ascii": False, "mouse": False, "refresh_seconds": 0.5, "theme": "", "colour": False,
    }  # fmt: skip
    assert main(["tui", "--ascii"]) == 0
    assert (started["mouse"], started["colour"], started["ascii"]) == (None, True, True)


@pytest.mark.parametrize("term", ["dumb", "", None])
def test_no_terminal(term: str | None, started: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if term is None:
        monkeypatch.setattr(tui.os, "isatty", lambda number: number == 0)
    else:
        monkeypatch.setenv("TERM", term)
    assert main(["tui"]) == 1
    assert not started


def test_no_terminal_says_what_to_use(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert main(["tui"]) == 1
    assert "fa status --watch" in capsys.readouterr().err
