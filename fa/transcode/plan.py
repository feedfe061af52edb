"""From a decided target to command lines, through ffmpeg-python. Pure.

A product takes one step, or two when its loudness is to be measured first. No word of a command line comes from a file
or a person, except the two paths (behind ``file:``), a checked timecode, and the operator's fenced ``args``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ffmpeg

from fa.transcode.fence import GLOBAL, INPUT, PROGRESS, file_url
from fa.transcode.media import MediaInfo
from fa.transcode.picture import Filter, picture_chain, rescaled
from fa.transcode.sound import Gain, audio_streams, copies, programme
from fa.transcode.target import AudioTarget, Target, VideoTarget

# ffmpeg-python hashes its words as UTF-8, which names of broken encoding are not: paths take their place at the end.
_INPUT, _OUTPUT = "fa:input", "fa:output"

MEASURE_SHARE = 0.25
"""Share of the progress that a measuring pass takes: it decodes, and encodes nothing."""

UNCHANGED = Gain()

LADDER_KBPS = {2160: 14000, 1440: 8000, 1080: 5000, 720: 2800, 540: 1600, 480: 1200, 432: 1000, 360: 800, 240: 400}
MASTER_PLAYLIST = "master.m3u8"


@dataclass(frozen=True, slots=True)
class Step:
    """One child process. ``what`` is measure, encode or exec; ``duration`` the seconds of media it should pass through
    (None where unknown); ``start`` and ``share`` place its progress in that of the task (0..1); ``cwd``, where
    set, is the folder to run in."""

    what: str
    argv: tuple[str, ...]
    duration: float | None
    start: float = 0.0
    share: float = 1.0
    cwd: str = ""


def measure_step(program: str, target: Target, info: MediaInfo, source: str, gain: Gain = UNCHANGED) -> Step:
    """A pass that measures the loudness that ``gain`` gives. Its log ends with the summary of ``ebur128``.

    The first one takes a share of the progress; further ones, behind a limiter, are rare and stand at its end.
    """
    assert target.audio is not None, "loudness is that of audio"
    heard = programme(_input(), info, target.audio, gain).filter("ebur128", peak="true", framelog="verbose")
    argv = _command(program, [heard], {"format": "null"}, source, "-")
    start, share = (0.0, MEASURE_SHARE) if gain == UNCHANGED else (MEASURE_SHARE, 0.0)
    return Step("measure", argv, target.duration, start, share)


def encode_step(
    program: str, target: Target, info: MediaInfo, source: str, output: str, gain: Gain = UNCHANGED
) -> Step:
    """The pass that writes ``output``: a file, or the folder of a ladder. ``gain``: what the measuring
    came to."""
    start = MEASURE_SHARE if target.audio is not None and target.audio.loud is not None else 0.0
    if target.preset.kind == "ladder":
        argv = _ladder(program, target, info, source, gain)
    elif target.preset.kind == "image":
        argv = _still(program, target, info, source, output)
    else:
        argv = _media(program, target, info, source, output, gain)
    cwd = output if target.preset.kind == "ladder" else ""
    return Step("encode", argv, _expected(target), start, 1.0 - start, cwd)


def exec_step(argv: tuple[str, ...], program: str, source: str, output: str) -> Step:
    """A site's own tool: ``argv`` with ``{input}`` and ``{output}`` filled in, run as ``program``."""
    filled = {"{input}": source, "{output}": output}
    return Step("exec", (program, *(filled.get(word, word) for word in argv[1:])), None)


def still_times(target: Target) -> tuple[float, float]:
    """Where a still starts in the source, and the seconds between the frames of a sheet."""
    duration = target.duration or 0.0
    count = target.columns * target.rows
    return (duration * target.position, 0.0) if count == 1 else (0.0, duration / count)


def _expected(target: Target) -> float | None:
    return None if target.preset.kind == "image" and target.columns * target.rows == 1 else target.duration


def _media(program: str, target: Target, info: MediaInfo, source: str, output: str, gain: Gain) -> tuple[str, ...]:
    opened = _input()
    streams: list[Any] = []
    options: dict[str, Any] = {"format": target.preset.format, **dict(target.preset.mux)}
    if target.video is not None:
        streams.append(_picture(opened, info, target.video))
        options |= _video_options(target.video)
    if target.audio is not None:
        streams += audio_streams(opened, info, target.audio, gain)
        options |= _audio_options(target.audio)
    options |= _labels(target, info)
    return _command(program, streams, options, source, file_url(output), target.args)


def _still(program: str, target: Target, info: MediaInfo, source: str, output: str) -> tuple[str, ...]:
    assert target.video is not None, "a still is a picture"
    start, interval = still_times(target)
    opened = _input(ss=f"{start:.3f}") if start else _input()
    stream = opened[str(info.video[0].index)]
    if interval:
        stream = stream.filter("fps", f"1/{interval:.6f}", round="up")
    for each in picture_chain(info.video[0], target.video):
        if each.name != "fps":
            stream = _apply(stream, each)
    if interval:
        stream = stream.filter("tile", f"{target.columns}x{target.rows}", padding=4, margin=4)
    options = {"format": target.preset.format, "frames:v": "1", **_video_options(target.video)}
    return _command(program, [stream], options, source, file_url(output), target.args)


