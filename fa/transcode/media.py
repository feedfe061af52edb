"""What a media file says about itself: the values that probing gives and planning takes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

INTERLACED_ORDERS = ("tt", "bb", "tb", "bt")
COMMON_RATES = tuple(
    Fraction(*pair)
    for pair in (
        (24000, 1001),
        (24, 1),
        (25, 1),
        (30000, 1001),
        (30, 1),
        (50, 1),
        (60000, 1001),
        (60, 1),
        (100, 1),
        (120, 1),
    )
)


@dataclass(frozen=True, slots=True)
class VideoStream:
    """``width`` x ``height`` as displayed after rotation; ``sar`` the shape of a pixel; ``field_order`` in ffprobe's
    words (progressive, tt, bb, tb, bt, or empty where unknown); ``matrix`` the colour matrix, empty where untagged;
    ``duration`` in seconds, None where the file does not say."""

    index: int
    codec: str
    profile: str
    width: int
    height: int
    fps: Fraction
    pix_fmt: str
    field_order: str = ""
    sar: Fraction = Fraction(1)
    matrix: str = ""
    duration: float | None = None
    bit_rate: int = 0

    @property
    def interlaced(self) -> bool:
        return self.field_order in INTERLACED_ORDERS


@dataclass(frozen=True, slots=True)
class AudioStream:
    """``layout`` in ffmpeg's words, empty where the file names none; ``rate`` in Hz."""

    index: int
    codec: str
    channels: int
    layout: str
    rate: int
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """``format`` is the demuxer's name, ``duration`` in seconds (None where unknown), ``size`` in bytes."""

    format: str
    duration: float | None
    size: int
    video: tuple[VideoStream, ...] = ()
    audio: tuple[AudioStream, ...] = ()
    timecode: str = ""

    @property
    def channels(self) -> tuple[tuple[AudioStream, int], ...]:
        """Every audio channel of the file, in order, as (stream, channel within it)."""
        return tuple((stream, channel) for stream in self.audio for channel in range(stream.channels))


def common_rate(rate: Fraction) -> Fraction:
    """The usual frame rate within 0.05 % of ``rate`` (containers round them), else ``rate`` itself."""
    near = min(COMMON_RATES, key=lambda each: abs(each - rate))
    return near if abs(near - rate) <= near / 2000 else rate
