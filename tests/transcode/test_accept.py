"""The acceptance check, from its figures to its folders."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from fa.transcode.accept import check_output, check_source
from fa.transcode.digest import digest
from fa.transcode.errors import BadOutput, BadSource
from fa.transcode.expect import Expected, length_problems, source_problems, stream_problems
from fa.transcode.ladder import media_playlist, variants_of
from fa.transcode.loudness import loudness_of
from fa.transcode.media import MediaInfo
from fa.transcode.presets import presets
from fa.transcode.progress import Progress
from fa.transcode.runner import Outcome
from fa.transcode.sandbox import Sandbox
from fa.transcode.target import decide
from fa.transcode.tools import Tools
from tests.transcode.conftest import product_of
from tests.transcode.samples import P25, PROXY, mono, source, stereo

EXPECTED = Expected("h264", 1920, 1080, Fraction(25), "aac", 1, 2, 10.0, 0.5, 250)
MADE = source(P25, stereo())
WHOLE = Progress(frames=250, seconds=10.0, ended=True)
GOOD = Outcome(0, False, WHOLE, (), 0, (), 1.0)


def test_what_was_planned_is_accepted() -> None:
    assert list(stream_problems(EXPECTED, MADE)) == []
    assert list(source_problems(EXPECTED, WHOLE)) == []
    assert list(length_problems(EXPECTED, WHOLE, 10.02)) == []


@pytest.mark.parametrize(
    ("made", "part"),
    [
        (source(stereo()), "0 video streams"),
        (source(replace(P25, codec="hevc"), stereo()), "video is hevc"),
        (source(replace(P25, width=720), stereo()), "720x1080"),
        (source(replace(P25, fps=Fraction(50)), stereo()), "50.000"),
        (source(P25), "0 audio streams"),
        (source(P25, mono(1)), "1 channels"),
        (source(P25, replace(stereo(), codec="mp3")), "audio is mp3"),
    ],
)
def test_what_was_not_planned_is_not(made: MediaInfo, part: str) -> None:
    assert part in "; ".join(stream_problems(EXPECTED, made))


def test_a_video_where_none_was_planned() -> None:
    assert "1 video streams" in "; ".join(stream_problems(replace(EXPECTED, video_codec=""), MADE))


def test_half_a_source() -> None:
    assert "promises 10.00 s" in "; ".join(source_problems(EXPECTED, Progress(frames=125, seconds=5.0)))
    assert "promises 250 pictures" in "; ".join(source_problems(EXPECTED, Progress(frames=125, seconds=10.0)))
    assert list(source_problems(replace(EXPECTED, duration=None, frames=None), Progress())) == []
    assert list(source_problems(EXPECTED, Progress(frames=240, seconds=9.6))) == []


def test_half_an_output() -> None:
    assert "is 5.00 s long" in "; ".join(length_problems(EXPECTED, WHOLE, 5.0))
    assert "does not say" in "; ".join(length_problems(EXPECTED, WHOLE, None))
    assert list(length_problems(replace(EXPECTED, duration=None), WHOLE, None)) == []


def test_errors_in_the_log_refuse_the_source() -> None:
    target = decide(product_of("h264-mp4"), presets()["h264-mp4"], PROXY)
    noisy = replace(GOOD, errors=("h264: broken.",), error_count=7)
    with pytest.raises(BadSource, match=r"\(7\): h264: broken\. "):
        check_source(target, EXPECTED, noisy)
    with pytest.raises(BadSource, match="not whole"):
        check_source(target, EXPECTED, replace(GOOD, progress=Progress(frames=1, seconds=0.04)))
    check_source(replace(target, tolerate_errors=True), EXPECTED, replace(noisy, progress=Progress()))
    check_source(target, EXPECTED, GOOD)


@pytest.mark.parametrize("left", [0, 1000])
async def test_an_output_that_cannot_be_opened(
    left: int, clips: Path, tools: Tools, sandbox: Sandbox, tmp_path: Path
) -> None:
    target = decide(product_of("h264-mp4"), presets()["h264-mp4"], PROXY)
    (tmp_path / "out").write_bytes((clips / "p25.mp4").read_bytes()[:left])
    with pytest.raises(BadOutput, match="The output cannot be opened"):
        await check_output(tools, sandbox, target, EXPECTED, GOOD, tmp_path / "out")


async def test_an_output_that_is_something_else(clips: Path, tools: Tools, sandbox: Sandbox) -> None:
    target = decide(product_of("h264-mp4"), presets()["h264-mp4"], PROXY)
    with pytest.raises(BadOutput, match="not what was planned: its picture is 320x180"):
        await check_output(tools, sandbox, target, EXPECTED, GOOD, clips / "p25.mp4")


MASTER = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=320x180
180p.m3u8

#EXT-X-STREAM-INF:BANDWIDTH=1
90p.m3u8
"""
LIST = "#EXTM3U\n#EXTINF:1.000000,\na.ts\n#EXTINF:0.500000,\nb.ts\n"


