"""Rasters: what becomes of one shape in another."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from fa.transcode.shape import Raster, canvas_for, even, fit_around, fit_inside

HD = Raster(1920, 1080)
PAL_WIDE = Raster(720, 576, Fraction(64, 45))
SIZES = st.integers(16, 4096)


def test_aspects() -> None:
    assert HD.aspect == Fraction(16, 9)
    assert PAL_WIDE.aspect == Fraction(16, 9)


def test_a_canvas_follows_the_source() -> None:
    assert canvas_for(HD, width=0, height=0, max_height=0, aspect=None) == HD
    assert canvas_for(HD, width=0, height=0, max_height=540, aspect=None) == Raster(960, 540)
    assert canvas_for(HD, width=640, height=0, max_height=0, aspect=None) == Raster(640, 360)
    assert canvas_for(HD, width=0, height=720, max_height=0, aspect=None) == Raster(1280, 720)
    assert canvas_for(Raster(641, 361), width=0, height=0, max_height=0, aspect=None) == Raster(640, 360)
    assert canvas_for(PAL_WIDE, width=0, height=0, max_height=1080, aspect=None) == Raster(1024, 576)


def test_a_canvas_of_other_pixels() -> None:
    assert canvas_for(HD, width=720, height=576, max_height=0, aspect=Fraction(16, 9)) == PAL_WIDE


def test_pictures_in_other_shapes() -> None:
    assert fit_inside(HD, Raster(640, 480)) == (640, 360)
    assert fit_inside(Raster(640, 480), HD) == (1440, 1080)
    assert fit_around(Raster(640, 480), HD) == (1920, 1440)
    assert fit_inside(HD, PAL_WIDE) == (720, 576)
    assert fit_inside(Raster(720, 576, Fraction(16, 15)), PAL_WIDE) == (540, 576)


def test_almost_the_same_is_the_same() -> None:
    assert fit_inside(Raster(1920, 1088), HD) == (1920, 1080)


@given(SIZES, SIZES, SIZES, SIZES)
def test_inside_is_inside_and_around_is_around(a: int, b: int, c: int, d: int) -> None:
    source, canvas = Raster(a, b), Raster(even(c), even(d))
    inside, around = fit_inside(source, canvas), fit_around(source, canvas)
    assert inside[0] <= canvas.width and inside[1] <= canvas.height
    assert around[0] >= canvas.width and around[1] >= canvas.height
    assert all(side % 2 == 0 for side in (*inside, *around))
