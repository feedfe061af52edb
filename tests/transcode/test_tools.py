"""Finding ffmpeg, and finding out what it can do; the fences of this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fa.core.recipe import known_encoders, known_filters
from fa.transcode.capture import NotStarted, TookTooLong, capture
from fa.transcode.errors import ToolsMissing
from fa.transcode.perform import EncodeResult
from fa.transcode.sandbox import Limits, Sandbox, find_sandbox
from fa.transcode.synthetic import KINDS, NoSynthetic, synthetic_source
from fa.transcode.tools import Tools, find_tools, prove_encoders, prove_filters
from tests.transcode.conftest import Encode, product_of


def test_the_settings_come_first(tools: Tools, tmp_path: Path) -> None:
    alone = tmp_path / "ffmpeg"
    alone.symlink_to(Path(tools.ffmpeg).resolve())
    found = find_tools(str(alone))
    assert (found.ffmpeg, found.ffprobe) == (str(alone), ""), "an ffprobe of another build is not mixed in"
    assert find_tools(str(alone), tools.ffprobe or "x").ffprobe == (tools.ffprobe or "x")
    assert found.version == tools.version


def test_then_the_path_then_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg on PATH is missing")
    assert find_tools().ffmpeg == shutil.which("ffmpeg")
    bundled = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_tools().ffmpeg == bundled


def test_no_program_and_no_ffmpeg(tmp_path: Path) -> None:
    with pytest.raises(ToolsMissing, match="cannot be run"):
        find_tools(str(tmp_path / "nothing"))
    with pytest.raises(ToolsMissing, match="is not an ffmpeg"):
        find_tools("/bin/true")


def test_nothing_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("fa.transcode.tools._bundled", lambda: "")
    with pytest.raises(ToolsMissing, match="No usable ffmpeg"):
        find_tools()


def test_another_build_is_another_identity(tmp_path: Path, tools: Tools) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text("#!/bin/sh\necho ffmpeg version 1\n")
    script.chmod(0o755)
    first = find_tools(str(script)).identity
    script.write_text("#!/bin/sh\necho ffmpeg version 1.1\n")
    assert find_tools(str(script)).identity != first
    assert find_tools().identity == tools.identity


async def test_what_is_proven_works_and_what_is_only_listed_does_not(tools: Tools, sandbox: Sandbox) -> None:
    names = {"libx264", "aac", "dnxhd", "h264_nvenc", "no_such", "-y", "a b"}
    assert await prove_encoders(tools, sandbox, sorted(names)) == {"libx264", "aac", "dnxhd"}
    assert await prove_filters(tools, sandbox, ["pan", "bwdif", "no_such"]) == {"pan", "bwdif"}
    assert await prove_encoders(tools, sandbox, ["wavpack", "libmp3lame"]) == {"wavpack", "libmp3lame"}
    assert await prove_filters(tools, sandbox, ["loudnorm", "hflip"]) == {"loudnorm", "hflip"}, "of either kind"


async def test_this_ffmpeg_can_make_every_preset(tools: Tools, sandbox: Sandbox) -> None:
    assert await prove_encoders(tools, sandbox, known_encoders()) == set(known_encoders())
    assert await prove_filters(tools, sandbox, known_filters()) == set(known_filters())


async def test_a_bundled_ffmpeg_without_ffprobe_makes_a_proxy(clips: Path, encode: Encode) -> None:
    bundled = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    alone = find_tools(bundled)
    assert alone.ffprobe == ""
    result = await encode(
        clips / "i25.mxf", product_of("h264-mp4", height=144, speed="ultrafast", loudness=True), tools=alone
    )
    assert isinstance(result, EncodeResult), result
    assert result.info is not None
    assert (result.info.video[0].height, result.info.timecode) == (144, "10:00:00:00")


async def test_a_probe_that_hangs_is_given_up(sandbox: Sandbox) -> None:
    with pytest.raises(TookTooLong):
        await capture(["/bin/sleep", "1000"], sandbox, seconds=0.5)


async def test_a_program_that_is_not_there(sandbox: Sandbox) -> None:
    with pytest.raises(NotStarted, match="could not be started"):
        await capture(["/nowhere/ffprobe"], sandbox)


async def test_an_output_without_end_is_not_kept(sandbox: Sandbox) -> None:
    found = await capture(["/bin/sh", "-c", "head -c 20000000 /dev/zero"], sandbox)
    assert len(found.output) == 16 << 20


@pytest.mark.parametrize("kind", KINDS)
async def test_a_source_that_cannot_be_made_says_why(kind: str, tools: Tools, sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(NoSynthetic, match="No test source"):
        await synthetic_source(tools, sandbox, tmp_path / "gone" / "x", seconds=0.1, kind=kind, size="64x64")


def test_a_bare_machine_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    bare = find_sandbox()
    assert len(bare.notes) == 5
    assert bare.wrap(["x"], Limits()) == ["x"]


def test_a_machine_that_may_make_no_namespaces_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fa.transcode.sandbox._works", lambda argv: False)
    notes = " ".join(find_sandbox().notes)
    assert "unshare -n and -rn failed" in notes
    assert "unshare --pid failed" in notes


def test_the_signal_of_death_is_set_after_the_namespace(sandbox: Sandbox) -> None:
    """Entering a user namespace clears it."""
    fenced = Sandbox(("unshare", "-rn"), ("unshare", "--pid"), "setpriv", "prlimit", "nice", "sh")
    words = fenced.wrap(["tool"], Limits(), contain=True)
    order = [words.index(each) for each in ("-rn", "prlimit", "nice", "setpriv", "sh", "--pid", "tool")]
    assert order == sorted(order)
