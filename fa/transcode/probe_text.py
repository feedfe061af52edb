"""What ``ffmpeg -i`` prints, as ``MediaInfo``: for machines that have ffmpeg but no ffprobe. Pure.

It is text for people and says less: no duration per stream, frame rates to two places, no bit-exact layout of sample
formats. Everything that planning needs is there (tried with ffmpeg 5.1 and 9.0).
"""

from __future__ import annotations

import re
from fractions import Fraction

from fa.transcode.media import AudioStream, MediaInfo, VideoStream, common_rate
from fa.transcode.probe_json import LENGTH, checked_timecode, length_of

_INPUT = re.compile(r"Input #0, (.+?), from ")
_DURATION = re.compile(rf"Duration: {LENGTH.pattern}", re.ASCII)
_STREAM = re.compile(r"^ +Stream #0:(\d+)(?:\[0x[0-9a-f]+\])?(?:\([^)]*\))?: (Video|Audio): (.*)$")
_LEVEL = re.compile(r"^((?:\[[^\]]* @ 0x[0-9a-f]+\] ?)*)\[[a-z]+\] ")
_SIZE = re.compile(r", (\d{2,5})x(\d{2,5})")
_SAR = re.compile(r"SAR (\d+):(\d+)")
_RATE = re.compile(r", (\d+(?:\.\d+)?)(k?) (fps|tbr)")
_PIX_FMT = re.compile(r", ([a-z][a-z0-9]+)\(((?:[^()]|\([^()]*\))*)\)|, ([a-z][a-z0-9]+), \d+x")
_TURN = re.compile(r"rotation of (-?\d+(?:\.\d+)?) degrees")
_MATRICES = ("bt709", "smpte170m", "bt470bg", "bt2020nc")
_FIELDS = {
    "top first": "tt",
    "bottom first": "bb",
    "top coded first (swapped)": "tb",
    "bottom coded first (swapped)": "bt",
    "progressive": "progressive",
}
_WIDTHS = {"mono": 1, "stereo": 2, "2.1": 3, "quad": 4, "5.0": 5, "5.1": 6, "6.1": 7, "7.1": 8}


def media_from_text(text: str, size: int) -> MediaInfo | None:
    """The first input that the text describes, None where ffmpeg could not open it."""
    found = _INPUT.search(text)
    if found is None:
        return None
    lines = [_LEVEL.sub("", line) for line in text[found.start() :].splitlines()]
    streams = [_STREAM.match(line) for line in lines]
    rotated = any(round(float(turn)) % 180 == 90 for turn in _TURN.findall(text))
    described = [(int(each[1]), each[2], each[3]) for each in streams if each and "(attached pic)" not in each[3]]
    return MediaInfo(
        format=found[1],
        duration=_length(text),
        size=size,
        video=tuple(
            _video(index, words, rotated) for index, kind, words in described if kind == "Video" and _SIZE.search(words)
        ),
        audio=tuple(_audio(index, words) for index, kind, words in described if kind == "Audio"),
        timecode=_timecode(lines),
    )


def _length(text: str) -> float | None:
    return length_of(_DURATION.search(text))


def _video(index: int, words: str, rotated: bool) -> VideoStream:
    size = _SIZE.search(words)
    width, height = (int(size[1]), int(size[2])) if size else (0, 0)
    ratio = _SAR.search(words)
    sar = Fraction(int(ratio[1]), int(ratio[2])) if ratio and int(ratio[1]) and int(ratio[2]) else Fraction(1)
    if rotated:
        width, height, sar = height, width, 1 / sar
    name, pix_fmt, traits = _picture(words)
    return VideoStream(
        index=index,
        codec=name,
        profile=_profile(words),
        width=width,
        height=height,
        fps=_rate(words),
        pix_fmt=pix_fmt,
        field_order=next((order for trait, order in _FIELDS.items() if trait in traits), ""),
        sar=sar,
        matrix=next((word for trait in traits for word in trait.split("/") if word in _MATRICES), ""),
    )


def _picture(words: str) -> tuple[str, str, list[str]]:
    """Codec, pixel format, and what stands in brackets behind it: ``yuv422p(tv, bt709, top first)``."""
    codec = re.match(r"\w+", words)
    found = _PIX_FMT.search(words)
    if found is None:
        return codec[0] if codec else "", "", []
    return codec[0] if codec else "", found[1] or found[3], [trait.strip() for trait in (found[2] or "").split(",")]


def _profile(words: str) -> str:
    """The bracket behind the codec, unless it is a decoder (libdav1d) or a tag such as ``(avc1 / 0x31637661)``."""
    found = re.match(r"\w+ (?:\(lib\w+\) )?\(([^)/]+)\)", words)
    return found[1] if found else ""


def _rate(words: str) -> Fraction:
    rates = {unit: Fraction(value) * (1000 if kilo else 1) for value, kilo, unit in _RATE.findall(words)}
    return common_rate(rates.get("fps") or rates.get("tbr") or Fraction(25))


def _audio(index: int, words: str) -> AudioStream:
    parts = [part.strip() for part in words.split(",")]
    rate = next((int(part[:-3]) for part in parts if re.fullmatch(r"\d+ Hz", part)), 48000)
    after = next((number for number, part in enumerate(parts) if part.endswith(" Hz")), 0) + 1
    layout = parts[after] if after < len(parts) else ""
    counted = re.match(r"(\d+) channels?", layout)
    codec = re.match(r"\w+", words)
    return AudioStream(
        index=index,
        codec=codec[0] if codec else "",
        channels=int(counted[1]) if counted else _WIDTHS.get(layout.partition("(")[0], 2),
        layout="" if counted else layout,
        rate=rate,
    )


def _timecode(lines: list[str]) -> str:
    found = (re.match(r" *timecode *: (\S+)", line) for line in lines)
    return next((checked_timecode(each[1]) for each in found if each and checked_timecode(each[1])), "")