def test_playlists_are_read() -> None:
    assert variants_of(MASTER) == ("180p.m3u8", "90p.m3u8")
    found = media_playlist(LIST)
    assert (found.segments, found.seconds, found.closed) == (("a.ts", "b.ts"), 1.5, False)
    assert media_playlist(LIST + "#EXT-X-ENDLIST\n").closed


@pytest.mark.parametrize("flaw", ["no master", "a rendition too few", "open", "a segment gone", "a segment empty"])
async def test_a_ladder_with_a_flaw(flaw: str, tools: Tools, sandbox: Sandbox, tmp_path: Path) -> None:
    product = product_of("hls-ladder", renditions=[180, 90])
    target = decide(product, presets()["hls-ladder"], PROXY)
    for name in ("180p.m3u8", "90p.m3u8"):
        (tmp_path / name).write_text(LIST + ("" if flaw == "open" else "#EXT-X-ENDLIST\n"))
    if flaw != "no master":
        (tmp_path / "master.m3u8").write_text(MASTER[: -10 if flaw == "a rendition too few" else None])
    if flaw == "a rendition too few":
        (tmp_path / "master.m3u8").write_text(MASTER.split("\n\n")[0])
    (tmp_path / "a.ts").write_bytes(b"x")
    if flaw != "a segment gone":
        (tmp_path / "b.ts").write_bytes(b"" if flaw == "a segment empty" else b"x")
    with pytest.raises(BadOutput):
        await check_output(tools, sandbox, target, EXPECTED, GOOD, tmp_path)


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "b").write_bytes(b"two")
    (tmp_path / "d" / "sub" / "a").write_bytes(b"one")
    assert digest(tmp_path / "d" / "b").sha256 == hashlib.sha256(b"two").hexdigest()
    whole = digest(tmp_path / "d")
    listed = subprocess.run(["sha256sum", "b", "sub/a"], cwd=tmp_path / "d", capture_output=True, check=True).stdout
    assert (whole.bytes, whole.sha256) == (6, hashlib.sha256(listed).hexdigest())


SUMMARY = """[Parsed_ebur128_2 @ 0x1] [info] Summary:

  Integrated loudness:
    I:         -20.6 LUFS
    Threshold: -30.7 LUFS

  Loudness range:
    LRA:         4.5 LU
    Threshold: -40.6 LUFS
    LRA low:   -20.7 LUFS
    LRA high:  -20.6 LUFS

  True peak:
    Peak:      -17.8 dBFS
"""


def test_the_summary_of_ebur128() -> None:
    found = loudness_of(SUMMARY.splitlines())
    assert found is not None
    assert (found.integrated, found.threshold, found.range, found.true_peak) == (-20.6, -30.7, 4.5, -17.8)
    silent = loudness_of(SUMMARY.replace("-20.6 LUFS", "-inf LUFS", 1).replace("-17.8", "-inf").splitlines())
    assert silent is not None
    assert (silent.integrated, silent.true_peak) == (-70.0, -70.0)
    assert loudness_of(["nothing"]) is None