def _ladder(program: str, target: Target, info: MediaInfo, source: str, gain: Gain) -> tuple[str, ...]:
    """Every rendition from one decode. It runs within the output folder, so that all names it sees are ours: ``%v`` and
    ``%05d`` are the only patterns."""
    assert target.video is not None, "a ladder is made of pictures"
    opened = _input()
    count = len(target.renditions)
    decoded = copies(opened[str(info.video[0].index)].filter("null"), count, "split")
    streams, options = [], _video_options(target.video)
    for number, (height, stream) in enumerate(zip(target.renditions, decoded, strict=True)):
        for each in picture_chain(info.video[0], rescaled(target.video, height)):
            stream = _apply(stream, each)
        streams.append(stream)
        options |= _rendition_options(number, height)
    if target.audio is not None:
        [heard] = audio_streams(opened, info, target.audio, gain)
        streams += copies(heard, count, "asplit")
        options |= _audio_options(target.audio)
    options |= _segments(target) | {"format": "hls", **dict(target.preset.mux)}
    return _command(program, streams, options, source, "%v.m3u8", target.args)


def _rendition_options(number: int, height: int) -> dict[str, str]:
    kbps = LADDER_KBPS.get(height) or max(150, round(height * height * 0.0043))
    return {
        f"b:v:{number}": f"{kbps}k",
        f"maxrate:v:{number}": f"{kbps * 11 // 10}k",
        f"bufsize:v:{number}": f"{kbps * 2}k",
    }


def _segments(target: Target) -> dict[str, str]:
    """Segments of equal length that start with a key frame in every rendition, so that players can switch."""
    assert target.video is not None, "a ladder is made of pictures"
    every = max(1, round(target.segment * target.video.fps))
    sound = ",a:{0}" if target.audio is not None else ""
    names = [f"v:{n}{sound.format(n)},name:{height}p" for n, height in enumerate(target.renditions)]
    return {
        "g": str(every),
        "keyint_min": str(every),
        "hls_time": f"{float(every / target.video.fps):.6f}",
        "hls_playlist_type": "vod",
        "hls_list_size": "0",
        "hls_flags": "independent_segments",
        "hls_segment_type": "mpegts",
        "hls_segment_filename": "%v_%05d.ts",
        "master_pl_name": MASTER_PLAYLIST,
        "var_stream_map": " ".join(names),
    }


def _input(**options: str) -> Any:
    return ffmpeg.input(_INPUT, **INPUT, **options)


def _picture(opened: Any, info: MediaInfo, target: VideoTarget) -> Any:
    stream = opened[str(info.video[0].index)]
    for each in picture_chain(info.video[0], target):
        stream = _apply(stream, each)
    return stream


def _apply(stream: Any, each: Filter) -> Any:
    return stream.filter(each.name, *each.args, **dict(each.options))


def _video_options(video: VideoTarget) -> dict[str, str]:
    options = {"c:v": video.encoder, **dict(video.options)}
    if video.matrix:
        curve = "bt709" if video.matrix == "bt709" else "smpte170m"
        options |= {"color_primaries": video.matrix, "color_trc": curve, "colorspace": video.matrix}
    return options


def _audio_options(audio: AudioTarget) -> dict[str, str]:
    return {"c:a": audio.encoder, "ar": "48000", **dict(audio.options)}


def _labels(target: Target, info: MediaInfo) -> dict[str, str]:
    """The timecode where the container has room for one; a broadcast wave says it as samples since midnight."""
    if not target.timecode:
        return {}
    if target.preset.format in ("mov", "mp4", "mxf", "mxf_d10"):
        return {"timecode": target.timecode}
    if target.preset.format == "wav":
        fps = info.video[0].fps if info.video else Fraction(25)
        return {"metadata": f"time_reference={samples_since_midnight(target.timecode, fps)}"}
    return {}


def samples_since_midnight(timecode: str, fps: Fraction, rate: int = 48000) -> int:
    """``time_reference`` of a bext chunk (EBU Tech 3285) for HH:MM:SS:FF; drop-frame numbering is undone."""
    hours, minutes, seconds, frames = (int(timecode[at : at + 2]) for at in (0, 3, 6, 9))
    base = round(fps)
    total_minutes = hours * 60 + minutes
    count = (total_minutes * 60 + seconds) * base + frames
    if timecode[8] == ";":
        count -= (base // 15) * (total_minutes - total_minutes // 10)
    return int(count / fps * rate)


def _command(
    program: str, streams: list[Any], options: dict[str, Any], source: str, output: str, args: tuple[str, ...] = ()
) -> tuple[str, ...]:
    compiled = ffmpeg.compile(ffmpeg.output(*streams, _OUTPUT, **options), cmd=[program, *GLOBAL, *PROGRESS, "-y"])
    assert compiled[-1] == _OUTPUT, "the output is the last word"
    words = [file_url(source) if word == _INPUT else word for word in compiled[:-1]]
    return (*words, "-map_chapters", "-1", *args, output)
