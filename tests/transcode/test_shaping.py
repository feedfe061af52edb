"""Overrides seen in the output: rate, shape, scan, channels, loudness."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fa.transcode.perform import EncodeFailure, EncodeResult
from tests.transcode import readback
from tests.transcode.conftest import Encode, product_of

FAST = {"speed": "ultrafast"}


def make(path: Path, *words: str) -> Path:
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *words, str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def peaky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Quiet for its peaks: levelled by plain gain they would be far above full scale."""
    expression = r"0.05*sin(2*PI*440*t)+0.8*sin(2*PI*1000*t)*lt(mod(t\,1)\,0.002)"
    path = tmp_path_factory.mktemp("peaky") / "peaky.wav"
    return make(path, "-f", "lavfi", "-i", f"aevalsrc={expression}:s=48000:d=4", "-ac", "2", "-c:a", "pcm_s24le")


async def test_pictures_of_another_shape_get_bars(clips: Path, encode: Encode, tmp_path: Path) -> None:
    await encode(clips / "p25.mp4", product_of("h264-mp4", width=320, height=240, audio="none", **FAST))
    out = tmp_path / "out.part"
    told = readback.streams(out)
    assert [(each["width"], each["height"], each["sample_aspect_ratio"]) for each in told["streams"]] == [
        (320, 240, "1:1")
    ]
    assert readback.mean_brightness(out, "320:26:0:0") < 20
    assert readback.mean_brightness(out, "320:26:0:214") < 20
    assert readback.mean_brightness(out, "320:170:0:35") > 60


async def test_or_are_cropped(clips: Path, encode: Encode, tmp_path: Path) -> None:
    await encode(clips / "p25.mp4", product_of("h264-mp4", width=240, height=240, fit="crop", audio="none", **FAST))
    assert readback.mean_brightness(tmp_path / "out.part", "240:20:0:0") > 40


@pytest.mark.parametrize(("fps", "told"), [("50", "50/1"), ("30000/1001", "30000/1001")])
async def test_the_frame_rate_is_converted(fps: str, told: str, clips: Path, encode: Encode, tmp_path: Path) -> None:
    result = await encode(clips / "p25.mp4", product_of("h264-mp4", fps=fps, **FAST))
    assert isinstance(result, EncodeResult), result
    [video] = readback.of_type(readback.streams(tmp_path / "out.part"), "video")
    assert video["r_frame_rate"] == told
    assert abs(float(video["duration"]) - 2.0) <= 0.04


async def test_interlaced_becomes_50p_with_every_field(clips: Path, encode: Encode, tmp_path: Path) -> None:
    await encode(clips / "i25.mxf", product_of("h264-mp4", fps="50", height=144, audio="none", **FAST))
    [video] = readback.of_type(readback.streams(tmp_path / "out.part"), "video")
    assert (video["r_frame_rate"], video["nb_frames"]) == ("50/1", "50")


async def test_progressive_is_woven_into_true_fields(encode: Encode, tmp_path: Path) -> None:
    source = make(
        tmp_path / "p50.mp4",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=320x180:r=50:d=0.6",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
    )
    result = await encode(source, product_of("xdcam-hd422"))
    assert isinstance(result, EncodeResult), result
    told = readback.streams(tmp_path / "out.part")
    assert readback.fields_of(tmp_path / "out.part") == {(1, 1)}
    assert len(readback.of_type(told, "audio")) == 8, "a source without sound gets silent tracks"
    assert readback.tone(tmp_path / "out.part", 7) == 0
    assert abs(float(told["format"]["duration"]) - 0.6) <= 0.04


@pytest.mark.parametrize(
    ("settings", "tones"),
    [
        ({"audio_map": [3, 7]}, [500, 900]),
        ({"audio_map": [2, 0]}, [400, 0]),
        ({"audio_map": [4, 4]}, [600, 600]),
        ({"audio": "mono", "audio_map": [5]}, [700]),
        ({"audio": "5.1"}, [300, 400, 500, 600, 700, 800]),
    ],
)
async def test_channels_go_where_the_map_says(
    settings: dict[str, object], tones: list[int], clips: Path, encode: Encode, tmp_path: Path
) -> None:
    result = await encode(clips / "i25.mxf", product_of("bwf", **({"audio": "stereo"} | settings)))
    assert isinstance(result, EncodeResult), result
    found = [readback.tone(tmp_path / "out.part", 0, channel) for channel in range(len(tones))]
    assert found == tones


async def test_a_map_beyond_the_source_is_a_bad_source(clips: Path, encode: Encode) -> None:
    result = await encode(clips / "p25.mp4", product_of("h264-mp4", audio_map=[1, 3]))
    assert isinstance(result, EncodeFailure)
    assert result.permanent
    assert "the source has 2" in result.sentence


@pytest.mark.parametrize("preset", ["h264-mp4", "bwf"])
async def test_loudness_reaches_minus_23(preset: str, clips: Path, encode: Encode, tmp_path: Path) -> None:
    fast = FAST if preset == "h264-mp4" else {}
    result = await encode(clips / "p25.mp4", product_of(preset, loudness=True, **fast))
    assert isinstance(result, EncodeResult), result
    assert result.loudness is not None and abs(result.loudness.integrated + 23) > 1, "there was something to do"
    assert abs(readback.loudness(tmp_path / "out.part") + 23) <= 0.5


async def test_loudness_of_tracks_is_that_of_the_first_pair(clips: Path, encode: Encode, tmp_path: Path) -> None:
    result = await encode(clips / "i25.mxf", product_of("dnxhr-hq", height=144, loudness=-26))
    assert isinstance(result, EncodeResult), result
    out = tmp_path / "out.part"
    assert abs(readback.loudness(out, "0:a:0+0:a:1") + 26) <= 0.5
    assert abs(readback.loudness(out, "0:a:2+0:a:3") + 20) <= 1.5, "the other tracks stay as they are"
    assert [readback.tone(out, track) for track in range(3)] == [300, 400, 500]


async def test_peaks_are_limited_and_loudness_still_met(peaky: Path, encode: Encode, tmp_path: Path) -> None:
    result = await encode(peaky, product_of("bwf", loudness=True, true_peak=-3))
    assert isinstance(result, EncodeResult), result
    assert abs(readback.loudness(tmp_path / "out.part") + 23) <= 0.5
    assert readback.true_peak(tmp_path / "out.part") <= -3.0


async def test_timecode_can_be_set_or_left_out(clips: Path, encode: Encode, tmp_path: Path) -> None:
    await encode(clips / "p25.mp4", product_of("prores-422hq", timecode="01:02:03:04"))
    told = readback.streams(tmp_path / "out.part")
    assert "01:02:03:04" in [each.get("tags", {}).get("timecode") for each in told["streams"]]


async def test_the_operators_args_come_last(clips: Path, encode: Encode, tmp_path: Path) -> None:
    product = product_of("h264-mp4", args=["-metadata", "title=Evening; news", "-an"], audio="none", **FAST)
    await encode(clips / "p25.mp4", product)
    assert readback.streams(tmp_path / "out.part")["format"]["tags"]["title"] == "Evening; news"
