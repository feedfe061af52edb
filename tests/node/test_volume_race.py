from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fa.errors import Invalid
from fa.node import volume_race
from fa.node.found import found
from fa.node.settings import StateDir
from fa.node.volume_probe import adopt
from fa.node.volume_race import FOLDER, RaceFailed, check_mounted, check_volume, run_race
from fa.node.volume_vote import claim


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    root = tmp_path / "san"
    root.mkdir()
    assert adopt(str(root), "array-1", "san") == ""
    return root


def test_a_good_file_system_passes_and_keeps_nothing(volume: Path) -> None:
    report = run_race(volume, "san", racers=3, rounds=20)
    assert report.troubles == () and (report.links, report.renames) == (20, 20)
    assert not (volume / FOLDER).exists()


def racers(*wins: tuple[list[int], list[int]]) -> list[dict[str, Any]]:
    return [{"name": f"p{n}", "links": links, "renames": renames} for n, (links, renames) in enumerate(wins)]


@pytest.mark.parametrize(
    ("wins", "said"),
    [
        ((([0, 1], [0, 1]), ([1], [])), "2 processes made record 1"),
        ((([0], [0, 1]), ([], [])), "0 processes made record 1"),
        ((([0, 1], [0, 1]), ([], [0])), "2 processes renamed file 0"),
        ((([0], [0, 1]), ([1], [])), "record 1 does not hold what its maker wrote"),
    ],
)
def test_what_a_bad_one_does_is_seen(
    volume: Path, monkeypatch: pytest.MonkeyPatch, wins: tuple[tuple[list[int], list[int]], ...], said: str
) -> None:
    """A file system that gives one name to two, or to nobody, or mixes up what was written."""

    def race(folder: Path, count: int, rounds: int) -> list[dict[str, Any]]:
        for number in range(rounds):
            claim(folder / f"record.{number}", {"by": "p0"})
        return racers(*wins)

    monkeypatch.setattr(volume_race, "_race", race)
    assert said in run_race(volume, "san", racers=2, rounds=2).troubles
    with pytest.raises(RaceFailed, match="must not carry a vote"):
        check_volume(volume, "san")


def test_an_empty_mount_point_is_not_the_volume(tmp_path: Path, volume: Path) -> None:
    check_mounted(volume)
    with pytest.raises(RaceFailed, match="nothing is mounted there"):
        check_mounted(tmp_path)


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RaceFailed, match="cannot be tested"):
        run_race(tmp_path / "file", "san")


def test_a_racer_that_fails_is_told_with_its_words(volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_race, "helper_command", lambda *words: ["sh", "-c", "echo no links here >&2; exit 3"])
    with pytest.raises(RaceFailed, match="no links here"):
        run_race(volume, "san", racers=2, rounds=2)
    assert not (volume / FOLDER).exists()


def found_with(root: Path, witness: str, volumes: dict[str, str]) -> StateDir:
    place = StateDir(root / "a")
    found(place, array="test", node="a", listen="127.0.0.1:7001", volumes=volumes, witness=witness)
    return place


def test_a_volume_gets_a_vote_only_if_it_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "san").mkdir()
    with pytest.raises(Invalid, match="none of the volumes"):
        found_with(tmp_path, "volume:nas", {"san": str(tmp_path / "san")})
    with monkeypatch.context() as patch, pytest.raises(RaceFailed, match="must not carry a vote"):
        patch.setattr(volume_race, "_race", lambda *given: racers(([], []), ([], [])))
        found_with(tmp_path, "volume:san", {"san": str(tmp_path / "san")})
    assert not (tmp_path / "a" / "fa.toml").exists(), "there is no array whose third vote is worth nothing"
    assert found_with(tmp_path, "volume:san", {"san": str(tmp_path / "san")}).settings.exists(), "it is nobody's yet"
