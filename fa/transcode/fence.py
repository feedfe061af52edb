"""What keeps ffmpeg to the one file it was given (SECURITY.md 4.4, tried there with 5.1.9).

A playlist, script or stream description that is named ``.mp4`` is recognised by its *content* and would open other
files: hence the list of demuxers, none of which follows references. ``file:`` in front of every path makes names such
as ``http:x.mp4`` and ``-vn.mp4`` plain names.
"""

from __future__ import annotations

DEMUXERS = (
    "aac ac3 aiff asf avi caf dnxhd dts dv eac3 flac flv gxf h264 hevc lxf m4v matroska mov mp3 mpeg mpegts mpegvideo "
    "mxf nut obu ogg rm truehd vc1 w64 wav webm wv yuv4mpegpipe"
).replace(" ", ",")
"""Demuxers that a source may be opened with: single media files, nothing that follows a reference."""

PIXELS_MAX = 8192 * 8192
"""8K (7680 x 4320) passes; a bomb of 16000 x 16000, which took 800 MB for 746 kB, does not."""

GLOBAL = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info")
PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.5")

INPUT = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS, "max_pixels": str(PIXELS_MAX)}
"""Options in front of ``-i``."""


def file_url(path: str) -> str:
    """``path`` such that ffmpeg takes it for a file and nothing else."""
    return f"file:{path}"


def input_words(*, still: bool = False) -> list[str]:
    """``INPUT`` as words of a command line; ``still`` lets JPEG pictures in as well."""
    options = INPUT | {"format_whitelist": f"{DEMUXERS},jpeg_pipe"} if still else INPUT
    return [word for name, value in options.items() for word in (f"-{name}", value)]
