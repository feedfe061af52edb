"""Volumes as folders of the test, without a node: what publishes and removes parts is tried on real files."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path

from fa.core.model import Output
from fa.core.work import Publish
from fa.node import parts
from fa.node.volumes import VolumeGone, pin
from fa.transcode.digest import digest as digest_of

ARRAY = "0123"
REPLACING = (
    "publish ready",
    "replace cleared",
    "publish renamed",
    "publish half synced",
    "publish synced",
    "replace verified",
    "replace over",
)
"""The points at which a node can die while a folder takes the place of one, in their order."""


class Shares:
    """As `fa.node.volumes.Volumes`: name → where it is mounted."""

    def __init__(self, **mounts: Path) -> None:
        self.mounts = mounts

    def pinned(self, name: str, **needs: bool) -> AbstractContextManager[str]:
        if name not in self.mounts:
            raise VolumeGone(f"Volume {name} is not set up here.")
        return pin(str(self.mounts[name]), ARRAY, name)

    def root(self, name: str, **needs: bool) -> str:
        """What is asked for when all is prepared."""
        raise VolumeGone(f"There is no tool here that could write to {name}.")


def make_volume(path: Path, name: str = "san", array: str = ARRAY) -> Path:
    (path / ".fa").mkdir(parents=True)
    (path / ".fa" / "volume.json").write_text(json.dumps({"array_id": array, "volume": name}))
    (path / "in").mkdir()
    return path


def digest(path: Path) -> tuple[int, str]:
    made = digest_of(path)
    return made.bytes, made.sha256


def make_part(san: Path, content: str | dict[str, str] = "new", number: int = 1) -> tuple[str, Path]:
    """A part, a file or a folder of files: its place and its path."""
    parts.make_part_folder(str(san))
    place = parts.new_part("san", parts.Owner("a", 1), number, "p", 1)
    path = san / place.path
    fill(path, content)
    return str(place), path


def fill(path: Path, content: str | dict[str, str]) -> Path:
    if isinstance(content, str):
        path.write_text(content)
    else:
        path.mkdir(parents=True)
        for name, text in content.items():
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_text(text)
    return path


def wish(part: tuple[str, Path], to: str = "out/x", *, replace: bool = False, source: str = "san:in/clip") -> Publish:
    size, sha256 = digest(part[1])
    return Publish(1, 1, part[0], Output(f"san:{to}", size, sha256), replace, source)


def read(path: Path) -> dict[str, str] | str | None:
    """What is there: text, or the files of a folder."""
    if path.is_dir():
        return {str(each.relative_to(path)): each.read_text() for each in path.rglob("*") if each.is_file()}
    return path.read_text() if path.exists() else None
