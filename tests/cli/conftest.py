"""A command line over a fake array."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fa.cli.main import main
from tests.client.fake import FakeArray, on_socket


@dataclass
class Done:
    code: int
    out: str
    err: str


class Line:
    """Runs `fa` in this process against ``array``."""

    def __init__(self, array: FakeArray, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.array = array
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def on_terminal(self, *words: str) -> str:
        """What `fa` shows on a terminal of 80 columns."""
        screen = Terminal()
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            patch.setenv("COLUMNS", "80")
            patch.setenv("TERM", "xterm-256color")
            main(words)
        return screen.getvalue()

    def __call__(self, *words: str, stdin: str = "", tty: bool = False) -> Done:
        self._capsys.readouterr()
        source = Terminal(stdin) if tty else io.StringIO(stdin)
        self._monkeypatch.setattr(sys, "stdin", source)
        code = main(words)
        captured = self._capsys.readouterr()
        return Done(code, captured.out, captured.err)


class Terminal(io.StringIO):
    """Text that claims to be a terminal."""

    def isatty(self) -> bool:
        return True

    def reconfigure(self, **_: object) -> None:
        """As a real stream has it."""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FA_ADDR", "FA_TOKEN_FILE", "FA_CACERT", "FA_DIR", "NO_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def array(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeArray]:
    """A fake array that `fa` reaches without options."""
    array = FakeArray()
    with tempfile.TemporaryDirectory(prefix="fa") as folder, on_socket(array, str(Path(folder) / "fa.sock")):
        monkeypatch.setenv("FA_DIR", folder)
        yield array


@pytest.fixture
def fa(array: FakeArray, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(array, capsys, monkeypatch)
