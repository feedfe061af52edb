"""Which ffmpeg this node uses, and what it can really do.

It is looked for in the settings, on PATH, and in the imageio-ffmpeg wheel (which has no ffprobe). That an encoder is
listed says little (``h264_nvenc`` is listed on machines without a card): each is proven by encoding a few frames.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fa.transcode.capture import capture
from fa.transcode.errors import ToolsMissing
from fa.transcode.fence import GLOBAL
from fa.transcode.sandbox import Sandbox, child_environment

PROOFS_AT_ONCE = 2
PROOF_SECONDS = 30.0

_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")

_AUDIO_ENCODERS = re.compile(
    r"aac.*|.*_at|mp2|mp2fixed|.*mp3.*|e?ac3.*|pcm_.*|flac|alac|(lib)?(opus|vorbis)|lib(fdk_aac|twolame)"
)
_AUDIO_FILTERS = ("aformat", "amerge", "alimiter", "anull", "aresample", "ebur128", "pan", "volume")
_FILTER_ARGS = {
    "aformat": "channel_layouts=mono",
    "amerge": "inputs=1",
    "bwdif": "mode=send_frame",
    "fps": "25",
    "pad": "320:256:0:0",
    "pan": "mono|c0=c0",
    "scale": "128:128",
    "tile": "1x1",
    "tinterlace": "mode=interleave_top",
}
_PICTURE = "testsrc2=s=256x256:r=25:d=0.12"
_TONE = "sine=d=0.1:r=48000"
_ENCODER_OPTIONS = {"dnxhd": ("-profile:v", "dnxhr_hq"), "mjpeg": ("-pix_fmt", "yuvj420p")}


@dataclass(frozen=True, slots=True)
class Tools:
    """``ffprobe`` is empty where there is none. ``identity`` changes whenever the programs do: results of the proofs
    may be kept under it."""

    ffmpeg: str
    ffprobe: str
    version: str
    identity: str


def find_tools(ffmpeg: str = "", ffprobe: str = "") -> Tools:
    """The programs of the settings where given, else those on PATH, else the one of imageio-ffmpeg. Blocking.

    Raises ToolsMissing when there is none, or the one named does not run.
    """
    program = ffmpeg or shutil.which("ffmpeg") or _bundled()
    if not program:
        raise ToolsMissing
    beside = Path(program).with_name("ffprobe")
    prober = ffprobe or (str(beside) if beside.is_file() else "") or ("" if ffmpeg else shutil.which("ffprobe") or "")
    version = _version(program)
    return Tools(program, prober, version, "\n".join(_identity(path) for path in (program, prober) if path))


async def prove_encoders(tools: Tools, sandbox: Sandbox, names: Iterable[str]) -> frozenset[str]:
    """Those of ``names`` with which this ffmpeg really encoded a few frames here."""
    return await _proven([(name, _encoder_proofs(tools, name)) for name in names if _WORD.fullmatch(name)], sandbox)


async def prove_filters(tools: Tools, sandbox: Sandbox, names: Iterable[str]) -> frozenset[str]:
    """Those of ``names`` through which this ffmpeg really passed a few frames here."""
    return await _proven([(name, _filter_proofs(tools, name)) for name in names if _WORD.fullmatch(name)], sandbox)


async def _proven(proofs: list[tuple[str, list[list[str]]]], sandbox: Sandbox) -> frozenset[str]:
    """Those of which one of the command lines works: what a name is for is only guessed."""
    gate = asyncio.Semaphore(PROOFS_AT_ONCE)

    async def one(name: str, commands: list[list[str]]) -> str:
        async with gate:
            for argv in commands:
                tried = await capture(argv, sandbox, seconds=PROOF_SECONDS)
                if tried.returncode == 0:
                    return name
        return ""

    return frozenset(await asyncio.gather(*(one(name, commands) for name, commands in proofs))) - {""}


def _encoder_proofs(tools: Tools, name: str) -> list[list[str]]:
    video = _proof(tools, _PICTURE, "-c:v", name, *_ENCODER_OPTIONS.get(name, ()))
    audio = _proof(tools, _TONE, "-c:a", name)
    return [audio, video] if _AUDIO_ENCODERS.fullmatch(name) else [video, audio]


def _filter_proofs(tools: Tools, name: str) -> list[list[str]]:
    text = f"{name}={_FILTER_ARGS[name]}" if name in _FILTER_ARGS else name
    video, audio = _proof(tools, _PICTURE, "-vf", text), _proof(tools, _TONE, "-af", text)
    return [audio, video] if name in _AUDIO_FILTERS else [video, audio]


def _proof(tools: Tools, source: str, *options: str) -> list[str]:
    return [tools.ffmpeg, *GLOBAL, "-f", "lavfi", "-i", source, *options, "-f", "null", "-"]


def _bundled() -> str:
    """The program inside the imageio-ffmpeg wheel, empty where the wheel is missing or has none for this machine."""
    try:
        import imageio_ffmpeg
    except ImportError:
        return ""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return ""


def _version(program: str) -> str:
    try:
        told = subprocess.run(
            [program, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
            env=child_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolsMissing(f"{program} cannot be run: {error}.", hint="Correct the path of ffmpeg.") from None
    found = re.match(rb"ffmpeg version (\S+)", told.stdout)
    if found is None:
        raise ToolsMissing(f"{program} is not an ffmpeg.", hint="Correct the path of ffmpeg in the settings.")
    return found.group(1).decode("ascii", "replace")


def _identity(program: str) -> str:
    status = Path(program).stat()
    return f"{program} {status.st_size} {status.st_mtime_ns}"
