"""The presets as frozen values, read once from ``presets.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

Options: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class VideoPreset:
    """``width`` and ``height`` of 0 follow the source (up to ``max_height``). ``lines_above`` are VBI lines that come
    on top of ``height``. ``aspect`` is the display aspect where it is not that of square pixels. ``interlaced`` are the
    options that come on top when the output is interlaced."""

    encoder: str
    codec: str
    pix_fmt: str
    rate: str
    scan: str = "progressive"
    fps: str = "source"
    width: int = 0
    height: int = 0
    max_height: int = 0
    lines_above: int = 0
    aspect: str = ""
    matrix: str = ""
    speed: str = ""
    options: Options = ()
    interlaced: Options = ()


@dataclass(frozen=True, slots=True)
class AudioPreset:
    """``layout``: stereo, mono, 5.1, tracks (one mono stream per channel) or interleaved (one stream of all channels).
    ``tracks`` of 0 takes as many as the source has."""

    encoder: str
    codec: str
    layout: str
    tracks: int = 0
    options: Options = ()


@dataclass(frozen=True, slots=True)
class Preset:
    """``kind``: media (one file), ladder (a folder of renditions), image (one still). ``segment`` is in seconds."""

    name: str
    about: str
    kind: str
    format: str
    mux: Options
    video: VideoPreset | None = None
    audio: AudioPreset | None = None
    renditions: tuple[int, ...] = ()
    segment: float = 6.0
    position: float = 0.0
    columns: int = 1
    rows: int = 1


@cache
def presets() -> dict[str, Preset]:
    """Every preset by name. The dict is shared: read it, do not change it."""
    text = files("fa.transcode").joinpath("presets.toml").read_text(encoding="utf-8")
    return {name: _preset(name, table) for name, table in tomllib.loads(text).items()}


def _preset(name: str, table: dict[str, Any]) -> Preset:
    fields = dict(table)
    fields["mux"] = _options(table["mux"])
    fields["renditions"] = tuple(table.get("renditions", ()))
    fields["video"] = VideoPreset(**_with_options(table["video"])) if "video" in table else None
    fields["audio"] = AudioPreset(**_with_options(table["audio"])) if "audio" in table else None
    return Preset(name=name, **fields)


def _with_options(table: dict[str, Any]) -> dict[str, Any]:
    return {key: _options(value) if isinstance(value, dict) else value for key, value in table.items()}


def _options(table: dict[str, Any]) -> Options:
    return tuple((key, str(value)) for key, value in table.items())
