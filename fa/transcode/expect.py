"""What an output must be to be accepted, and how far it may be off. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from fa.core.recipe_needs import names_encoder
from fa.transcode.media import MediaInfo
from fa.transcode.picture import rescaled
from fa.transcode.progress import Progress
from fa.transcode.target import Target

SLACK_SECONDS = 0.5
"""Tracks of one file rarely end at the same instant; more than this is missing material."""

SLACK_SHARE = 0.001
LOOSE_SHARE = 0.05
WRITTEN_SLACK = 0.25


@dataclass(frozen=True, slots=True)
class Expected:
    """The planned streams. ``duration`` is that of the source material in seconds (None: not known, or a still), and
    ``slack`` how far from it is still right; ``frames`` the pictures that the source's video stream should give;
    ``any_codec`` the kinds of stream ("v", "a") whose encoder the operator's own ``args`` name."""

    video_codec: str = ""
    width: int = 0
    height: int = 0
    fps: Fraction = Fraction(0)
    audio_codec: str = ""
    audio_streams: int = 0
    channels: int = 0
    duration: float | None = None
    slack: float = SLACK_SECONDS
    frames: int | None = None
    any_codec: frozenset[str] = frozenset()


def expected_of(target: Target, info: MediaInfo) -> Expected:
    """What ``target`` must come out as."""
    duration, slack = _length(target, info)
    video, audio = target.video, target.audio
    still = target.preset.kind == "image"
    height = 0
    if video is not None and target.renditions:
        video = rescaled(video, target.renditions[0])  # the one that is looked at
    if video is not None:
        height = video.raster.height * target.rows + video.lines_above
    return Expected(
        video_codec=video.codec if video else "",
        width=0 if video is None or still else video.raster.width,
        height=0 if still else height,
        fps=video.fps if video and not still else Fraction(0),
        audio_codec=audio.codec if audio else "",
        audio_streams=audio.streams if audio else 0,
        channels=audio.channels_per_stream if audio else 0,
        duration=None if still else duration,
        slack=slack,
        frames=None if still else _frames(target, info),
        any_codec=frozenset(kind for kind in "va" if any(names_encoder(word, kind) for word in target.args)),
    )


def stream_problems(expected: Expected, made: MediaInfo) -> Iterator[str]:
    """A sentence for each planned stream that ``made`` lacks or has otherwise."""
    if bool(made.video) != bool(expected.video_codec):
        yield f"it has {len(made.video)} video streams"
    for video in made.video[:1] if expected.video_codec else ():
        if video.codec != expected.video_codec and "v" not in expected.any_codec:
            yield f"its video is {video.codec}, not {expected.video_codec}"
        if expected.width and (video.width, video.height) != (expected.width, expected.height):
            yield f"its picture is {video.width}x{video.height}, not {expected.width}x{expected.height}"
        if expected.fps and abs(video.fps - expected.fps) > expected.fps / 500:
            yield f"its frame rate is {float(video.fps):.3f}, not {float(expected.fps):.3f}"
    if len(made.audio) != expected.audio_streams:
        yield f"it has {len(made.audio)} audio streams, not {expected.audio_streams}"
    for audio in made.audio:
        if expected.audio_codec not in ("", audio.codec) and "a" not in expected.any_codec:
            yield f"its audio is {audio.codec}, not {expected.audio_codec}"
        if expected.channels and audio.channels != expected.channels:
            yield f"an audio stream has {audio.channels} channels, not {expected.channels}"


def source_problems(expected: Expected, decoded: Progress) -> Iterator[str]:
    """Whether as much was decoded as the source's header promises: half an MKV encodes without an error."""
    if expected.duration is not None and expected.duration - decoded.seconds > expected.slack:
        yield f"its header promises {expected.duration:.2f} s, and only {decoded.seconds:.2f} s could be decoded"
    elif expected.frames is not None and expected.fps:
        missing = float((expected.frames - decoded.frames) / expected.fps)
        if missing > expected.slack:
            yield f"its header promises {expected.frames} pictures, and only {decoded.frames} could be decoded"


def length_problems(expected: Expected, decoded: Progress, made: float | None) -> Iterator[str]:
    """Whether the output is as long as what was decoded."""
    if expected.duration is None:
        return
    if made is None:
        yield "it does not say how long it is"
    elif abs(made - decoded.seconds) > max(WRITTEN_SLACK, float(2 / expected.fps) if expected.fps else 0.0):
        yield f"it is {made:.2f} s long, and {decoded.seconds:.2f} s were encoded"


def _length(target: Target, info: MediaInfo) -> tuple[float | None, float]:
    """The length of the streams that are used, and the slack. Where streams do not say how long they are, the file's
    own length counts; it may be that of a stream that is not used."""
    used: list[float | None] = [info.video[0].duration] if target.video and info.video else []
    used += [stream.duration for stream in info.audio] if target.audio else []
    known = [duration for duration in used if duration is not None]
    if known and len(known) == len(used):
        return max(known), max(SLACK_SECONDS, max(known) * SLACK_SHARE)
    if info.duration is None:
        return None, SLACK_SECONDS
    everything = (not info.video or target.video is not None) and (not info.audio or target.audio is not None)
    return info.duration, max(SLACK_SECONDS, info.duration * (SLACK_SHARE if everything else LOOSE_SHARE))


def _frames(target: Target, info: MediaInfo) -> int | None:
    if target.video is None or info.video[0].duration is None:
        return None
    return int(info.video[0].duration * target.video.fps)
