"""Made-up sources: for ``fa factory test``, ``fa demo``, and the tests.

25p-mp4   progressive 25 with stereo AAC at 440 and 660 Hz
25i-mxf   interlaced 25 as XDCAM HD422, timecode 10:00:00:00, eight mono tracks at 300, 400 … 1000 Hz
"""

from __future__ import annotations

from pathlib import Path

from fa.errors import FaError
from fa.transcode.capture import capture
from fa.transcode.fence import GLOBAL, file_url
from fa.transcode.presets import presets
from fa.transcode.sandbox import Sandbox
from fa.transcode.tools import Tools

KINDS = ("25p-mp4", "25i-mxf")
TIMECODE = "10:00:00:00"
TRACKS = 8


class NoSynthetic(FaError):
    """No test source could be made with this ffmpeg."""

    code = "no-synthetic"


async def synthetic_source(
    tools: Tools, sandbox: Sandbox, path: Path, *, seconds: float, kind: str, size: str = ""
) -> None:
    """Write ``seconds`` of a moving test picture with tones to ``path``. ``size`` as WxH replaces the usual one of
    the kind (1280x720, 1920x1080). Raises NoSynthetic."""
    argv = {"25p-mp4": _progressive, "25i-mxf": _interlaced}[kind](size, seconds)
    made = await capture([tools.ffmpeg, *GLOBAL, "-y", *argv, file_url(str(path))], sandbox, seconds=600)
    if made.returncode:
        raise NoSynthetic(f"No test source could be made: {'; '.join(made.errors[:3])}.")


def _progressive(size: str, seconds: float) -> list[str]:
    return [
        *("-f", "lavfi", "-i", f"testsrc2=s={size or '1280x720'}:r=25:d={seconds}"),
        *("-f", "lavfi", "-i", f"aevalsrc=0.1*sin(2*PI*440*t)|0.1*sin(2*PI*660*t):s=48000:c=stereo:d={seconds}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-b:a", "160k", "-movflags", "+faststart", "-f", "mp4"),
    ]


def _interlaced(size: str, seconds: float) -> list[str]:
    video = presets()["xdcam-hd422"].video
    assert video is not None, "XDCAM has pictures"
    tones = "|".join(f"0.1*sin(2*PI*{300 + 100 * track}*t)" for track in range(TRACKS))
    picks = "".join(f"[s{track}]pan=mono|c0=c{track}[a{track}];" for track in range(TRACKS))
    split = "".join(f"[s{track}]" for track in range(TRACKS))
    graph = (
        f"[0:v]tinterlace=mode=interleave_top,format=yuv422p,setfield=tff[v];[1:a]asplit={TRACKS}{split};{picks[:-1]}"
    )
    encode = [word for name, value in (*video.options, *video.interlaced) for word in (f"-{name}", value)]
    return [
        *("-f", "lavfi", "-i", f"testsrc2=s={size or '1920x1080'}:r=50:d={seconds}"),
        *("-f", "lavfi", "-i", f"aevalsrc={tones}:s=48000:c=7.1:d={seconds}"),
        *("-filter_complex", graph, "-map", "[v]"),
        *(word for track in range(TRACKS) for word in ("-map", f"[a{track}]")),
        *("-c:v", video.encoder, *encode, "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"),
        *("-c:a", "pcm_s24le", "-timecode", TIMECODE, "-f", "mxf"),
    ]
