"""What comes in broken, hostile, or not at all: a clear sentence, no retry when it cannot help, the node fine."""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from fa.transcode.perform import EncodeFailure, EncodeResult
from fa.transcode.tools import Tools
from tests.transcode import readback
from tests.transcode.conftest import Encode, product_of

PROXY = product_of("h264-mp4", speed="ultrafast", height=144)


def remux(source: Path, target: Path, *words: str) -> Path:
    command = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-i",
        str(source),
        "-map",
        "0:v",
        "-map",
        "0:a",
        *words,
        str(target),
    ]
    subprocess.run(command, check=True)
    return target


@pytest.fixture(scope="module")
def whole(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same clip in the containers that broadcasters send."""
    folder = tmp_path_factory.mktemp("whole")
    clip = clips / "p25.mp4"
    mpeg2 = ("-c:v", "mpeg2video", "-b:v", "2M", "-c:a", "pcm_s16le")
    return {
        "mxf": remux(clip, folder / "clip.mxf", *mpeg2, "-bf", "2"),
        "mkv": remux(clip, folder / "clip.mkv", "-c", "copy"),
        "mp4": remux(clip, folder / "clip.mp4", "-c", "copy"),
        "faststart.mp4": clip,
        "ts": remux(clip, folder / "clip.ts", "-c", "copy"),
        "wav": remux(clip, folder / "clip.mov", "-c", "copy").with_name("clip.mov"),
    }


async def refused(encode: Encode, source: Path | str) -> EncodeFailure:
    """The failure, which must be permanent."""
    result = await encode(source, PROXY)
    assert isinstance(result, EncodeFailure), result
    assert result.permanent, result
    return result


@pytest.mark.parametrize("kind", ["mxf", "mkv", "mp4", "faststart.mp4", "ts", "wav"])
@pytest.mark.parametrize("share", [0.5, 0.7])
async def test_half_a_source_is_no_source(
    kind: str, share: float, whole: dict[str, Path], encode: Encode, tmp_path: Path
) -> None:
    data = whole[kind].read_bytes()
    cut = tmp_path / f"half.{kind}"
    cut.write_bytes(data[: int(len(data) * share)])
    failure = await refused(encode, cut)
    assert failure.code == "bad-source"
    assert len(failure.sentence) > 40, "ffmpeg's own words are there"


@pytest.mark.parametrize("kind", ["mxf", "mkv", "mp4", "ts"])
async def test_the_whole_source_is_taken(kind: str, whole: dict[str, Path], encode: Encode) -> None:
    result = await encode(whole[kind], PROXY)
    assert isinstance(result, EncodeResult), result


async def test_damage_may_be_tolerated(whole: dict[str, Path], encode: Encode, tmp_path: Path) -> None:
    cut = tmp_path / "half.ts"
    cut.write_bytes(whole["ts"].read_bytes()[: whole["ts"].stat().st_size // 2])
    result = await encode(cut, product_of("h264-mp4", speed="ultrafast", height=144, decode_errors="tolerate"))
    assert isinstance(result, EncodeResult), result


async def test_a_missing_source(encode: Encode, tmp_path: Path) -> None:
    assert "There is no file" in (await refused(encode, tmp_path / "nothing.mxf")).sentence


async def test_a_folder(encode: Encode, tmp_path: Path) -> None:
    (tmp_path / "dir.mxf").mkdir()
    assert "is a folder" in (await refused(encode, tmp_path / "dir.mxf")).sentence


async def test_an_empty_file(encode: Encode, tmp_path: Path) -> None:
    (tmp_path / "empty.mxf").touch()
    assert "empty (0 bytes)" in (await refused(encode, tmp_path / "empty.mxf")).sentence


async def test_a_pipe(encode: Encode, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mxf")
    assert "not a regular file" in (await refused(encode, tmp_path / "pipe.mxf")).sentence


async def test_text_named_as_a_movie(encode: Encode, tmp_path: Path) -> None:
    (tmp_path / "notes.mov").write_text("Not a movie at all.\n" * 200)
    assert "not media that can be opened" in (await refused(encode, tmp_path / "notes.mov")).sentence


async def test_audio_only_where_video_is_asked(whole: dict[str, Path], encode: Encode, tmp_path: Path) -> None:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "sine=d=0.5", str(tmp_path / "tone.wav")]
    subprocess.run(command, check=True)
    assert "no video" in (await refused(encode, tmp_path / "tone.wav")).sentence


async def test_no_audio_where_there_is_nothing_else(encode: Encode, clips: Path, tmp_path: Path) -> None:
    mute = tmp_path / "mute.mkv"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(clips / "p25.mp4"), "-an", "-c", "copy", str(mute)]
    subprocess.run(command, check=True)
    result = await encode(mute, product_of("bwf"))
    assert isinstance(result, EncodeFailure) and result.permanent
    assert "no audio" in result.sentence


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp4",
        "new\nline.mp4",
        'it\'s "quoted".mp4',
        "-vn.mp4",
        "%d-%03d.mp4",
        "http:x.mp4",
        "emoji 👩\u200d🚀.mp4",
        "semi;colon[0:v],x=1\\.mp4",
        "broken \udcff utf-8.mp4",
        "é" * 123 + ".mp4",
    ],
)
@pytest.mark.parametrize("preset", ["h264-mp4", "poster"])
async def test_hostile_names_are_just_names(
    name: str, preset: str, clips: Path, encode: Encode, tmp_path: Path
) -> None:
    source = tmp_path / name
    os.link(clips / "p25.mp4", source)
    settings = {"speed": "ultrafast"} if preset == "h264-mp4" else {}
    result = await encode(source, product_of(preset, height=90, **settings))
    assert isinstance(result, EncodeResult), result


@pytest.mark.parametrize("name", ["playlist.mp4", "line\nbreak.mp4"])
async def test_a_playlist_opens_nobody_elses_media(
    name: str, whole: dict[str, Path], encode: Encode, tmp_path: Path
) -> None:
    canary = whole["ts"]
    listed = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\n{canary}\n#EXT-X-ENDLIST\n"
    (tmp_path / name).write_text(listed)
    failure = await refused(encode, tmp_path / name)
    assert "not media that can be opened" in failure.sentence
    assert not (tmp_path / "out.part").exists()


async def test_nor_does_a_concat_script(whole: dict[str, Path], encode: Encode, tmp_path: Path) -> None:
    os.link(whole["ts"], tmp_path / "canary.ts")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile canary.ts\n")
    await refused(encode, tmp_path / "list.mp4")


def bomb(width: int, height: int) -> bytes:
    """A PNG of one colour: kilobytes that unpack to a gigabyte."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer, packed = zlib.compressobj(1), b""
    for _ in range(height):
        packed += packer.compress(bytes(width * 3 + 1))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed + packer.flush()) + chunk(b"IEND", b"")


