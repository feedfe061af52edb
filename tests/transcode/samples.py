"""Descriptions of sources, for the tests of what is decided and planned from them."""

from __future__ import annotations

from fractions import Fraction

from fa.transcode.media import AudioStream, MediaInfo, VideoStream

P25 = VideoStream(0, "h264", "High", 1920, 1080, Fraction(25), "yuv420p", "progressive", duration=10.0)
I25 = VideoStream(0, "mpeg2video", "4:2:2", 1920, 1080, Fraction(25), "yuv422p", "tt", matrix="bt709", duration=10.0)
PAL = VideoStream(0, "dvvideo", "", 720, 576, Fraction(25), "yuv420p", "bb", sar=Fraction(64, 45), duration=10.0)
P50 = VideoStream(0, "h264", "High", 1280, 720, Fraction(50), "yuv420p", "progressive", duration=10.0)
NTSC = VideoStream(0, "h264", "High", 1920, 1080, Fraction(30000, 1001), "yuv420p", "tt", duration=10.0)


def stereo(index: int = 1) -> AudioStream:
    return AudioStream(index, "aac", 2, "stereo", 48000, 10.0)


def mono(index: int) -> AudioStream:
    return AudioStream(index, "pcm_s24le", 1, "", 48000, 10.0)


def source(*streams: VideoStream | AudioStream, timecode: str = "", duration: float | None = 10.0) -> MediaInfo:
    """A file of those streams, ten seconds long."""
    return MediaInfo(
        format="mxf",
        duration=duration,
        size=1000,
        video=tuple(each for each in streams if isinstance(each, VideoStream)),
        audio=tuple(each for each in streams if isinstance(each, AudioStream)),
        timecode=timecode,
    )


EIGHT_TRACKS = tuple(mono(index) for index in range(1, 9))
NEWS = source(I25, *EIGHT_TRACKS, timecode="10:00:00:00")
PROXY = source(P25, stereo())
