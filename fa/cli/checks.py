"""What a node needs of its machine, one check each: facts in, findings with advice out."""

from __future__ import annotations

import asyncio
import ctypes
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fa.cli.times import size
from fa.core.recipe_words import PRESETS
from fa.errors import FaError
from fa.transcode.sandbox import Sandbox, find_sandbox
from fa.transcode.tools import Tools, find_tools, prove_encoders

SQLITE_MIN = (3, 37, 0)  # STRICT tables
LITESTREAM_MIN = (0, 5, 16)  # restores the segments that fa writes (REPLICATION.md)
DISK_MIN = 5 * 10**9  # bytes free in the state directory: days of segments and logs
CLOCK_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
TIMEX_BYTES = 256  # more than struct timex has on any machine


@dataclass(frozen=True, slots=True)
class Finding:
    """``level``: ok, warning (it works, less well), error (a node cannot work like this)."""

    check: str
    level: str
    text: str
    advice: str = ""


def ffmpeg(program: str = "", prober: str = "") -> Iterator[Finding]:
    """Which ffmpeg there is, and which presets it can really make."""
    try:
        tools = find_tools(program, prober)
    except FaError as error:
        yield Finding("ffmpeg", "error", error.detail, error.hint or "Install ffmpeg, or name it in fa.toml.")
        return
    yield Finding("ffmpeg", "ok", f"{tools.ffmpeg} {tools.version}")
    if tools.ffprobe:
        yield Finding("ffprobe", "ok", tools.ffprobe)
    else:
        yield Finding("ffprobe", "warning", "not found; sources are read with ffmpeg alone", "Install ffprobe.")
    sandbox = find_sandbox()
    yield from _fences(sandbox)
    yield from _presets(tools, sandbox)


def _fences(sandbox: Sandbox) -> Iterator[Finding]:
    for note in sandbox.notes:
        yield Finding("fence", "warning", note, "Install util-linux, or allow user namespaces.")
    if not sandbox.notes:
        yield Finding("fence", "ok", "encodes run without network, with limits, and die with their node")


def _presets(tools: Tools, sandbox: Sandbox) -> Iterator[Finding]:
    wanted = sorted({encoder for needs in PRESETS.values() for encoder in needs.encoders})
    proven = asyncio.run(prove_encoders(tools, sandbox, wanted))
    yield Finding("encoders", "ok" if proven else "error", " ".join(sorted(proven)) or "none works")
    for name, needs in PRESETS.items():
        if missing := sorted(set(needs.encoders) - proven):
            text = f"this machine cannot make {name}: {', '.join(missing)} does not work"
            yield Finding("encoders", "warning", text, "Use an ffmpeg that has it, or leave it to other nodes.")


def sqlite(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> Finding:
    text = ".".join(map(str, version))
    if version < SQLITE_MIN:
        return Finding("sqlite", "error", f"{text} is too old", "Use the bundled binary, or SQLite 3.37 or later.")
    return Finding("sqlite", "ok", text)


def litestream() -> Finding:
    """The stock tool that restores what fa writes; only that needs it."""
    beside = shutil.which("litestream", path=str(Path(sys.executable).parent))
    program = beside or shutil.which("litestream")
    advice = "Install Litestream 0.5.16 or later to restore with the stock tool; `fa` itself does not need it."
    if program is None:
        return Finding("litestream", "warning", "not found", advice)
    told = subprocess.run([program, "version"], capture_output=True, text=True, check=False, timeout=30).stdout
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", told)
    version = tuple(map(int, found.groups())) if found else (0,)
    if version < LITESTREAM_MIN:
        return Finding("litestream", "warning", f"{program} {told.strip()} is too old", advice)
    return Finding("litestream", "ok", f"{program} {'.'.join(map(str, version))}")


def clock() -> Finding:
    """Whether the kernel's clock is disciplined. No safety rule needs it; people and certificates do."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return Finding("clock", "warning", "cannot be looked at on this system")
    if state in (CLOCK_UNSYNCHRONISED, -1):
        advice = "Start chrony or systemd-timesyncd; in a closed room, let one server be the clock of the others."
        return Finding("clock", "warning", "is not synchronised", advice)
    return Finding("clock", "ok", "synchronised")


def disk(path: Path, least: int = DISK_MIN) -> Finding:
    """Room in the state directory, or where it would be made."""
    there = next(each for each in (path, *path.parents) if each.exists())
    free = shutil.disk_usage(there).free
    if free < least:
        return Finding("disk", "warning", f"{size(free)} free in {there}", f"Keep {size(least)} free for the store.")
    return Finding("disk", "ok", f"{size(free)} free in {there}")


def volumes(mounted: Mapping[str, str]) -> Iterator[Finding]:
    """Whether each volume of fa.toml is there and can be written, looked at in a child: a hung mount hangs only it."""
    if not mounted:
        yield Finding("volumes", "warning", "none in fa.toml", "Name one: [volumes], san = '/mnt/san'.")
    for name, path in sorted(mounted.items()):
        yield _volume(name, path)


def _volume(name: str, path: str, seconds: float = 5.0) -> Finding:
    script = 'test -d "$1" && test -r "$1" && test -w "$1" && ls -A -- "$1" >/dev/null'
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", script, "sh", path], check=False, timeout=seconds, capture_output=True
        ).returncode
    except subprocess.TimeoutExpired:
        return Finding("volumes", "error", f"{name}: {path} does not answer", "Look at the mount and its server.")
    if done:
        return Finding(
            "volumes", "error", f"{name}: {path} is missing or cannot be written", "Mount it, or its rights."
        )
    where = "a mount point" if Path(path).is_mount() else "a folder of this machine, not a mount"
    return Finding("volumes", "ok", f"{name}: {path} ({where})")
