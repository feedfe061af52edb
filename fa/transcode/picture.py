"""The chain of video filters, as data: deinterlace, rate, scale, pad, interlace, and what the encoder is told. Pure.

Only numbers and words of our own reach a filter: what comes from outside never does (a ``movie=`` in a filter text
opens any file or URL, whatever the whitelists say).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from fa.transcode.media import VideoStream
from fa.transcode.shape import Raster, fit_around, fit_inside
from fa.transcode.target import VideoTarget


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a chain: its name, positional arguments, and named ones."""

    name: str
    args: tuple[str | int, ...] = ()
    options: tuple[tuple[str, str | int], ...] = ()


def picture_chain(source: VideoStream, target: VideoTarget) -> list[Filter]:
    """The filters that make of ``source`` what ``target`` says, in order."""
    if target.interlaced and target.source_interlaced and _fields_can_stay(source, target):
        chain = _keep_fields(source, target)
    else:
        chain = _through_progressive(source, target)
    chain += _margins(target, _active(source, target))
    chain.append(Filter("setsar", (_ratio(_coded_sar(target)),)))
    chain.append(Filter("format", (target.pix_fmt,)))
    if target.interlaced:
        chain.append(Filter("setfield", ("tff",)))
    return chain


def rescaled(target: VideoTarget, height: int) -> VideoTarget:
    """The same output at another height (a rendition of a ladder), with square pixels."""
    width = max(2, round(height * target.raster.aspect / 2) * 2)
    return replace(target, raster=Raster(width, height))


def _fields_can_stay(source: VideoStream, target: VideoTarget) -> bool:
    """Fields survive only where no line is moved and no frame is added or dropped."""
    same_lines = source.height == target.raster.height
    return same_lines and source.fps == target.fps and _active(source, target)[1] == source.height


def _keep_fields(source: VideoStream, target: VideoTarget) -> list[Filter]:
    chain = [Filter("fieldorder", ("tff",)), _constant_rate(target.fps)]  # looks at every frame; mostly passes it on
    return chain + _scale(source, target, (("interl", 1),))


def _through_progressive(source: VideoStream, target: VideoTarget) -> list[Filter]:
    """Deinterlace where needed, scale whole frames, and weave fields again where the output has them."""
    weave = target.interlaced and (target.source_interlaced or source.fps * 2 >= target.fps * 3)
    rate = target.fps * 2 if weave else target.fps
    chain = []
    if target.source_interlaced:
        every_field = rate * 2 >= source.fps * 3
        chain.append(Filter("bwdif", (), (("mode", "send_field" if every_field else "send_frame"),)))
    chain.append(_constant_rate(rate))
    chain += _scale(source, target, ())
    if weave:
        chain.append(Filter("tinterlace", (), (("mode", "interleave_top"), ("flags", "vlpf"))))
    return chain


def _constant_rate(rate: Fraction) -> Filter:
    """Every output has a constant rate and a picture at 0: containers without time stamps keep their sync."""
    return Filter("fps", (), (("fps", _ratio(rate)), ("start_time", 0)))


def _active(source: VideoStream, target: VideoTarget) -> tuple[int, int]:
    raster = Raster(source.width, source.height, source.sar)
    if target.fit == "stretch":
        return target.raster.width, target.raster.height
    return (fit_around if target.fit == "crop" else fit_inside)(raster, target.raster)


def _scale(source: VideoStream, target: VideoTarget, extra: tuple[tuple[str, int], ...]) -> list[Filter]:
    width, height = _active(source, target)
    colours = _colours(source, target)
    if (width, height) == (source.width, source.height) and not colours:
        return []
    return [Filter("scale", (width, height), (("flags", "bicubic"), *extra, *colours))]


def _colours(source: VideoStream, target: VideoTarget) -> tuple[tuple[str, str | int], ...]:
    """A conversion of the colour matrix where the output's is fixed and another than the source's. An untagged source
    is taken for BT.709 from 720 lines, else for BT.601, as broadcasters do."""
    if not target.matrix:
        return ()
    have = {"bt709": "bt709", "smpte170m": "bt601", "bt470bg": "bt601", "bt2020nc": "bt2020"}.get(source.matrix)
    have = have or ("bt709" if source.height >= 720 else "bt601")
    want = {"bt470bg": "bt601"}.get(target.matrix, target.matrix)
    return () if have == want else (("in_color_matrix", have), ("out_color_matrix", want))


def _margins(target: VideoTarget, active: tuple[int, int]) -> list[Filter]:
    width, height = target.raster.width, target.raster.height
    chain = []
    if active != (width, height) and target.fit == "crop":
        chain.append(Filter("crop", (width, height)))
    elif active != (width, height):
        chain.append(Filter("pad", (width, height, "(ow-iw)/2", "2*floor((oh-ih)/4)")))
    if target.lines_above:
        chain.append(Filter("pad", (width, height + target.lines_above, 0, target.lines_above)))
    return chain


def _coded_sar(target: VideoTarget) -> Fraction:
    """VBI lines do not change the display aspect that is written: D-10 says 16:9 of all 608 lines."""
    return target.raster.sar * (target.raster.height + target.lines_above) / target.raster.height


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"
