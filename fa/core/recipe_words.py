"""The vocabulary of recipes: presets with what they need, overrides with what they accept.

The parameters of the presets are data of ``fa/transcode/presets.toml``; here is only what a coordinator must know to
judge a recipe and to place a task. A test of ``transcode`` holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

PRIORITIES = {"low": 25, "normal": 50, "high": 75, "urgent": 100}
SLOT_CLASSES = ("cpu", "gpu")
REQUIREMENT_KINDS = ("encoder", "exec", "filter", "tag", "volume")

VARIABLES = (
    "source.stem",
    "source.name",
    "source.ext",
    "source.dir",
    "job",
    "product",
    "factory",
    "date",
    "time",
    "subject",
    "attempt",
)


@dataclass(frozen=True, slots=True)
class PresetNeeds:
    """The encoders and filters of ffmpeg that a preset may use, the usual end of its file name, and the overrides that
    mean something to it."""

    encoders: tuple[str, ...]
    filters: tuple[str, ...]
    extension: str
    accepts: tuple[str, ...]


_VIDEO = ("bwdif", "fps", "pad", "scale", "tinterlace")
_AUDIO = ("aformat", "amerge", "aresample", "pan")

_FITTED = ("deinterlace", "fit", "decode_errors", "timecode")
_SIZED = (*_FITTED, "width", "height", "max_height", "fps")
_TUNED = ("crf", "video_bitrate", "speed", "gop")
_HEARD = ("audio", "audio_tracks", "audio_map", "loudness", "true_peak")
_PACKED = (*_SIZED, *_TUNED, *_HEARD, "audio_bitrate")
_STILL = ("deinterlace", "fit", "width", "height", "decode_errors")

PRESETS: dict[str, PresetNeeds] = {
    "h264-mp4": PresetNeeds(("libx264", "aac"), _VIDEO + _AUDIO, ".mp4", _PACKED),
    "hevc-mp4": PresetNeeds(("libx265", "aac"), _VIDEO + _AUDIO, ".mp4", _PACKED),
    "av1-mp4": PresetNeeds(("libsvtav1", "aac"), _VIDEO + _AUDIO, ".mp4", _PACKED),
    "hls-ladder": PresetNeeds(
        ("libx264", "aac"),
        _VIDEO + _AUDIO,
        "",
        ("deinterlace", "decode_errors", "fps", "speed", "renditions", "segment", "audio_bitrate", *_HEARD),
    ),
    "prores-422hq": PresetNeeds(("prores_ks", "pcm_s24le"), _VIDEO + _AUDIO, ".mov", (*_SIZED, "scan", *_HEARD)),
    "dnxhr-hq": PresetNeeds(("dnxhd", "pcm_s24le"), _VIDEO + _AUDIO, ".mxf", (*_SIZED, *_HEARD)),
    "xdcam-hd422": PresetNeeds(("mpeg2video", "pcm_s24le"), _VIDEO + _AUDIO, ".mxf", (*_FITTED, "fps", *_HEARD)),
    "avc-intra-100": PresetNeeds(
        ("libx264", "pcm_s24le"), _VIDEO + _AUDIO, ".mxf", (*_FITTED, "fps", "speed", *_HEARD)
    ),
    "imx-50": PresetNeeds(("mpeg2video", "pcm_s24le"), _VIDEO + _AUDIO, ".mxf", (*_FITTED, *_HEARD)),
    "mpeg2-ts": PresetNeeds(
        ("mpeg2video", "mp2"),
        _VIDEO + _AUDIO,
        ".ts",
        (*_SIZED, "scan", "video_bitrate", "gop", "audio_bitrate", *_HEARD),
    ),
    "bwf": PresetNeeds(("pcm_s24le",), _AUDIO, ".wav", ("decode_errors", "timecode", *_HEARD)),
    "poster": PresetNeeds(("mjpeg",), ("bwdif", "scale"), ".jpg", (*_STILL, "max_height", "position")),
    "contact-sheet": PresetNeeds(
        ("mjpeg",), ("bwdif", "fps", "pad", "scale", "tile"), ".jpg", (*_STILL, "columns", "rows")
    ),
}

Check: TypeAlias = Callable[[Any], Any]
"""Takes what the TOML held, answers the normalised value, or raises ValueError with a sentence for the operator."""


def _integer(low: int, high: int, step: int = 1) -> Check:
    def check(value: Any) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not low <= value <= high or value % step:
            even = " and even" if step == 2 else ""
            raise ValueError(f"must be a whole number from {low} to {high}{even}")
        return int(value)

    return check


def _number(low: float, high: float) -> Check:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return float(value)

    return check


def _choice(*words: str) -> Check:
    def check(value: Any) -> str:
        if value not in words:
            raise ValueError("must be one of " + ", ".join(words))
        return str(value)

    return check


def _pattern(pattern: str, sentence: str) -> Check:
    compiled = re.compile(pattern)

    def check(value: Any) -> str:
        text = value if isinstance(value, str) else str(value) if type(value) in (int, float) else ""
        if not compiled.fullmatch(text):
            raise ValueError(sentence)
        return text

    return check


def _integers(low: int, high: int, longest: int) -> Check:
    def check(value: Any) -> tuple[int, ...]:
        each = _integer(low, high)
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= longest:
            raise ValueError(f"must be a list of 1 to {longest} whole numbers")
        return tuple(each(item) for item in value)

    return check


def _loudness(value: Any) -> float | str:
    if value is True:
        return -23.0
    if value in (False, "off"):
        return "off"
    if value == "r128":
        return -23.0
    return float(_number(-36.0, -9.0)(value))


def _timecode(value: Any) -> str:
    if value in ("keep", "none"):
        return str(value)
    return str(_pattern(r"\d\d:[0-5]\d:[0-5]\d[:;]\d\d", "must be keep, none or HH:MM:SS:FF")(value))


_RATE = _pattern(r"[1-9]\d{0,5}([kKM])?", 'must be a bit rate such as "8M" or "192k"')

OVERRIDES: dict[str, Check] = {
    "width": _integer(16, 16384, 2),
    "height": _integer(16, 16384, 2),
    "max_height": _integer(16, 16384, 2),
    "fps": _pattern(
        r"source|broadcast|[1-9]\d{0,2}(\.\d{1,3})?|[1-9]\d{0,5}/(1|1001)",
        'must be source, broadcast, or a rate such as "25" or "30000/1001"',
    ),
    "scan": _choice("progressive", "interlaced", "source"),
    "deinterlace": _choice("auto", "always", "never"),
    "fit": _choice("pad", "crop", "stretch"),
    "video_bitrate": _RATE,
    "crf": _integer(0, 63),
    "speed": _pattern(r"[a-z0-9]{1,16}", "must be an encoder preset such as veryfast, slow or 8"),
    "gop": _integer(1, 1200),
    "audio": _choice("stereo", "mono", "5.1", "tracks", "interleaved", "none"),
    "audio_tracks": _integer(0, 32),
    "audio_map": _integers(0, 64, 32),
    "audio_bitrate": _RATE,
    "loudness": _loudness,
    "true_peak": _number(-9.0, 0.0),
    "timecode": _timecode,
    "position": _number(0.0, 1.0),
    "columns": _integer(1, 20),
    "rows": _integer(1, 20),
    "renditions": _integers(16, 4320, 8),
    "segment": _number(1.0, 30.0),
    "decode_errors": _choice("fail", "tolerate"),
}
"""Settings that a product may carry beside its preset. ``audio_map`` names, for each output channel, the source
channel counted from 1 across all audio streams (0 = silence). ``loudness`` is in LUFS, ``true_peak`` in dBTP,
``position`` a share of the duration, ``segment`` in seconds."""
