"""The playlists of an HLS ladder, read back. Pure parsing; the files are looked at by ``accept``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """Segment names in order, their summed length in seconds, and whether the list is closed."""

    segments: tuple[str, ...]
    seconds: float
    closed: bool


def variants_of(master: str) -> tuple[str, ...]:
    """The media playlists that a master playlist names."""
    lines = master.splitlines()
    return tuple(after for line, after in pairwise(lines) if line.startswith("#EXT-X-STREAM-INF"))


def media_playlist(text: str) -> MediaPlaylist:
    """One media playlist."""
    segments = tuple(line for line in text.splitlines() if line and not line.startswith("#"))
    seconds = sum(float(found) for found in re.findall(r"^#EXTINF:([\d.]+),", text, re.MULTILINE))
    return MediaPlaylist(segments, seconds, "#EXT-X-ENDLIST" in text)
