"""Which failures no program of a node can be blamed for."""

from __future__ import annotations

from pathlib import Path

from fa.transcode.classify import CONTRADICTS, SURROUNDED
from fa.transcode.perform import EncodeFailure
from tests.transcode.conftest import Encode, product_of


async def test_a_recipe_that_cannot_be_is_told_from_one_that_ffmpeg_refuses(clips: Path, encode: Encode) -> None:
    contradictory = product_of("h264-mp4", audio_map=[1, 2, 1], audio="stereo")
    result = await encode(clips / "p25.mp4", contradictory)
    assert isinstance(result, EncodeFailure)
    assert (result.permanent, result.code) == (True, CONTRADICTS), result
    assert result.code in SURROUNDED


async def test_what_ffmpeg_says_of_a_source_may_be_its_own_trouble(encode: Encode, tmp_path: Path) -> None:
    (tmp_path / "text.mov").write_text("no film\n" * 100)
    result = await encode(tmp_path / "text.mov", product_of("h264-mp4"))
    assert isinstance(result, EncodeFailure)
    assert result.permanent and result.code not in SURROUNDED
