"""The audio part of the filter graph: which source channel goes where, at which level. Pure.

Every channel is picked alone (``pan=mono``) and put together again, so that it does not matter whether a source holds
its sound as eight mono streams, four pairs or one stream of eight channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ffmpeg

from fa.transcode.media import MediaInfo
from fa.transcode.target import AudioTarget, Loud

RATE = 48000
_PROGRAMMES = ("mono", "stereo", "5.1")
"""Layouts that are one programme; the others are channels that each stand for themselves."""

PEAK_MARGIN = 0.3
"""dB that resampling may add to a limited peak."""

SILENT_LUFS = -60.0
"""Below this a programme is silence (ITU-R BS.1770 gates at -70): lifting it would only lift noise."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """What the measuring pass found: integrated loudness and gate threshold in LUFS, range in LU, true peak in dBTP."""

    integrated: float
    threshold: float
    range: float
    true_peak: float


@dataclass(frozen=True, slots=True)
class Gain:
    """How the programme is brought to its loudness: ``decibels`` for all of it, then a limiter at ``ceiling`` dBTP
    where the gain would push the true peak above that (None: no limiter)."""

    decibels: float = 0.0
    ceiling: float | None = None

    def raised(self, decibels: float) -> Gain:
        """More of it: what the limiter took away, say."""
        return Gain(self.decibels + decibels, self.ceiling)


def gain_for(measured: Loudness, wanted: Loud) -> Gain:
    """EBU R128: one gain for the whole programme, which changes nothing of its dynamics, as long as the peaks fit."""
    if measured.integrated < SILENT_LUFS:
        return Gain()
    decibels = wanted.integrated - measured.integrated
    fits = measured.true_peak + decibels <= wanted.true_peak
    return Gain(decibels, None if fits else wanted.true_peak)


def audio_streams(source: Any, info: MediaInfo, target: AudioTarget, gain: Gain) -> list[Any]:
    """One ffmpeg-python stream per audio stream of the output, of the input ``source``. ``gain`` levels the
    programme: the whole stream, or the first two channels where each channel stands for itself."""
    if target.layout in _PROGRAMMES:
        return [_levelled(_together(source, info, target), gain)]
    singles = _level_pair(_channels(source, info, target.channels), gain)
    return singles if target.layout == "tracks" else [_named(_join(singles), f"{len(singles)}c", len(singles))]


def programme(source: Any, info: MediaInfo, target: AudioTarget, gain: Gain) -> Any:
    """The stream whose loudness counts, as ``audio_streams`` levels it."""
    if target.layout in _PROGRAMMES:
        return _levelled(_together(source, info, target), gain)
    return _levelled(_join(_channels(source, info, target.channels[:2])), gain)


def copies(stream: Any, count: int, splitter: str) -> list[Any]:
    """``stream`` for ``count`` readers: a filter's output can be read once only."""
    if count == 1:
        return [stream]
    split = stream.filter_multi_output(splitter)
    return [split[number] for number in range(count)]


def _together(source: Any, info: MediaInfo, target: AudioTarget) -> Any:
    if target.downmix:
        return _rated(source[str(info.audio[0].index)]).filter("aformat", channel_layouts=target.layout)
    return _named(_join(_channels(source, info, target.channels)), target.layout, len(target.channels))


def _named(joined: Any, layout: str, count: int) -> Any:
    """``joined``, whose ``count`` channels mean ``layout``."""
    if count == 1:
        return joined
    routes = "|".join(f"c{number}=c{number}" for number in range(count))
    return joined.filter("pan", args=f"{layout}|{routes}")


def _level_pair(singles: list[Any], gain: Gain) -> list[Any]:
    """The mono streams, the first two of which are levelled as one programme."""
    if gain == Gain():
        return singles
    pair = _levelled(_join(singles[:2]), gain)
    if len(singles) == 1:
        return [pair]
    left, right = (half.filter("pan", args=f"mono|c0=c{n}") for n, half in enumerate(copies(pair, 2, "asplit")))
    return [left, right, *singles[2:]]


def _channels(source: Any, info: MediaInfo, numbers: tuple[int, ...]) -> list[Any]:
    """Each source channel of ``numbers`` as a mono stream, in that order."""
    ready: dict[int, list[Any]] = {}
    for number in sorted(set(numbers)):
        ready[number] = copies(_channel(source, info, number), numbers.count(number), "asplit")
    return [ready[number].pop(0) for number in numbers]


def _channel(source: Any, info: MediaInfo, number: int) -> Any:
    """Source channel ``number`` as a mono stream at 48 kHz; 0 gives silence as long as the source."""
    if not info.audio:
        length = {"t": f"{info.duration:.6f}"} if info.duration else {}
        return ffmpeg.input(f"anullsrc=r={RATE}:cl=mono", f="lavfi", **length).audio.filter("anull")
    stream, channel = info.channels[max(0, number - 1)]
    level = "" if number else "0*"
    return _rated(source[str(stream.index)].filter("pan", args=f"mono|c0={level}c{channel}"))


def _join(singles: list[Any]) -> Any:
    """Mono streams side by side; ``amerge`` keeps their order because their layouts overlap (and must be told them)."""
    if len(singles) == 1:
        return singles[0]
    named = [single.filter("aformat", channel_layouts="mono") for single in singles]
    return ffmpeg.filter(named, "amerge", inputs=len(named))


def _rated(stream: Any) -> Any:
    """At 48 kHz, and from time 0: holes and a late start become silence, so that tracks stay level with the picture."""
    return stream.filter("aresample", RATE, **{"async": 1, "first_pts": 0})


def _levelled(stream: Any, gain: Gain) -> Any:
    if gain.decibels:
        stream = stream.filter("volume", f"{gain.decibels:.2f}dB", precision="double")
    return stream if gain.ceiling is None else _limited(stream, gain.ceiling)


def _limited(stream: Any, ceiling: float) -> Any:
    """True peaks lie between samples: the limiter works at four times the rate, and a little below its ceiling."""
    limit = 10 ** ((ceiling - PEAK_MARGIN) / 20)
    oversampled = stream.filter("aresample", RATE * 4)
    limited = oversampled.filter("alimiter", limit=f"{limit:.4f}", attack=2, release=60, level=0, latency=1)
    return limited.filter("aresample", RATE)
