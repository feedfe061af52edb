"""`volume:path`: how fa names files. A path is relative to the volume's root and can never leave it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fa.errors import Invalid

VOLUME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
PATH_BYTES_MAX = 4000  # below Linux' PATH_MAX with room for the mount point


class BadPlace(Invalid):
    """This is not a place on a volume. Write volume:path, as in san:in/clip.mxf."""


@dataclass(frozen=True, slots=True)
class Place:
    volume: str
    path: str

    def __str__(self) -> str:
        return f"{self.volume}:{self.path}"

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def covers(self, other: Place) -> bool:
        """Whether it is that place, or a folder in which that one lies."""
        return self.volume == other.volume and f"{other.path}/".startswith(f"{self.path}/")


def parse_place(text: str) -> Place:
    """`san:in/clip.mxf` → its parts. Raises `BadPlace` for anything that could mean another place than it says."""
    volume, colon, path = text.partition(":")
    if not colon or not VOLUME_NAME.match(volume):
        raise BadPlace(f"{text[:200]!r} names no volume.", hint="Write volume:path, as in san:in/clip.mxf.")
    if problem := _path_problem(path):
        raise BadPlace(f"The path of {text[:200]!r} {problem}.", hint="Write it relative to the volume's root.")
    return Place(volume, path)


def _path_problem(path: str) -> str:
    if not path:
        return "is empty"
    if "\0" in path:
        return "holds a NUL"
    if len(path.encode("utf-8", "surrogateescape")) > PATH_BYTES_MAX:
        return f"is longer than {PATH_BYTES_MAX} bytes"
    if path.startswith("/"):
        return "is absolute"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "has an empty, '.' or '..' part"
    return ""
