"""What is decided from preset, overrides and source."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from fa.transcode.errors import BadRecipe, BadSource
from fa.transcode.expect import expected_of
from fa.transcode.media import AudioStream, MediaInfo
from fa.transcode.presets import presets
from fa.transcode.target import AudioTarget, Target, VideoTarget, decide, retime
from tests.transcode.conftest import product_of
from tests.transcode.samples import EIGHT_TRACKS, I25, NEWS, NTSC, P25, P50, PAL, PROXY, mono, source, stereo


def target(preset: str, info: MediaInfo, **settings: object) -> Target:
    return decide(product_of(preset, **settings), presets()[preset], info)


def video(preset: str, info: MediaInfo, **settings: object) -> VideoTarget:
    found = target(preset, info, **settings).video
    assert found is not None
    return found


def audio(preset: str, info: MediaInfo, **settings: object) -> AudioTarget:
    found = target(preset, info, **settings).audio
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("preset", "info", "settings", "fps", "interlaced"),
    [
        ("h264-mp4", NEWS, {}, Fraction(25), False),
        ("h264-mp4", PROXY, {"fps": "23.976"}, Fraction(24000, 1001), False),
        ("prores-422hq", NEWS, {}, Fraction(25), True),
        ("prores-422hq", NEWS, {"scan": "progressive"}, Fraction(25), False),
        ("prores-422hq", NEWS, {"deinterlace": "never"}, Fraction(25), False),
        ("prores-422hq", PROXY, {"deinterlace": "always"}, Fraction(25), True),
        ("mpeg2-ts", PROXY, {"scan": "interlaced"}, Fraction(25), True),
        ("mpeg2-ts", source(P50), {"scan": "interlaced"}, Fraction(25), True),
        ("xdcam-hd422", source(P50), {}, Fraction(25), True),
        ("xdcam-hd422", source(NTSC), {}, Fraction(30000, 1001), True),
        ("xdcam-hd422", PROXY, {"fps": "30000/1001"}, Fraction(30000, 1001), True),
        ("imx-50", source(NTSC), {}, Fraction(25), True),
        ("dnxhr-hq", NEWS, {}, Fraction(25), False),
    ],
)
def test_rate_and_scan(
    preset: str, info: MediaInfo, settings: dict[str, object], fps: Fraction, interlaced: bool
) -> None:
    found = video(preset, info, **settings)
    assert (found.fps, found.interlaced) == (fps, interlaced)


def test_rasters() -> None:
    assert (video("h264-mp4", source(PAL)).raster.width, video("h264-mp4", source(PAL)).raster.height) == (1024, 576)
    assert video("imx-50", NEWS).raster.sar == Fraction(64, 45)
    assert video("h264-mp4", NEWS, max_height=540).raster.width == 960


def test_rates_of_bits() -> None:
    assert dict(video("h264-mp4", PROXY, crf=18, gop=50, speed="slow").options) | {"x": ""} == {
        "preset": "slow",
        "crf": "18",
        "profile:v": "high",
        "g": "50",
        "x": "",
    }
    limited = dict(video("h264-mp4", PROXY, video_bitrate="2M").options)
    assert (limited["b:v"], limited["maxrate:v"], "crf" in limited) == ("2M", "2M", False)


def test_interlaced_options_come_only_when_interlaced() -> None:
    assert dict(video("prores-422hq", NEWS).options)["flags"] == "+ildct"
    assert "flags" not in dict(video("prores-422hq", PROXY).options)


SURROUND = AudioStream(1, "ac3", 6, "5.1(side)", 48000)
DISCRETE = AudioStream(1, "pcm_s24le", 8, "", 48000)


@pytest.mark.parametrize(
    ("info", "settings", "channels", "downmix"),
    [
        (NEWS, {}, (1, 2), False),
        (PROXY, {}, (1, 2), True),
        (source(P25, mono(1)), {}, (1, 1), False),
        (source(P25, SURROUND), {}, (1, 2), True),
        (source(P25, DISCRETE), {}, (1, 2), False),
        (source(P25, mono(1)), {"audio": "mono"}, (1,), False),
        (NEWS, {"audio": "5.1"}, (1, 2, 3, 4, 5, 6), False),
        (source(P25, mono(1), mono(2)), {"audio": "5.1"}, (1, 2, 0, 0, 0, 0), False),
        (NEWS, {"audio": "tracks"}, tuple(range(1, 9)), False),
        (NEWS, {"audio": "tracks", "audio_tracks": 2}, (1, 2), False),
        (PROXY, {"audio": "tracks", "audio_tracks": 4}, (1, 2, 0, 0), False),
        (NEWS, {"audio_map": [7, 8]}, (7, 8), False),
    ],
)
def test_channels(info: MediaInfo, settings: dict[str, object], channels: tuple[int, ...], downmix: bool) -> None:
    found = audio("h264-mp4", info, **settings)
    assert (found.channels, found.downmix) == (channels, downmix)


def test_streams() -> None:
    assert (audio("xdcam-hd422", PROXY).streams, audio("xdcam-hd422", PROXY).channels_per_stream) == (8, 1)
    assert (audio("imx-50", PROXY).streams, audio("imx-50", PROXY).channels_per_stream) == (1, 8)


def test_sound_is_left_out_where_there_is_none() -> None:
    assert target("h264-mp4", source(P25)).audio is None
    assert target("h264-mp4", PROXY, audio="none").audio is None
    silent = audio("xdcam-hd422", source(I25), loudness=True)
    assert (silent.channels, silent.loud) == ((0,) * 8, None)


def test_what_a_source_lacks() -> None:
    with pytest.raises(BadSource, match="no video"):
        target("h264-mp4", source(stereo()))
    with pytest.raises(BadSource, match="no audio"):
        target("bwf", source(P25))
    with pytest.raises(BadSource, match="channel 9"):
        target("h264-mp4", NEWS, audio_map=[1, 9])
    with pytest.raises(BadRecipe, match="names 3 channels, and stereo has 2"):
        target("h264-mp4", NEWS, audio_map=[1, 2, 3])


def test_loudness() -> None:
    assert audio("bwf", PROXY).loud is None
    loud = audio("bwf", PROXY, loudness=-24, true_peak=-2).loud
    assert loud is not None and (loud.integrated, loud.true_peak) == (-24.0, -2.0)


def test_renditions_do_not_enlarge() -> None:
    assert target("hls-ladder", PROXY).renditions == (1080, 720, 540, 360)
    assert target("hls-ladder", source(PAL, stereo())).renditions == (540, 360)
    assert target("hls-ladder", source(PAL), renditions=[2160, 1080]).renditions == (576,), "all would enlarge it"
    small = source(replace(P25, width=321, height=181))
    assert target("hls-ladder", small).renditions == (180,)


@pytest.mark.parametrize(
    ("size", "first"), [((320, 180), (320, 180)), ((3840, 2160), (1920, 1080)), ((854, 480), (640, 360))]
)
def test_a_ladder_is_expected_at_its_first_rendition(size: tuple[int, int], first: tuple[int, int]) -> None:
    info = source(replace(P25, width=size[0], height=size[1]))
    expected = expected_of(target("hls-ladder", info), info)
    assert (expected.width, expected.height) == first


@pytest.mark.parametrize(
    ("timecode", "fps", "told"),
    [
        ("10:00:00:12", Fraction(25), "10:00:00:12"),
        ("10:00:00:12", Fraction(50), "10:00:00:24"),
        ("10:00:00:24", Fraction(30000, 1001), "10:00:00;28"),
        ("10:01:00:00", Fraction(30000, 1001), "10:01:00;02"),
        ("10:10:00:00", Fraction(30000, 1001), "10:10:00;00"),
        ("10:00:00:24", Fraction(24), "10:00:00:23"),
    ],
)
def test_timecode_at_another_rate(timecode: str, fps: Fraction, told: str) -> None:
    assert retime(timecode, Fraction(25), fps) == told


def test_timecode_is_kept_set_or_left_out() -> None:
    assert target("h264-mp4", NEWS).timecode == "10:00:00:00"
    assert target("h264-mp4", NEWS, fps="30000/1001").timecode == "10:00:00;00"
    assert target("h264-mp4", NEWS, timecode="01:00:00:00", fps="50").timecode == "01:00:00:00"
    assert target("h264-mp4", NEWS, timecode="none").timecode == ""
    assert target("bwf", source(*EIGHT_TRACKS, timecode="10:00:00:05")).timecode == "10:00:00:05"
