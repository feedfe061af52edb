"""Rasters: how a picture of one shape is put into another. Pure arithmetic on exact fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

CLOSE = Fraction(1, 100)
"""Shapes within 1 % of each other are taken for the same: a black line of two pixels helps nobody."""


@dataclass(frozen=True, slots=True)
class Raster:
    """``width`` x ``height`` samples, each ``sar`` times as wide as high."""

    width: int
    height: int
    sar: Fraction = Fraction(1)

    @property
    def aspect(self) -> Fraction:
        """Width by height as the eye sees it."""
        return self.width * self.sar / self.height


def even(value: Fraction | float, step: int = 2) -> int:
    """The nearest multiple of ``step``, at least one step."""
    return max(step, round(value / step) * step)


def canvas_for(source: Raster, *, width: int, height: int, max_height: int, aspect: Fraction | None) -> Raster:
    """The raster of the output. 0 for width or height: follow the source's shape; ``aspect``: the display aspect of a
    raster whose pixels are not square."""
    if width and height:
        return Raster(width, height, aspect * height / width if aspect else Fraction(1))
    if width:
        return Raster(width, even(width / source.aspect))
    lines = height or (min(source.height, max_height) if max_height else source.height)
    if lines == source.height and source.sar == 1:
        return Raster(source.width - source.width % 2, lines - lines % 2)
    lines = even(lines)
    return Raster(even(lines * source.aspect), lines)


def fit_inside(source: Raster, canvas: Raster) -> tuple[int, int]:
    """Width and height in the canvas's samples of the whole source picture, as large as the canvas holds."""
    return _fit(source, canvas, inside=True)


def fit_around(source: Raster, canvas: Raster) -> tuple[int, int]:
    """Width and height in the canvas's samples of the source picture that just covers the canvas."""
    return _fit(source, canvas, inside=False)


def _fit(source: Raster, canvas: Raster, *, inside: bool) -> tuple[int, int]:
    ratio = source.aspect / canvas.aspect
    if abs(ratio - 1) <= CLOSE:
        return canvas.width, canvas.height
    if (ratio > 1) is inside:
        return canvas.width, even(canvas.height / ratio)
    return even(canvas.width * ratio), canvas.height
