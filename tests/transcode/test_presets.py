"""Every preset, proven: a 1080i25 MXF with timecode and eight audio tracks goes in, and what comes out is read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fa.core.recipe import known_encoders
from fa.core.recipe_words import PRESETS
from fa.transcode.perform import EncodeResult
from fa.transcode.presets import presets
from tests.transcode import readback
from tests.transcode.conftest import Encode, product_of

FRAME = 0.04
PROGRESSIVE, INTERLACED = {(0, 0)}, {(1, 1)}


@dataclass(frozen=True)
class Wanted:
    """What reading back must show. ``audio`` is (codec, streams, channels per stream); ``tones`` the Hz of each
    track."""

    format: str
    codec: str
    profile: str
    size: tuple[int, int]
    pix_fmt: str
    fields: set[tuple[int, int]]
    audio: tuple[str, int, int]
    tones: list[int]
    timecode: bool = True
    settings: dict[str, Any] = field(default_factory=dict)


EIGHT = [300, 400, 500, 600, 700, 800, 900, 1000]
SMALL = {"height": 144, "speed": "ultrafast"}

WANTED = {
    "h264-mp4": Wanted(
        "mov,mp4,m4a,3gp,3g2,mj2", "h264", "Constrained Baseline", (256, 144), "yuv420p", PROGRESSIVE,
        ("aac", 1, 2), [300, 400], settings=SMALL,
    ),
    "hevc-mp4": Wanted(
        "mov,mp4,m4a,3gp,3g2,mj2", "hevc", "Main", (256, 144), "yuv420p", PROGRESSIVE,
        ("aac", 1, 2), [300, 400], settings=SMALL,
    ),
    "av1-mp4": Wanted(
        "mov,mp4,m4a,3gp,3g2,mj2", "av1", "Main", (256, 144), "yuv420p", PROGRESSIVE,
        ("aac", 1, 2), [300, 400], settings={"height": 144, "speed": "12"},
    ),
    "prores-422hq": Wanted(
        "mov,mp4,m4a,3gp,3g2,mj2", "prores", "HQ", (480, 1080), "yuv422p10le", INTERLACED,
        ("pcm_s24le", 8, 1), EIGHT, settings={"width": 480, "height": 1080, "fit": "stretch"},
    ),
    "dnxhr-hq": Wanted(
        "mxf", "dnxhd", "DNXHR HQ", (512, 288), "yuv422p", PROGRESSIVE,
        ("pcm_s24le", 8, 1), EIGHT, settings={"height": 288},
    ),
    "xdcam-hd422": Wanted(
        "mxf", "mpeg2video", "4:2:2", (1920, 1080), "yuv422p", INTERLACED, ("pcm_s24le", 8, 1), EIGHT,
    ),
    "avc-intra-100": Wanted(
        "mxf", "h264", "High 4:2:2 Intra", (1920, 1080), "yuv422p10le", INTERLACED,
        ("pcm_s24le", 8, 1), EIGHT, settings={"speed": "ultrafast"},
    ),
    "imx-50": Wanted(
        "mxf", "mpeg2video", "4:2:2", (720, 608), "yuv422p", INTERLACED, ("pcm_s24le", 1, 8), EIGHT,
    ),
    "mpeg2-ts": Wanted(
        "mpegts", "mpeg2video", "Main", (352, 1080), "yuv420p", INTERLACED, ("mp2", 1, 2), [300, 400],
        timecode=False, settings={"width": 352, "height": 1080, "fit": "stretch"},
    ),
}  # fmt: skip


def test_presets_and_the_vocabulary_of_recipes_agree() -> None:
    assert set(presets()) == set(PRESETS)
    for name, preset in presets().items():
        used = {part.encoder for part in (preset.video, preset.audio) if part is not None}
        assert used == set(PRESETS[name].encoders)
        tuned = preset.video is not None and bool(preset.video.speed)
        assert ("speed" in PRESETS[name].accepts) == tuned
        assert ("crf" in PRESETS[name].accepts) == (preset.video is not None and preset.video.rate == "crf")
    assert set(known_encoders()) >= {"libx264", "libx265", "libsvtav1"}


@pytest.mark.parametrize("name", sorted(WANTED))
async def test_a_preset_keeps_its_promise(name: str, clips: Path, encode: Encode, tmp_path: Path) -> None:
    wanted, out = WANTED[name], tmp_path / "out.part"
    result = await encode(clips / "i25.mxf", product_of(name, **wanted.settings))
    assert isinstance(result, EncodeResult), result
    told = readback.streams(out)
    [video] = readback.of_type(told, "video")
    audio = readback.of_type(told, "audio")
    assert told["format"]["format_name"] == wanted.format
    assert (video["codec_name"], video["profile"], video["pix_fmt"]) == (wanted.codec, wanted.profile, wanted.pix_fmt)
    assert (video["width"], video["height"]) == wanted.size
    assert video["r_frame_rate"] == "25/1"
    assert readback.fields_of(out) == wanted.fields
    assert {(each["codec_name"], each["channels"]) for each in audio} == {(wanted.audio[0], wanted.audio[2])}
    assert len(audio) == wanted.audio[1]
    assert {each["sample_rate"] for each in audio} == {"48000"}
    assert abs(float(video["duration"]) - 1.0) <= FRAME
    assert [_tone(out, wanted, track) for track in range(len(wanted.tones))] == wanted.tones
    assert _timecode(told) == ("10:00:00:00" if wanted.timecode else "")
    for check in CHECKS.get(name, ()):
        check(out, told)


def _tone(out: Path, wanted: Wanted, track: int) -> int:
    return readback.tone(out, track) if wanted.audio[1] > 1 else readback.tone(out, 0, track)


def _timecode(told: dict[str, Any]) -> str:
    tables = [told["format"], *told["streams"]]
    return next((str(each["tags"]["timecode"]) for each in tables if "timecode" in each.get("tags", {})), "")


def _is_op1a(out: Path, told: dict[str, Any]) -> None:
    assert told["format"]["tags"]["operational_pattern_ul"] == "060e2b34.04010101.0d010201.01010900"


def _is_50_megabit(out: Path, told: dict[str, Any]) -> None:
    assert told["streams"][0]["bit_rate"] == "50000000"
    assert out.stat().st_size * 8 > 50_000_000


def _is_bt709(out: Path, told: dict[str, Any]) -> None:
    assert {told["streams"][0][key] for key in ("color_space", "color_transfer", "color_primaries")} == {"bt709"}


def _has_vbi_lines(out: Path, told: dict[str, Any]) -> None:
    assert told["streams"][0]["display_aspect_ratio"] == "16:9"
    assert readback.mean_brightness(out, "720:30:0:0") < 20
    assert readback.mean_brightness(out, "720:560:0:40") > 60


def _is_hvc1(out: Path, told: dict[str, Any]) -> None:
    assert told["streams"][0]["codec_tag_string"] == "hvc1"


def _starts_with_the_index(out: Path, told: dict[str, Any]) -> None:
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def _is_class_100(out: Path, told: dict[str, Any]) -> None:
    assert 90_000_000 < (out.stat().st_size * 8) - 8 * 1_152_000 < 130_000_000


CHECKS: dict[str, tuple[Callable[[Path, dict[str, Any]], None], ...]] = {
    "h264-mp4": (_starts_with_the_index,),
    "hevc-mp4": (_is_hvc1,),
    "xdcam-hd422": (_is_op1a, _is_50_megabit, _is_bt709),
    "avc-intra-100": (_is_op1a, _is_class_100, _is_bt709),
    "dnxhr-hq": (_is_op1a,),
    "imx-50": (_is_50_megabit, _has_vbi_lines),
}


async def test_a_broadcast_wave_says_when_it_was(clips: Path, encode: Encode, tmp_path: Path) -> None:
    result = await encode(clips / "i25.mxf", product_of("bwf"))
    assert isinstance(result, EncodeResult), result
    out = tmp_path / "out.part"
    told = readback.streams(out)
    [audio] = told["streams"]
    assert (audio["codec_name"], audio["channels"], audio["duration"]) == ("pcm_s24le", 8, "1.000000")
    assert told["format"]["tags"]["time_reference"] == str(10 * 3600 * 48000)
    assert b"bext" in out.read_bytes()[:4096]
    assert [readback.tone(out, 0, channel) for channel in range(8)] == EIGHT


async def test_a_poster_is_one_deinterlaced_picture(clips: Path, encode: Encode, tmp_path: Path) -> None:
    result = await encode(clips / "i25.mxf", product_of("poster", height=270, position=0.5))
    assert isinstance(result, EncodeResult), result
    told = readback.streams(tmp_path / "out.part")
    [video] = told["streams"]
    assert (video["codec_name"], video["width"], video["height"]) == ("mjpeg", 480, 270)
    assert (tmp_path / "out.part").read_bytes()[:2] == b"\xff\xd8"


async def test_a_contact_sheet_is_a_grid(clips: Path, encode: Encode, tmp_path: Path) -> None:
    result = await encode(clips / "p25.mp4", product_of("contact-sheet", columns=3, rows=2, width=160, height=90))
    assert isinstance(result, EncodeResult), result
    [video] = readback.streams(tmp_path / "out.part")["streams"]
    assert (video["width"], video["height"]) == (3 * 160 + 4 * 4, 2 * 90 + 3 * 4)
    corner = readback.mean_brightness(tmp_path / "out.part", "160:90:332:98")
    assert corner > 20, "the last picture of the grid is there"


async def test_a_ladder_is_a_folder_of_renditions(clips: Path, encode: Encode, tmp_path: Path) -> None:
    """No rendition is of the source's own 180 lines: the check looks for the first that is."""
    product = product_of("hls-ladder", renditions=[1080, 144, 90], segment=1.0, speed="ultrafast")
    result = await encode(clips / "p25.mp4", product)
    assert isinstance(result, EncodeResult), result
    out = tmp_path / "out.part"
    names = {each.name for each in out.iterdir()}
    assert names == {"master.m3u8", "144p.m3u8", "90p.m3u8"} | {f"{h}p_0000{n}.ts" for h in (144, 90) for n in (0, 1)}
    master = (out / "master.m3u8").read_text()
    assert "RESOLUTION=256x144" in master
    assert "RESOLUTION=160x90" in master
    assert "#EXT-X-ENDLIST" in (out / "90p.m3u8").read_text()
    assert result.digest.bytes == sum(each.stat().st_size for each in out.iterdir())
    assert [each["codec_name"] for each in readback.streams(out / "144p_00001.ts")["streams"]] == ["h264", "aac"]


async def test_a_ladder_of_a_small_source_has_its_size(clips: Path, encode: Encode, tmp_path: Path) -> None:
    result = await encode(clips / "p25.mp4", product_of("hls-ladder", speed="ultrafast"))
    assert isinstance(result, EncodeResult), result
    assert "RESOLUTION=320x180" in (tmp_path / "out.part" / "master.m3u8").read_text()


async def test_an_encoder_of_args_takes_the_place_of_the_presets(clips: Path, encode: Encode, tmp_path: Path) -> None:
    args = ["-c:a", "libmp3lame", "-c:v", "mpeg4", "-profile:v", "0"]
    result = await encode(clips / "p25.mp4", product_of("h264-mp4", args=args))
    assert isinstance(result, EncodeResult), result
    assert {each["codec_name"] for each in readback.streams(tmp_path / "out.part")["streams"]} >= {"mp3", "mpeg4"}
