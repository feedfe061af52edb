"""The escape hatch lets options through, and nothing that opens another file."""

from __future__ import annotations

import pytest

from fa.core.recipe_args import args_problems


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["-an"],
        ["-c:v", "h264_nvenc", "-b:v", "8M"],
        ["-metadata", "title=Evening news"],
        ["-x264-params", "keyint=50:bframes=2"],
        ["-aspect", "16/9", "-shortest"],
    ],
)
def test_tuning_passes(args: list[str]) -> None:
    assert list(args_problems(args)) == []


@pytest.mark.parametrize(
    ("args", "index"),
    [
        (["out.mp4"], 0),
        (["-an", "out.mp4"], 1),
        (["-y", "out.mp4"], 0),
        (["-nostdin"], 0),
        (["-noautorotate", "x"], 0),
        (["-i", "x"], 0),
        (["-vf", "movie=x"], 0),
        (["-filter:v", "movie=x"], 0),
        (["-filter_complex", "x"], 0),
        (["-/filter", "x"], 0),
        (["-attach", "x"], 0),
        (["-protocol_whitelist", "http"], 0),
        (["-passlogfile", "x"], 0),
        (["-stats_file", "x"], 0),
        (["-x264-params", "stats=/etc/passwd"], 1),
        (["-metadata", "a\nb"], 1),
        (["-b:v"], 0),
        (["--", "x"], 0),
    ],
)
def test_what_opens_or_switches_is_refused(args: list[str], index: int) -> None:
    assert index in [at for at, _ in args_problems(args)]
