"""`fa mirror restore` and `fa mirror verify`: what they say, and their exit codes."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from fa.cli.main import main
from fa.replication.directory import ReplicaDirectory
from fa.replication.segment import Header, encode
from tests.cli.conftest import Line
from tests.client.fake import Answer, FakeArray, problem


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


def test_restore_by_somebody_who_may_not_look(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "is_dir", refuse)
    assert main(["mirror", "restore", str(tmp_path / "o.db"), "--dir", str(home)]) == 4
    assert f"{home / 'replica'} cannot be read: Permission denied" in capsys.readouterr().err


MIRROR = {
    "copies": [
        {"node": "a", "state": "complete"},
        {"node": "b", "state": "in-sync"},
        {"node": "c", "state": "syncing"},
    ]
}


def verified(node: str, *problems: str) -> Answer:
    """What the coordinator answers about one node."""
    words = f"{node}: NOT well. {' '.join(problems)}" if problems else f"{node}: well."
    return Answer({"ok": not problems, "nodes": [{"node": node, "problems": list(problems)}], "words": [words]})


def test_verify_asks_every_node_with_a_complete_copy(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/mirror"] = MIRROR
    array.answers["POST /v1/mirror/verify"] = [verified("a"), verified("b")]
    done = fa("mirror", "verify")
    assert (done.code, done.out) == (0, "a: well.\nb: well.\n")
    assert array.lines()[1:] == ["POST /v1/mirror/verify?node=a", "POST /v1/mirror/verify?node=b"]


@pytest.mark.parametrize("ill", ["a", "b"])
def test_verify_fails_when_one_of_them_is_not_well(fa: Line, array: FakeArray, ill: str) -> None:
    array.answers["GET /v1/mirror"] = MIRROR
    array.answers["POST /v1/mirror/verify"] = [verified(name, *(["It rots."] * (name == ill))) for name in "ab"]
    done = fa("mirror", "verify")
    assert done.code == 1
    assert f"{ill}: NOT well. It rots.\n" in done.out
    assert done.out.count("well.") == 2, "the other is looked at all the same"


def test_verify_of_one_node_for_a_script(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/mirror/verify"] = verified("b", "It rots.")
    done = fa("mirror", "verify", "--node", "b", "-o", "json")
    expected: dict[str, Any] = {"ok": False, "nodes": [{"node": "b", "problems": ["It rots."]}]}
    assert (done.code, json.loads(done.out)) == (1, expected)
    assert array.lines() == ["POST /v1/mirror/verify?node=b"]


def test_verify_of_a_node_without_a_complete_copy(fa: Line, array: FakeArray) -> None:
    array.answers["POST /v1/mirror/verify"] = problem(404, "not-found", "Node c holds no complete copy of the store.")
    done = fa("mirror", "verify", "--node", "c")
    assert done.code == 3
    assert "no complete copy" in done.err


def test_nothing_to_verify_is_not_well(fa: Line, array: FakeArray) -> None:
    array.answers["GET /v1/mirror"] = {"copies": []}
    assert fa("mirror", "verify").code == 1
