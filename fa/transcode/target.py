"""What the output will be: the preset, the overrides and the source, boiled down to decided figures. Pure.

Nothing after this asks "does the preset say, or the operator, or the source?" again.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fa.core.recipe_values import Product, Value
from fa.transcode.errors import BadRecipe, BadSource
from fa.transcode.media import MediaInfo, VideoStream, common_rate
from fa.transcode.presets import AudioPreset, Options, Preset, VideoPreset
from fa.transcode.shape import Raster, canvas_for

NTSC = Fraction(1001, 1000)
R128_LUFS = -23.0
R128_PEAK = -1.0


@dataclass(frozen=True, slots=True)
class VideoTarget:
    """``fps`` counts frames, also when ``interlaced`` (25i is 25). ``deinterlace``: the source is to be treated as
    interlaced. ``fit`` is pad, crop or stretch."""

    encoder: str
    codec: str
    pix_fmt: str
    raster: Raster
    lines_above: int
    fps: Fraction
    interlaced: bool
    source_interlaced: bool
    fit: str
    matrix: str
    options: Options


@dataclass(frozen=True, slots=True)
class Loud:
    """Integrated loudness in LUFS and the ceiling of the true peak in dBTP."""

    integrated: float
    true_peak: float


@dataclass(frozen=True, slots=True)
class AudioTarget:
    """``channels`` names for each output channel the source channel, counted from 1 over all streams (0 = silence).
    ``streams`` is how many audio streams the output has; ``layout`` as in ``AudioPreset``. ``downmix``: leave the first
    stream whole and let ffmpeg mix it."""

    encoder: str
    codec: str
    layout: str
    channels: tuple[int, ...]
    streams: int
    downmix: bool
    loud: Loud | None
    options: Options

    @property
    def channels_per_stream(self) -> int:
        return 1 if self.layout == "tracks" else len(self.channels)


@dataclass(frozen=True, slots=True)
class Target:
    """A whole output. ``duration`` is that of the source in seconds, None where it does not say."""

    preset: Preset
    video: VideoTarget | None
    audio: AudioTarget | None
    timecode: str
    duration: float | None
    args: tuple[str, ...] = ()
    renditions: tuple[int, ...] = ()
    segment: float = 6.0
    position: float = 0.0
    columns: int = 1
    rows: int = 1
    tolerate_errors: bool = False


class Settings:
    """The overrides of a product, typed; a missing one gives the default that the caller names."""

    def __init__(self, product: Product) -> None:
        self._values: dict[str, Value] = dict(product.overrides)

    def has(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str) -> str:
        return str(self._values.get(name, default))

    def whole(self, name: str, default: int) -> int:
        value = self._values.get(name, default)
        assert isinstance(value, int), f"{name} was checked to be a whole number"
        return value

    def number(self, name: str, default: float) -> float:
        value = self._values.get(name, default)
        assert isinstance(value, int | float), f"{name} was checked to be a number"
        return float(value)

    def wholes(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self._values.get(name, default)
        assert isinstance(value, tuple), f"{name} was checked to be a list"
        return tuple(int(each) for each in value)


def decide(product: Product, preset: Preset, info: MediaInfo) -> Target:
    """What ``product`` makes of a source like ``info``. Raises BadSource when it lacks what the product needs,
    BadRecipe when overrides contradict each other."""
    settings = Settings(product)
    video = _video(preset, preset.video, settings, info) if preset.video else None
    audio = _audio(preset, preset.audio, settings, info) if preset.audio else None
    if video is None and audio is None:
        raise BadSource("The source has no audio, and the product is nothing but audio.")
    source_height = info.video[0].height if info.video else 0
    return Target(
        preset=preset,
        video=video,
        audio=audio,
        timecode=_timecode(settings, info, video.fps if video else None),
        duration=info.duration,
        args=product.args,
        renditions=_renditions(settings.wholes("renditions", preset.renditions), source_height),
        segment=settings.number("segment", preset.segment),
        position=settings.number("position", preset.position),
        columns=settings.whole("columns", preset.columns),
        rows=settings.whole("rows", preset.rows),
        tolerate_errors=settings.text("decode_errors", "fail") == "tolerate",
    )


def _video(preset: Preset, wanted: VideoPreset, settings: Settings, info: MediaInfo) -> VideoTarget:
    if not info.video:
        raise BadSource("The source has no video, and the product needs it.", hint="Submit it to an audio factory.")
    source = info.video[0]
    source_interlaced = {"always": True, "never": False}.get(settings.text("deinterlace", "auto"), source.interlaced)
    scan = settings.text("scan", wanted.scan)
    interlaced = scan == "interlaced" or (scan == "source" and source_interlaced)
    options = _video_options(wanted, settings) + (wanted.interlaced if interlaced else ())
    return VideoTarget(
        encoder=wanted.encoder,
        codec=wanted.codec,
        pix_fmt=wanted.pix_fmt,
        raster=_raster(wanted, settings, source),
        lines_above=wanted.lines_above,
        fps=_rate(settings.text("fps", wanted.fps), source.fps, interlaced),
        interlaced=interlaced,
        source_interlaced=source_interlaced,
        fit=settings.text("fit", "pad"),
        matrix=wanted.matrix,
        options=options,
    )


def _raster(wanted: VideoPreset, settings: Settings, source: VideoStream) -> Raster:
    return canvas_for(
        Raster(source.width, source.height, source.sar),
        width=settings.whole("width", wanted.width),
        height=settings.whole("height", wanted.height),
        max_height=settings.whole("max_height", wanted.max_height),
        aspect=Fraction(wanted.aspect) if wanted.aspect else None,
    )


def _rate(wanted: str, source: Fraction, interlaced: bool) -> Fraction:
    """Frames per second. ``broadcast`` is 25 or 29.97, whichever family the source is of; an interlaced output has half
    the rate of a source above 30."""
    if wanted == "broadcast":
        return Fraction(25) if source.denominator == 1 and source % 25 == 0 else Fraction(30000, 1001)
    if wanted == "source":
        return source / 2 if interlaced and source > 30 else source
    return common_rate(Fraction(wanted))


def _video_options(wanted: VideoPreset, settings: Settings) -> Options:
    options = dict(wanted.options)
    if settings.has("crf"):
        options["crf"] = settings.text("crf", "")
    if settings.has("video_bitrate"):
        rate = settings.text("video_bitrate", "")
        options.pop("crf", None)
        options |= {"b:v": rate, "maxrate:v": rate, "bufsize:v": rate}
    if settings.has("speed") and wanted.speed:
        options[wanted.speed] = settings.text("speed", "")
    if settings.has("gop"):
        options["g"] = settings.text("gop", "")
    return tuple(options.items())


def _audio(preset: Preset, wanted: AudioPreset, settings: Settings, info: MediaInfo) -> AudioTarget | None:
    layout = settings.text("audio", wanted.layout)
    tracks = settings.whole("audio_tracks", wanted.tracks)
    if layout == "none" or (not info.audio and (not preset.video or not wanted.tracks)):
        return None
    channels, downmix = _channels(layout, tracks, settings.wholes("audio_map", ()), info)
    options = dict(wanted.options)
    if settings.has("audio_bitrate"):
        options["b:a"] = settings.text("audio_bitrate", "")
    return AudioTarget(
        encoder=wanted.encoder,
        codec=wanted.codec,
        layout=layout,
        channels=channels,
        streams=len(channels) if layout == "tracks" else 1,
        downmix=downmix,
        loud=_loud(settings) if info.audio else None,
        options=tuple(options.items()),
    )


_WIDTHS = {"mono": 1, "stereo": 2, "5.1": 6}


def _channels(layout: str, tracks: int, mapped: tuple[int, ...], info: MediaInfo) -> tuple[tuple[int, ...], bool]:
    """The source channel of each output channel, and whether ffmpeg is to mix the first stream down instead."""
    count = len(info.channels)
    if mapped:
        if layout in _WIDTHS and len(mapped) != _WIDTHS[layout]:
            raise BadRecipe(f"audio_map names {len(mapped)} channels, and {layout} has {_WIDTHS[layout]}.")
        if max(mapped) > count:
            raise BadSource(f"audio_map names source channel {max(mapped)}, and the source has {count}.")
        return mapped, False
    if layout not in _WIDTHS:
        return tuple(n if n <= count else 0 for n in range(1, (tracks or count) + 1)), False
    width = _WIDTHS[layout]
    first = info.audio[0] if info.audio else None
    if first is not None and first.channels > 2 and not first.layout:
        return _take(width, count), False
    if first is not None and first.channels > 1:
        return tuple(range(1, width + 1)), True
    return _take(width, count), False


def _take(width: int, count: int) -> tuple[int, ...]:
    """The first ``width`` channels; one alone serves both sides of a stereo pair; what is missing is silence."""
    if width == 2 and count == 1:
        return (1, 1)
    return tuple(n if n <= count else 0 for n in range(1, width + 1))


def _loud(settings: Settings) -> Loud | None:
    wanted = settings.text("loudness", "off")
    return None if wanted == "off" else Loud(float(wanted), settings.number("true_peak", R128_PEAK))


def _timecode(settings: Settings, info: MediaInfo, fps: Fraction | None) -> str:
    wanted = settings.text("timecode", "keep")
    timecode = {"keep": info.timecode, "none": ""}.get(wanted, wanted)
    source_fps = info.video[0].fps if info.video else None
    if not timecode or fps is None or source_fps is None or wanted != "keep":
        return timecode
    return retime(timecode, source_fps, fps)


def retime(timecode: str, source: Fraction, target: Fraction) -> str:
    """The timecode of the same instant at another frame rate: frames are rescaled, 29.97 and 59.94 count drop-frame."""
    if source == target:
        return timecode
    clock, frames = timecode[:8], int(timecode[9:])
    scaled = min(int(frames * round(target) / round(source)), round(target) - 1)
    drop = target in (Fraction(30000, 1001), Fraction(60000, 1001))
    if drop and scaled < round(target) // 15 and clock.endswith(":00") and int(clock[3:5]) % 10:
        scaled = round(target) // 15  # drop-frame has no frames 00 and 01 at the start of such a minute
    return f"{clock}{';' if drop else ':'}{scaled:02d}"


def _renditions(wanted: tuple[int, ...], source_height: int) -> tuple[int, ...]:
    """The heights that do not enlarge the source; that of the source when all would."""
    kept = tuple(height - height % 2 for height in sorted(set(wanted), reverse=True) if height <= source_height)
    return kept or (max(2, source_height - source_height % 2),) * bool(wanted)