async def test_a_pixel_bomb_is_not_unpacked(encode: Encode, tmp_path: Path) -> None:
    picture = tmp_path / "bomb.png"
    picture.write_bytes(bomb(16_000, 6_000))
    await refused(encode, picture)
    movie = tmp_path / "bomb.mov"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(picture), "-c", "copy", str(movie)]
    subprocess.run(command, check=True)
    failure = await refused(encode, movie)
    assert "exceeds specified max pixel count" in failure.sentence


async def test_a_full_disk_is_worth_another_try(clips: Path, encode: Encode, tmp_path: Path) -> None:
    (tmp_path / "out.part").symlink_to("/dev/full")
    result = await encode(clips / "p25.mp4", PROXY)
    assert isinstance(result, EncodeFailure)
    assert (result.permanent, result.code) == (False, "no-room")
    assert "No space left on device" in result.sentence


async def test_a_folder_that_is_gone_is_worth_another_try(clips: Path, encode: Encode, tmp_path: Path) -> None:
    result = await encode(clips / "p25.mp4", PROXY, output=str(tmp_path / "gone" / "x.part"))
    assert isinstance(result, EncodeFailure)
    assert not result.permanent


async def test_a_wrong_option_is_a_bad_recipe(clips: Path, encode: Encode) -> None:
    result = await encode(clips / "p25.mp4", replace(PROXY, args=("-no_such_option", "1")))
    assert isinstance(result, EncodeFailure)
    assert (result.permanent, result.code) == (True, "bad-recipe")
    assert "no_such_option" in result.sentence


async def test_a_missing_program_is_no_fault_of_the_source(clips: Path, encode: Encode, tmp_path: Path) -> None:
    gone = Tools(str(tmp_path / "ffmpeg"), str(tmp_path / "ffprobe"), "0", "gone")
    result = await encode(clips / "p25.mp4", PROXY, tools=gone)
    assert isinstance(result, EncodeFailure)
    assert not result.permanent


async def test_bad_words_are_cleaned_before_anybody_reads_them(encode: Encode, tmp_path: Path) -> None:
    failure = await refused(encode, tmp_path / "\x1b[31mred\u202e.mov")
    assert "\x1b" not in failure.sentence
    assert "\u202e" not in failure.sentence


async def test_the_source_is_only_read(clips: Path, encode: Encode) -> None:
    source = clips / "p25.mp4"
    before = (source.stat().st_mtime_ns, source.read_bytes())
    await encode(source, PROXY)
    assert (source.stat().st_mtime_ns, source.read_bytes()) == before
    assert readback.streams(source)["streams"]
