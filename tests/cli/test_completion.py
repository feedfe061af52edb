"""Completion scripts come from the parser; bash really runs its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fa.cli.completion import walk
from fa.cli.main import build_parser, main

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture(params=SHELLS)
def script(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(["completion", request.param]) == 0
    return request.param, capsys.readouterr().out


def test_every_command_and_option_is_in_every_script(script: tuple[str, str]) -> None:
    shell, text = script
    for place in walk(build_parser()):
        for name, _ in place.below:
            assert name in text
        for option in place.options:
            assert option.lstrip("-") in text
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True, timeout=60)


@pytest.mark.parametrize(
    ("typed", "offers", "not_these"),
    [
        ("fa sta", {"status"}, {"jobs"}),
        ("fa job ca", {"cancel"}, {"cpu"}),
        ("fa job cancel --dry", {"--dry-run"}, set()),
        ("fa --dir x job ", {"show", "wait"}, {"status"}),
        ("fa job show 1", {"17", "18"}, {"show"}),
        ("fa node drain t", {"tx01"}, {"17"}),
    ],
)
def test_bash_completes(
    typed: str, offers: set[str], not_these: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    (tmp_path / "fa.bash").write_text(capsys.readouterr().out)
    words = typed.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    lines = f"""
        source {tmp_path}/fa.bash
        fa() {{ case $1 in jobs) echo 17; echo 18 ;; nodes) echo tx01 ;; esac; }}
        COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
        _fa
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, check=True, timeout=60)
    got = set(done.stdout.split())
    assert offers <= got and not (not_these & got)
    assert not done.stderr
