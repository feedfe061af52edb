"""ffprobe's JSON as ``MediaInfo``. Pure; tolerant, because what it reads describes a foreign file."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from fa.transcode.media import AudioStream, MediaInfo, VideoStream, common_rate

ENTRIES = (
    "format=format_name,duration:format_tags=timecode:stream=index,codec_type,codec_name,profile,width,height,"
    "pix_fmt,field_order,sample_aspect_ratio,r_frame_rate,avg_frame_rate,color_space,channels,channel_layout,sample_rate,"
    "duration,bit_rate:stream_tags=timecode,DURATION:stream_disposition=attached_pic:stream_side_data=rotation"
)
"""What ffprobe is asked for; no name or title of the file, which may be broken UTF-8 and end the JSON."""

LENGTH = re.compile(r"(\d{1,5}):(\d\d):(\d\d(?:\.\d+)?)", re.ASCII)  # some years at most
TIMECODE = re.compile(r"\d\d:[0-5]\d:[0-5]\d[:;.]\d\d")


def media_from_json(told: dict[str, Any], size: int) -> MediaInfo:
    """The values of ``ffprobe -of json -show_entries ENTRIES``."""
    about = told.get("format", {})
    streams = told.get("streams", [])
    return MediaInfo(
        format=str(about.get("format_name", "")),
        duration=_positive(about.get("duration")),
        size=size,
        video=tuple(_video(each) for each in streams if _is_video(each)),
        audio=tuple(_audio(each) for each in streams if each.get("codec_type") == "audio" and each.get("channels")),
        timecode=_timecode([about, *streams]),
    )


def checked_timecode(text: str) -> str:
    """``text`` when it is a timecode, in the notation that ffmpeg takes, else empty."""
    return text.replace(".", ";") if TIMECODE.fullmatch(text) else ""


def rate_of(average: Fraction, real: Fraction) -> Fraction:
    """The frame rate to work at: the average as containers round it; the real base rate when the average is unknown
    or odd (a file of variable rate), within reason."""
    snapped = common_rate(average)
    if average > 0 and snapped.denominator in (1, 1001):
        return snapped
    if 0 < real <= 120:
        return common_rate(real)
    return snapped if average > 0 else Fraction(25)


def _is_video(each: dict[str, Any]) -> bool:
    cover = each.get("disposition", {}).get("attached_pic")
    return each.get("codec_type") == "video" and not cover and bool(each.get("width") and each.get("height"))


def _video(each: dict[str, Any]) -> VideoStream:
    width, height = int(each["width"]), int(each["height"])
    sar = _fraction(each.get("sample_aspect_ratio")) or Fraction(1)
    if _rotated(each):
        width, height, sar = height, width, 1 / sar
    return VideoStream(
        index=int(each["index"]),
        codec=str(each.get("codec_name", "")),
        profile=str(each.get("profile", "")),
        width=width,
        height=height,
        fps=rate_of(_fraction(each.get("avg_frame_rate")), _fraction(each.get("r_frame_rate"))),
        pix_fmt=str(each.get("pix_fmt", "")),
        field_order=_known(each.get("field_order")),
        sar=sar,
        matrix=_known(each.get("color_space")),
        duration=_duration(each),
        bit_rate=int(_positive(each.get("bit_rate")) or 0),
    )


def _audio(each: dict[str, Any]) -> AudioStream:
    return AudioStream(
        index=int(each["index"]),
        codec=str(each.get("codec_name", "")),
        channels=int(each["channels"]),
        layout=_known(each.get("channel_layout")),
        rate=int(each.get("sample_rate") or 48000),
        duration=_duration(each),
    )


def _duration(each: dict[str, Any]) -> float | None:
    """Matroska says it in a tag, and only for streams that a careful muxer wrote."""
    told = _positive(each.get("duration"))
    if told is not None:
        return told
    return length_of(LENGTH.fullmatch(str(each.get("tags", {}).get("DURATION", ""))))


def length_of(found: re.Match[str] | None) -> float | None:
    """Seconds of what `LENGTH` found; files say what they like, so that it may be no length at all."""
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None


def _timecode(tables: list[dict[str, Any]]) -> str:
    found = (checked_timecode(str(table.get("tags", {}).get("timecode", ""))) for table in tables)
    return next((timecode for timecode in found if timecode), "")


def _rotated(each: dict[str, Any]) -> bool:
    turns = [side.get("rotation", 0) for side in each.get("side_data_list", [])]
    return any(round(float(turn)) % 180 == 90 for turn in turns)


def _known(word: Any) -> str:
    return "" if word in (None, "unknown", "unspecified", "reserved") else str(word)


def _fraction(text: Any) -> Fraction:
    """A ratio such as ``30000/1001`` or ``64:45``; 0 where it is not one."""
    try:
        return Fraction(str(text).replace(":", "/"))
    except (ValueError, ZeroDivisionError):
        return Fraction(0)


def _positive(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if 0 < value < 1e9 else None
