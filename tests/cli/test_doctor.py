"""`fa doctor`: each finding says what to do."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from fa.cli import checks, doctor
from fa.cli.checks import Finding
from fa.cli.main import main


def program(folder: Path, name: str, says: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_an_old_sqlite() -> None:
    assert checks.sqlite((3, 36, 9)).level == "error"
    assert checks.sqlite((3, 37, 0)).level == "ok"


@pytest.mark.parametrize(("says", "level"), [("v0.5.17", "ok"), ("v0.5.15", "warning"), ("what", "warning")])
def test_litestream(says: str, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = program(tmp_path, "litestream", says)
    monkeypatch.setattr(checks.shutil, "which", lambda name, path=None: found)
    assert checks.litestream().level == level


def test_no_litestream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.shutil, "which", lambda name, path=None: None)
    assert checks.litestream() == Finding("litestream", "warning", "not found", checks.litestream().advice)


def test_room_is_looked_at_where_the_directory_would_be(tmp_path: Path) -> None:
    assert checks.disk(tmp_path / "not" / "there", 0).level == "ok"
    assert checks.disk(tmp_path, 10**18).level == "warning"


def test_volumes(tmp_path: Path) -> None:
    good, gone = checks.volumes({"a": str(tmp_path), "b": str(tmp_path / "gone")})
    assert (good.level, gone.level) == ("ok", "error")
    assert "not a mount" in good.text
    assert [finding.level for finding in checks.volumes({})] == ["warning"]


def test_no_ffmpeg(tmp_path: Path) -> None:
    [finding] = checks.ffmpeg(str(tmp_path / "ffmpeg"))
    assert finding.level == "error" and finding.advice


def test_the_clock_is_looked_at() -> None:
    assert checks.clock().check == "clock"


def test_everything_that_is_found_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Finding("disk", "ok", "lots"), Finding("ffmpeg", "error", "not found", "Install ffmpeg.")]
    monkeypatch.setattr(doctor, "findings", lambda root: iter(found))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out == "ok      disk: lots\nerror   ffmpeg: not found\n        -> Install ffmpeg.\n"
    assert main(["doctor", "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["items"][1]["advice"] == "Install ffmpeg."


def test_a_broken_fa_toml_is_one_finding_among_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "ffmpeg", lambda program, prober: iter(()))
    (tmp_path / "fa.toml").write_text("[nodes]\n")
    found = list(doctor.findings(tmp_path))
    assert found[0].check == "settings" and found[0].level == "error"
    assert {"sqlite", "disk", "clock", "litestream"} <= {finding.check for finding in found}
    assert next(doctor.findings(tmp_path / "none")).level == "warning"
