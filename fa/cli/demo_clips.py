"""The clips and factories of `fa demo`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from fa.transcode.sandbox import find_sandbox
from fa.transcode.synthetic import synthetic_source
from fa.transcode.tools import find_tools

CLIPS = (  # name, kind, size, seconds: short enough for two cores, long enough to watch
    ("news-opener.mp4", "25p-mp4", "1280x720", 8.0),
    ("weather (evening).mp4", "25p-mp4", "1280x720", 6.0),
    ("Interview Müller.mp4", "25p-mp4", "960x540", 6.0),
    ("match-report.mxf", "25i-mxf", "1920x1080", 4.0),
)
FACTORIES = {
    "proxy": """\
# Small files to look at, and a picture of each clip.
name = "proxy"

[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:out/{source.stem}-{job}-{product}.mp4"

[[products]]
name = "poster"
preset = "poster"
destination = "san:out/{source.stem}-{job}-{product}.jpg"
""",
    "broadcast": """\
# What goes on air: XDCAM HD422 50 Mb/s, 1080i, MXF OP1a.
name = "broadcast"
priority = "high"

[[products]]
name = "playout"
preset = "xdcam-hd422"
destination = "san:out/{source.stem}-{job}-{product}.mxf"
""",
}


def make_clips(folder: Path, made: Callable[[str], None]) -> list[str]:
    """Write the clips into ``folder``; their names. ``made`` hears of each. Raises `ToolsMissing`, `NoSynthetic`."""
    tools, sandbox = find_tools(), find_sandbox()
    for name, kind, size, seconds in CLIPS:
        asyncio.run(synthetic_source(tools, sandbox, folder / name, seconds=seconds, kind=kind, size=size))
        made(f"{name}: {kind}, {seconds:g} s")
    return [name for name, *_ in CLIPS]
