"""`fa init`: what a person types becomes a state directory; `fa run` needs one."""

from __future__ import annotations

from pathlib import Path

import pytest

from fa.cli.array import volumes
from fa.cli.main import main
from fa.errors import Invalid
from fa.node.settings import StateDir, load
from fa.node.tokens import make_join_token
from tests.client.fake import closed_port


def test_init(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "san").mkdir()
    words = ["init", "--dir", str(tmp_path / "a"), "--name", "studio", "--node", "a", "--listen", "127.0.0.1:7001"]
    assert main([*words, "--volume", f"san={tmp_path / 'san'}", "--slots", "3"]) == 0
    settings = load(StateDir(tmp_path / "a"))
    assert (settings.array.name, settings.node.name, settings.node.slots) == ("studio", "a", {"cpu": 3})
    assert settings.volumes == {"san": str(tmp_path / "san")}
    assert "fa run --dir" in capsys.readouterr().err
    assert main(words) == 5, "there is a node already"


def test_a_listen_address_that_cannot_be(tmp_path: Path) -> None:
    assert main(["init", "--dir", str(tmp_path), "--name", "x", "--node", "a", "--listen", "nowhere"]) == 1


def test_run_without_a_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--dir", str(tmp_path)]) == 3
    assert "fa init" in capsys.readouterr().err


def test_volumes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert volumes(["san=/mnt/san", "b=rel"]) == {"san": "/mnt/san", "b": str(tmp_path / "rel")}


def test_joining_wants_a_token_that_was_copied_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["https://127.0.0.1:1", "--dir", str(tmp_path / "b"), "--node", "b", "--listen", "127.0.0.1:7002"]
    for command in ("join", "witness"):
        assert main([command, *words]) == 1
        assert "fa token create --role node" in capsys.readouterr().err
    assert main(["join", *words, "--token-file", str(tmp_path / "none")]) == 4
    (tmp_path / "token").write_text("FA1-half")
    assert main(["join", *words, "--token-file", str(tmp_path / "token")]) == 1
    assert "copy it whole" in capsys.readouterr().err
    assert not (tmp_path / "b" / "fa.toml").exists()


def test_joining_an_array_that_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(make_join_token("ab", bytes(32), 0, expires_at=None)[0])
    words = ["--token-file", str(tmp_path / "token"), "--node", "b", "--listen", "127.0.0.1:7002"]
    assert main(["join", closed_port(), "--dir", str(tmp_path / "b"), *words]) == 6


@pytest.mark.parametrize("given", [["san"], ["=/mnt"], ["san="], ["a=/x", "a=/y"]])
def test_volumes_that_cannot_be(given: list[str]) -> None:
    with pytest.raises(Invalid):
        volumes(given)
