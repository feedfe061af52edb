"""`fa mirror restore` and `fa mirror verify`: what they say, and their exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fa.cli.main import main
from fa.replication.directory import ReplicaDirectory
from fa.replication.segment import Header, encode


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The state directory of a node whose replica directory has one segment."""
    directory = ReplicaDirectory(tmp_path / "a" / "replica")
    header = Header(512, 1, 1, 1, 1, 1)
    directory.write(header, encode(header, [(1, bytes(512))]))
    directory.close()
    return tmp_path / "a"


def test_restore_where_nothing_can_be_written(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mirror", "restore", str(tmp_path / "nope" / "x" / "o.db"), "--dir", str(home)]) == 1
    told = capsys.readouterr().err
    assert "No such file or directory; no file o.db was made" in told
    assert "Name a file in a folder that is there" in told


def test_restore_from_a_damaged_file(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (victim,) = (home / "replica" / "ltx" / "0").iterdir()
    victim.write_bytes(victim.read_bytes()[:-1])
    assert main(["mirror", "restore", str(tmp_path / "o.db"), "--dir", str(home)]) == 1
    told = capsys.readouterr().err
    assert f"{victim} is damaged" in told
    assert "replica directory of another node" in told
