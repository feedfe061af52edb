"""Two ways to look into a file, which must agree; and what foreign descriptions become."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from fa.transcode.errors import Transient
from fa.transcode.media import MediaInfo, common_rate
from fa.transcode.probe import probe
from fa.transcode.probe_json import checked_timecode, media_from_json, rate_of
from fa.transcode.probe_text import media_from_text
from fa.transcode.sandbox import Sandbox
from fa.transcode.tools import Tools


def planned_from(info: MediaInfo) -> tuple[object, ...]:
    """What planning looks at."""
    video = [(v.index, v.codec, v.width, v.height, v.fps, v.pix_fmt, v.interlaced, v.sar, v.matrix) for v in info.video]
    audio = [(a.index, a.codec, a.channels, a.rate) for a in info.audio]
    return info.format, round(info.duration or 0, 1), info.size, video, audio, info.timecode


@pytest.mark.parametrize("name", ["p25.mp4", "i25.mxf"])
async def test_ffmpeg_alone_sees_what_ffprobe_sees(name: str, clips: Path, tools: Tools, sandbox: Sandbox) -> None:
    if not tools.ffprobe:
        pytest.skip("ffprobe is missing")
    both = await probe(tools, sandbox, str(clips / name))
    alone = await probe(replace(tools, ffprobe=""), sandbox, str(clips / name))
    assert planned_from(alone) == planned_from(both)
    assert both.video[0].duration is not None


@pytest.mark.parametrize("alone", [False, True])
async def test_a_prober_that_says_nothing_is_the_trouble_of_its_node(
    alone: bool, clips: Path, tools: Tools, sandbox: Sandbox
) -> None:
    """As one that is broken does; the job is tried elsewhere."""
    broken = replace(tools, ffmpeg="/bin/false", ffprobe="" if alone else "/bin/false")
    with pytest.raises(Transient, match="ended with code 1 and said nothing"):
        await probe(broken, sandbox, str(clips / "p25.mp4"))


async def test_an_odd_file_is_seen_alike(tools: Tools, sandbox: Sandbox, tmp_path: Path) -> None:
    """Anamorphic, 29.97, surround, bottom field first, with a cover picture."""
    path = tmp_path / "odd.mov"
    words = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=720x480:r=30000/1001:d=0.4"]
    words += ["-f", "lavfi", "-i", "anullsrc=cl=5.1:d=0.4", "-f", "lavfi", "-i", "color=s=64x64:d=0.04:r=25"]
    words += ["-map", "0", "-map", "1", "-vf", "setsar=8/9,setfield=bff", "-c:v", "mpeg2video", "-flags", "+ildct+ilme"]
    words += ["-c:a", "pcm_s16le", "-timecode", "01:00:00;02", str(path)]
    subprocess.run(words, check=True, capture_output=True)
    info = await probe(tools, sandbox, str(path))
    alone = await probe(replace(tools, ffprobe=""), sandbox, str(path))
    assert planned_from(alone) == planned_from(info)
    [video], [audio] = info.video, info.audio
    assert (video.fps, video.sar, video.interlaced) == (Fraction(30000, 1001), Fraction(8, 9), True)
    assert (audio.channels, audio.layout, info.timecode) == (6, "5.1", "01:00:00;02")


def test_a_cover_is_no_video_and_a_phone_is_turned() -> None:
    told = {
        "streams": [
            {"index": 0, "codec_type": "video", "width": 600, "height": 600, "disposition": {"attached_pic": 1}},
            {
                "index": 1,
                "codec_type": "video",
                "codec_name": "hevc",
                "width": 1920,
                "height": 1080,
                "sample_aspect_ratio": "4:3",
                "avg_frame_rate": "0/0",
                "r_frame_rate": "30/1",
                "field_order": "unknown",
                "side_data_list": [{}, {"rotation": -90}],
                "tags": {"DURATION": "00:01:02.500000000"},
            },
            {"index": 2, "codec_type": "data"},
            {"index": 3, "codec_type": "audio", "channels": 0},
        ],
        "format": {"format_name": "mov", "duration": "N/A", "tags": {"timecode": "x"}},
    }
    info = media_from_json(told, 5)
    [video] = info.video
    assert (video.width, video.height, video.sar) == (1080, 1920, Fraction(3, 4))
    assert (video.fps, video.field_order, video.duration) == (Fraction(30), "", 62.5)
    assert (info.duration, info.audio, info.timecode) == (None, (), "")


TEXT = r"""[info] Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:odd
Input #1, x, from 'y':
[info]   Duration: 00:01:02.50, start: 0.040000, bitrate: 1 kb/s
[info]   Stream #0:0[0x1](und): Video: av1 (libdav1d) (Main) (av01 / 0x31307661), \
yuv420p10le(tv, bt709, progressive), 3840x2160 [SAR 1:1 DAR 16:9], \
59.94 fps, 59.94 tbr, 60k tbn (default)
[info]   Stream #0:1[0x2]: Video: prores (HQ) (apch / 0x68637061), \
yuv422p10le(bt709, top coded first (swapped)), 720x576, SAR 64:45 DAR 16:9, 25 fps, 25 tbr, 25 tbn
[info]       Side data:
[info]         displaymatrix: rotation of -90.00 degrees
[info]   Stream #0:2: Video: mjpeg, yuvj420p(pc), 600x600, 90k tbr (attached pic)
[info]   Stream #0:3(eng): Audio: pcm_s24le (in24 / 0x34326E69), 48000 Hz, 8 channels, s32 (24 bit), 9216 kb/s
[info]   Stream #0:4: Audio: ac3, 44100 Hz, 5.1(side), fltp, 384 kb/s
[info]       timecode        : 10:11:12:13
"""


def test_the_text_of_ffmpeg_is_understood() -> None:
    info = media_from_text(TEXT.replace("\\\n", ""), 7)
    assert info is not None
    first, second = info.video
    assert (info.duration, info.timecode) == (62.5, "10:11:12:13")
    assert (first.codec, first.profile, first.pix_fmt, first.fps) == (
        "av1",
        "Main",
        "yuv420p10le",
        Fraction(60000, 1001),
    )
    assert (second.codec, second.profile, second.field_order, second.matrix) == ("prores", "HQ", "tb", "bt709")
    assert [(each.channels, each.layout, each.rate) for each in info.audio] == [(8, "", 48000), (6, "5.1(side)", 44100)]


@pytest.mark.parametrize("digits", [10, 400, 5000])
def test_a_length_that_is_no_number_of_this_world_is_unknown(digits: int) -> None:
    """Whoever makes a Matroska file writes into that tag what he likes."""
    long = f"{'9' * digits}:00:00.0"
    stream = {"index": 0, "codec_type": "video", "width": 2, "height": 2, "tags": {"DURATION": long}}
    assert media_from_json({"streams": [stream]}, 5).video[0].duration is None
    info = media_from_text(f"Input #0, x, from 'y':\n  Duration: {long}, start: 0", 5)
    assert info is not None and info.duration is None


def test_no_input_is_none() -> None:
    assert media_from_text("[error] moov atom not found\n", 1) is None


@pytest.mark.parametrize(
    ("text", "timecode"),
    [
        ("10:00:00:00", "10:00:00:00"),
        ("01:00:00;02", "01:00:00;02"),
        ("01:00:00.02", "01:00:00;02"),
        ("10:61:00:00", ""),
        ("x -y", ""),
    ],
)
def test_only_timecodes_pass_as_timecodes(text: str, timecode: str) -> None:
    assert checked_timecode(text) == timecode


def test_rates_are_those_of_television() -> None:
    assert common_rate(Fraction(2997, 100)) == Fraction(30000, 1001)
    assert common_rate(Fraction(2398, 100)) == Fraction(24000, 1001)
    assert common_rate(Fraction(17)) == 17
    assert rate_of(Fraction(25), Fraction(50)) == 25
    assert rate_of(Fraction(0), Fraction(50)) == 50
    assert rate_of(Fraction(123457, 5000), Fraction(90000)) == Fraction(123457, 5000)
    assert rate_of(Fraction(0), Fraction(90000)) == 25
