"""What a server may take for a volume: nothing that is not there, not mounted, or another array's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fa.errors import Invalid
from fa.node.adoption import Shown, adopt_volumes, check_shown, look_at
from fa.node.found import found
from fa.node.settings import StateDir
from fa.node.volume_probe import IDENTITY, look

ARRAY = "0f3a9c11-0000"


@pytest.fixture
def san(tmp_path: Path) -> Path:
    return folder(tmp_path / "san")


def folder(path: Path, text: str = "") -> Path:
    (path / ".fa").mkdir(parents=True)
    if text:
        (path / IDENTITY).write_text(text)
    return path


def marked(array_id: str, volume: str) -> str:
    return json.dumps({"array_id": array_id, "volume": volume})


def begin(root: Path, volumes: dict[str, Path], witness: str = "none", node: str = "a") -> StateDir:
    place, listed = StateDir(root / "a"), {name: str(path) for name, path in volumes.items()}
    found(place, array="test", node=node, listen="127.0.0.1:7001", volumes=listed, witness=witness)
    return place


@pytest.mark.parametrize("witness", ["none", "volume:nas"])
def test_no_mount_point_is_made(tmp_path: Path, witness: str) -> None:
    with pytest.raises(Invalid, match="there is no folder") as raised:
        begin(tmp_path, {"nas": tmp_path / "not" / "there"}, witness)
    assert "Mount it" in (raised.value.hint or "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("witness", ["gibberish", "volume", "san", "", "volume:"])
def test_a_witness_is_a_volume_or_none(tmp_path: Path, san: Path, witness: str) -> None:
    with pytest.raises(Invalid, match=r"volume:NAME|none of the volumes"):
        begin(tmp_path, {"san": san}, witness)
    assert list(tmp_path.iterdir()) == [san]


def test_a_name_that_is_none_leaves_nothing_behind(tmp_path: Path, san: Path) -> None:
    with pytest.raises(Invalid, match="is not a name"):
        begin(tmp_path, {"san": san}, node="no name")
    assert list(tmp_path.iterdir()) == [san] and not (san / IDENTITY).exists()


@pytest.mark.parametrize("text", [marked("z", "san"), "torn"])
def test_one_volume_of_another_array_and_none_is_adopted(tmp_path: Path, san: Path, text: str) -> None:
    """The others would be of an array that was never founded, and of no other for ever."""
    foreign = folder(tmp_path / "foreign", text)
    with pytest.raises(Invalid, match="is volume"):
        begin(tmp_path, {"a-nas": san, "san": foreign}, "volume:a-nas")
    assert not (san / IDENTITY).exists() and (foreign / IDENTITY).read_text() == text


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Invalid, match="there is no folder"):
        look_at({"san": str(tmp_path / "file")})
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(Invalid, match="cannot be written") as raised:
        look_at({"san": str(tmp_path)})
    assert raised.value.hint


def test_the_wrong_share_is_named_as_what_it_is(san: Path) -> None:
    adopt_volumes(ARRAY, {"san": str(san)})
    for array_id, name, said in ((ARRAY, "nas", "of this array"), ("z", "san", "of another array")):
        seen = look(str(san), array_id, name)
        assert seen["state"] == "foreign" and seen["why"] == f"{san} is volume 'san' {said}"


def test_an_adopted_volume_is_known_again(san: Path) -> None:
    assert look_at({"san": str(san)}) == {"san": Shown(str(san))}
    adopt_volumes(ARRAY, {"san": str(san)})
    assert look_at({"san": str(san)}) == {"san": Shown(str(san), ARRAY, "san")}
    adopt_volumes(ARRAY, {"san": str(san)})


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (Shown("/mnt/san"), "/mnt/san is not the volume san of this array: it has no .fa/volume.json; is it mounted?"),
        (Shown("/mnt/san", "z", "san"), "/mnt/san is volume 'san' of another array"),
        (Shown("/mnt/san", ARRAY, "nas"), "/mnt/san is volume 'nas' of this array"),
    ],
)
def test_a_volume_that_the_array_has_shows_that_it_is_that_one(shown: Shown, said: str) -> None:
    """An empty mount point would be taken for the share, and what is written there is on one server's own disk."""
    with pytest.raises(Invalid) as raised:
        check_shown(ARRAY, {"san", "nas"}, {"san": shown})
    assert said in raised.value.detail and raised.value.hint


def test_a_new_name_may_be_adopted_and_a_known_one_be_mounted() -> None:
    check_shown(ARRAY, {"san"}, {"nas": Shown("/mnt/nas"), "san": Shown("/mnt/san", ARRAY, "san")})
