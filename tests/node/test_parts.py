"""Parts on real files: names, removal, burial."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fa.node import parts
from tests.node.shares import make_part, make_volume, read

FOLDER = {"all.m3u8": "x", "360p/1.ts": "y"}


@pytest.fixture
def san(tmp_path: Path) -> Path:
    return make_volume(tmp_path / "san")


class Killed(BaseException):
    pass


def test_a_name_is_never_used_twice_and_tells_whose_it_is() -> None:
    owner = parts.Owner("node-a", 7)
    made = {parts.new_part("san", owner, 1, "p/../q", 1).path for _ in range(100)}
    assert len(made) == 100
    assert {parts.owner_of(path) for path in made} == {owner}
    assert all(parts.is_part(path) for path in made)
    assert parts.owner_of(".fa/part/what-people-put-there") is None


@pytest.mark.parametrize("content", ["x", FOLDER])
def test_a_part_is_removed_and_removed_again(san: Path, content: str | dict[str, str]) -> None:
    place, path = make_part(san, content)
    for _ in range(2):
        parts.remove_part(str(san), place.partition(":")[2])
        assert not path.exists()
    (san / ".fa" / "part").rmdir()
    parts.remove_part(str(san), place.partition(":")[2])


@pytest.mark.parametrize("path", ["in/clip", ".fa/volume.json", ".fa/part/a/b", ".fa/part"])
def test_nothing_but_parts_is_removed_or_buried(san: Path, path: str) -> None:
    for act in (parts.remove_part, parts.bury):
        with pytest.raises(AssertionError, match="is not a part"):
            act(str(san), path)


def test_a_link_in_place_of_a_part_takes_nothing_with_it(san: Path) -> None:
    place, path = make_part(san, "x")
    path.unlink()
    (san / "in" / "clip").write_text("the source")
    path.symlink_to(san / "in")
    parts.remove_part(str(san), place.partition(":")[2])
    assert read(san / "in" / "clip") == "the source"
    assert not path.is_symlink()


@pytest.mark.parametrize("content", ["x", FOLDER])
def test_what_is_buried_is_gone_and_told_so(san: Path, content: str | dict[str, str]) -> None:
    place, path = make_part(san, content)
    parts.bury(str(san), place.partition(":")[2])
    assert not path.exists()
    assert list((san / ".fa" / "grave").iterdir()) == []
    with pytest.raises(FileNotFoundError):
        parts.bury(str(san), place.partition(":")[2])


@pytest.mark.parametrize("content", ["x", FOLDER])
@pytest.mark.parametrize("point", ["bury ready", "bury renamed", "bury synced"])
def test_who_dies_while_it_buries_leaves_nothing_for_ever(
    san: Path, content: str | dict[str, str], point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, path = make_part(san, content)

    def reached(name: str) -> None:
        if name == point:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(parts, "reached", reached)
        with pytest.raises(Killed):
            parts.bury(str(san), place.partition(":")[2])
    buried = parts.empty_grave(str(san))
    assert path.exists() == (point == "bury ready")
    assert buried == ([] if point == "bury ready" else [path.name])
    assert list((san / ".fa" / "grave").iterdir()) == []


def test_without_a_grave_nothing_is_swept(san: Path) -> None:
    assert parts.empty_grave(str(san)) == []
    assert parts.list_parts(str(san)) == []


@pytest.mark.parametrize("content", ["x", FOLDER])
def test_a_part_is_listed_and_its_mark_changes_with_it(san: Path, content: str | dict[str, str]) -> None:
    place, path = make_part(san, content)
    (listed,) = parts.list_parts(str(san))
    assert listed == place.partition(":")[2]
    mark = parts.mark_of(str(san), listed)
    assert mark == parts.mark_of(str(san), listed)
    deep = path / "360p" / "1.ts" if path.is_dir() else path
    found = deep.stat()
    deep.write_text("z")
    os.utime(deep, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    assert parts.mark_of(str(san), listed) != mark
    path.rename(san / "elsewhere")
    assert parts.mark_of(str(san), listed) is None
