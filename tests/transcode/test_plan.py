"""Command lines: what they must always hold, and the filters that each case takes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fa.core.recipe_words import PRESETS
from fa.transcode.expect import expected_of
from fa.transcode.media import MediaInfo
from fa.transcode.picture import Filter, picture_chain
from fa.transcode.plan import encode_step, exec_step, measure_step, samples_since_midnight
from fa.transcode.presets import presets
from fa.transcode.sound import Gain, Loudness, gain_for
from fa.transcode.target import Loud, decide
from tests.transcode.conftest import product_of
from tests.transcode.samples import I25, NEWS, NTSC, P25, P50, PAL, PROXY, source, stereo


def argv(preset: str, info: MediaInfo, gain: Gain | None = None, **overrides: object) -> list[str]:
    target = decide(product_of(preset, **overrides), presets()[preset], info)
    step = encode_step("ffmpeg", target, info, "/in/a.mxf", "/out/b.part", gain or Gain())
    return list(step.argv)


def chain(preset: str, info: MediaInfo, **overrides: object) -> list[Filter]:
    target = decide(product_of(preset, **overrides), presets()[preset], info)
    assert target.video is not None
    return picture_chain(info.video[0], target.video)


def names(filters: list[Filter]) -> list[str]:
    return [each.name for each in filters if each.name not in ("setsar", "format", "setfield")]


@pytest.mark.parametrize("info", [NEWS, PROXY])
@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_command_is_fenced(preset: str, info: MediaInfo) -> None:
    words = argv(preset, info)
    assert words[:3] == ["ffmpeg", "-nostdin", "-hide_banner"]
    before = words[: words.index("-i")]
    assert before[before.index("-protocol_whitelist") + 1] == "file"
    demuxers = before[before.index("-format_whitelist") + 1].split(",")
    assert not set(demuxers) & {"hls", "concat", "concatf", "dash", "sdp", "image2", "lavfi", "imf", "tty"}
    assert "-max_pixels" in before
    assert words[words.index("-i") + 1] == "file:/in/a.mxf"
    assert words.index("-f") > words.index("-i"), "the muxer is named, whatever the part is called"
    assert words[-1] == ("%v.m3u8" if preset == "hls-ladder" else "file:/out/b.part")
    assert "-progress" in words


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=60))
def test_no_name_reaches_more_than_its_own_word(name: str) -> None:
    target = decide(product_of("h264-mp4"), presets()["h264-mp4"], NEWS)
    plain = encode_step("ffmpeg", target, NEWS, "/A", "/B").argv
    foreign = encode_step("ffmpeg", target, NEWS, f"/{name}", f"/{name}.part").argv
    changed = [(a, b) for a, b in zip(plain, foreign, strict=True) if a != b]
    assert {b for _, b in changed} <= {f"file:/{name}", f"file:/{name}.part"}


def test_a_ladder_runs_inside_its_folder() -> None:
    target = decide(product_of("hls-ladder"), presets()["hls-ladder"], PROXY)
    step = encode_step("ffmpeg", target, PROXY, "/in/a", "/out/100%d.part")
    assert step.cwd == "/out/100%d.part"
    assert not [word for word in step.argv if "100%d" in word]
    words = list(step.argv)
    assert words[words.index("-hls_segment_filename") + 1] == "%v_%05d.ts"
    assert words[words.index("-g") + 1] == "150"


@pytest.mark.parametrize(
    ("preset", "info", "overrides", "filters"),
    [
        ("h264-mp4", PROXY, {}, ["fps"]),
        ("h264-mp4", NEWS, {}, ["bwdif", "fps"]),
        ("h264-mp4", NEWS, {"deinterlace": "never"}, ["fps"]),
        ("h264-mp4", NEWS, {"height": 540}, ["bwdif", "fps", "scale"]),
        ("h264-mp4", source(PAL), {}, ["bwdif", "fps", "scale"]),
        ("h264-mp4", PROXY, {"width": 640, "height": 480}, ["fps", "scale", "pad"]),
        ("h264-mp4", PROXY, {"width": 640, "height": 480, "fit": "crop"}, ["fps", "scale", "crop"]),
        ("h264-mp4", PROXY, {"width": 640, "height": 480, "fit": "stretch"}, ["fps", "scale"]),
        ("xdcam-hd422", NEWS, {}, ["fieldorder", "fps"]),
        ("xdcam-hd422", PROXY, {}, ["fps"]),
        ("xdcam-hd422", source(P50), {}, ["fps", "scale", "tinterlace"]),
        ("xdcam-hd422", source(PAL), {}, ["bwdif", "fps", "scale", "tinterlace"]),
        ("xdcam-hd422", source(I25), {"fps": "30000/1001"}, ["bwdif", "fps", "tinterlace"]),
        ("imx-50", source(PAL), {}, ["fieldorder", "fps", "pad"]),
        ("imx-50", NEWS, {}, ["bwdif", "fps", "scale", "tinterlace", "pad"]),
        ("imx-50", source(NTSC), {}, ["bwdif", "fps", "scale", "tinterlace", "pad"]),
    ],
)
def test_the_filters_of_each_case(
    preset: str, info: MediaInfo, overrides: dict[str, object], filters: list[str]
) -> None:
    assert names(chain(preset, info, **overrides)) == filters


def test_every_field_is_kept_where_the_rate_has_room() -> None:
    [bwdif] = [each for each in chain("h264-mp4", NEWS, fps="50") if each.name == "bwdif"]
    assert dict(bwdif.options)["mode"] == "send_field"
    [bwdif] = [each for each in chain("h264-mp4", NEWS) if each.name == "bwdif"]
    assert dict(bwdif.options)["mode"] == "send_frame"


def test_colours_are_converted_between_sd_and_hd() -> None:
    [scale] = [each for each in chain("imx-50", NEWS) if each.name == "scale"]
    assert dict(scale.options)["in_color_matrix"] == "bt709"
    assert dict(scale.options)["out_color_matrix"] == "bt601"
    [scale] = [each for each in chain("xdcam-hd422", source(PAL)) if each.name == "scale"]
    assert dict(scale.options)["out_color_matrix"] == "bt709"


def test_channels_are_picked_alone() -> None:
    graph = argv("xdcam-hd422", PROXY)[argv("xdcam-hd422", PROXY).index("-filter_complex") + 1]
    assert graph.count("pan=args=mono") == 3, "left, right, and one silence for six tracks"
    assert "asplit=6" in graph
    assert r"c0\\=0*c0" in graph


def test_gain_is_plain_as_long_as_peaks_fit() -> None:
    wanted = Loud(-23.0, -1.0)
    assert gain_for(Loudness(-20.0, -30.0, 1.0, -5.0), wanted) == Gain(-3.0)
    assert gain_for(Loudness(-30.0, -40.0, 1.0, -8.0), wanted) == Gain(7.0)
    assert gain_for(Loudness(-30.0, -40.0, 1.0, -7.0), wanted) == Gain(7.0, -1.0)
    assert gain_for(Loudness(-70.0, -70.0, 0.0, -70.0), wanted) == Gain()
    assert Gain(7.0, -1.0).raised(0.5) == Gain(7.5, -1.0)


def test_gain_in_the_graph() -> None:
    plain = " ".join(argv("bwf", PROXY, Gain(-3.2), loudness=True))
    assert "volume=-3.20dB" in plain
    assert "alimiter" not in plain
    assert "alimiter" in " ".join(argv("bwf", PROXY, Gain(7.0, -1.0), loudness=True))


def test_measuring_takes_its_share() -> None:
    target = decide(product_of("bwf", loudness=True), presets()["bwf"], NEWS)
    first = measure_step("ffmpeg", target, NEWS, "/in")
    again = measure_step("ffmpeg", target, NEWS, "/in", Gain(7.0, -1.0))
    encode = encode_step("ffmpeg", target, NEWS, "/in", "/out", Gain(1.0))
    assert (first.start, first.share) == (0.0, encode.start)
    assert (again.start, again.share) == (encode.start, 0.0)
    assert encode.start + encode.share == 1.0
    assert first.argv[-3:] == ("-map_chapters", "-1", "-")


def test_a_tool_gets_the_paths_as_words() -> None:
    step = exec_step(("tool", "--in={input}", "{input}", "{output}"), "/opt/tool", "/in/a b", "/out/c")
    assert step.argv == ("/opt/tool", "--in={input}", "/in/a b", "/out/c")


@pytest.mark.parametrize(
    ("timecode", "fps", "samples"),
    [
        ("10:00:00:00", Fraction(25), 36000 * 48000),
        ("00:00:01:05", Fraction(25), 57600),
        ("00:01:00;02", Fraction(30000, 1001), 2882880),
        ("00:10:00;00", Fraction(30000, 1001), 28799971),
    ],
)
def test_samples_since_midnight(timecode: str, fps: Fraction, samples: int) -> None:
    assert samples_since_midnight(timecode, fps) == samples


def test_what_is_expected_of_an_output() -> None:
    target = decide(product_of("imx-50"), presets()["imx-50"], NEWS)
    expected = expected_of(target, NEWS)
    assert (expected.width, expected.height, expected.fps) == (720, 608, Fraction(25))
    assert (expected.audio_streams, expected.channels, expected.duration, expected.frames) == (1, 8, 10.0, 250)
    still = expected_of(decide(product_of("poster"), presets()["poster"], NEWS), NEWS)
    assert (still.duration, still.frames, still.width) == (None, None, 0)


def test_lengths_that_streams_do_not_say() -> None:
    untold = replace(P25, duration=None)
    stream = source(untold, replace(stereo(), duration=None), duration=100.0)
    whole = expected_of(decide(product_of("h264-mp4"), presets()["h264-mp4"], stream), stream)
    part = expected_of(decide(product_of("h264-mp4", audio="none"), presets()["h264-mp4"], stream), stream)
    assert (whole.duration, whole.slack, whole.frames) == (100.0, 0.5, None)
    assert part.slack == 5.0
    unknown = source(untold, duration=None)
    assert expected_of(decide(product_of("h264-mp4"), presets()["h264-mp4"], unknown), unknown).duration is None
