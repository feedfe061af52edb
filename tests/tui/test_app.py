"""Before anything is drawn: the terminal, the environment, the key file. A real process in a real pty."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fa.errors import Invalid
from fa.tui.app import read_key_file
from fa.tui.terminal import check, clipboard, over_ssh, theme, wants_ascii

START = "import sys; from fa.client.target import Target; from fa.tui.app import run; run(Target(socket=sys.argv[1]))"


@pytest.mark.parametrize(
    ("env", "stdin", "stderr"),
    [
        ({"TERM": "xterm"}, False, True),
        ({"TERM": "xterm"}, True, False),
        ({"TERM": "dumb"}, True, True),
        ({}, True, True),
    ],
)
def test_what_is_no_terminal_is_refused(env: dict[str, str], stdin: bool, stderr: bool) -> None:
    with pytest.raises(Invalid, match="fa status --watch"):
        check(env, stdin, stderr)
    check({"TERM": "xterm-256color"}, True, True)


def test_the_clipboard_of_the_terminal() -> None:
    assert clipboard("héllo\udcff", {}) == "\x1b]52;c;aMOpbGxv7bO/\x07"
    assert clipboard("a", {"TMUX": "x"}).endswith("\x1bPtmux;\x1b\x1b]52;c;YQ==\x07\x1b\\")


@pytest.mark.parametrize(
    ("env", "ascii"),
    [
        ({"LANG": "en_GB.UTF-8", "TERM": "xterm"}, False),
        ({"LANG": "C.utf8", "TERM": "screen"}, False),
        ({"LANG": "C", "TERM": "xterm"}, True),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "POSIX"}, True),
        ({"LANG": "ja_JP.UTF-8"}, True),
        ({"LANG": "C.UTF-8", "TERM": "linux"}, True),
        ({}, True),
    ],
)
def test_ascii_where_our_glyphs_would_be_missing(env: dict[str, str], ascii: bool) -> None:
    assert wants_ascii(env) is ascii


def test_themes() -> None:
    assert theme({"TERM": "xterm-256color"}, "", True) == "dark"
    assert theme({"TERM": "linux"}, "", True) == "terminal"
    assert theme({"TERM": "xterm"}, "terminal", True) == "terminal"
    assert theme({"TERM": "xterm"}, "dark", False) == "none"
    assert over_ssh({"SSH_CONNECTION": "x"}) and over_ssh({"SSH_TTY": "x"}) and not over_ssh({})


def test_the_key_file(tmp_path: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert read_key_file(env) == {}
    folder = tmp_path / "fa"
    folder.mkdir()
    (folder / "keys.toml").write_text('"job.cancel" = "X"\n')
    assert read_key_file(env) == {"job.cancel": "X"}
    assert read_key_file({"HOME": str(tmp_path)}) == {}
    (folder / "keys.toml").write_text('"job.cancel" = "q"\n')
    with pytest.raises(Invalid):
        read_key_file(env)
    (folder / "keys.toml").write_bytes(b"\xff")
    with pytest.raises(Invalid, match="cannot be read"):
        read_key_file(env)


def started(env: dict[str, str], socket: str) -> tuple[int, bytes]:
    """Run the dashboard in a pty until it ends by itself; its exit code and all that it wrote."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(sys.executable, [sys.executable, "-c", START, socket], {**os.environ, **env})
    seen, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), seen


def test_a_dumb_terminal_sees_no_escape_and_loads_no_textual(tmp_path: Path) -> None:
    code, seen = started({"TERM": "dumb", "PYTHONVERBOSE": ""}, str(tmp_path / "x.sock"))
    assert code == 1 and b"fa status --watch" in seen and b"\x1b" not in seen
    assert "textual" not in subprocess.run(
        [sys.executable, "-c", "import fa.tui.app, sys; print([m for m in sys.modules if 'textual' in m])"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_without_a_terminal_it_ends_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", START, "x.sock"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1 and b"needs a terminal" in done.stderr and b"\x1b[" not in done.stderr


def test_no_colour_sends_none(tmp_path: Path) -> None:
    code, seen = started({"TERM": "xterm-256color", "NO_COLOR": "1", "LANG": "C.UTF-8"}, str(tmp_path / "x.sock"))
    assert code == 1 and b"\x1b[?1049h" in seen and b"Array" in seen
    drawn = seen[seen.index(b"\x1b[?1049h") : seen.rindex(b"\x1b[?1049l")]
    for attributes in re.findall(rb"\x1b\[([\d;]*)m", drawn):
        numbers = [int(each or b"0") for each in attributes.split(b";")]
        assert all(each in (39, 49) or each < 30 for each in numbers), attributes  # 39, 49 = the terminal's own
