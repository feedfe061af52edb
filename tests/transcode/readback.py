"""Reading an output back with ffprobe and ffmpeg themselves, apart from the code under test."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any


def streams(path: Path) -> dict[str, Any]:
    """``ffprobe -show_format -show_streams`` as it is."""
    words = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)]
    return dict(json.loads(subprocess.run(words, capture_output=True, check=True).stdout))


def of_type(told: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in told["streams"] if each["codec_type"] == kind]


def fields_of(path: Path) -> set[tuple[int, int]]:
    """(interlaced, top field first) of the first decoded pictures."""
    words = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-read_intervals", "%+#4"]
    words += ["-show_entries", "frame=interlaced_frame,top_field_first", "-of", "json", str(path)]
    frames = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)["frames"]
    return {(each["interlaced_frame"], each["top_field_first"]) for each in frames}


def loudness(path: Path, stream: str = "0:a:0") -> float:
    """Integrated loudness in LUFS, as the ``ebur128`` filter prints it."""
    graph = f"[{stream}]ebur128=framelog=verbose"
    if "+" in stream:
        inputs = "".join(f"[{each}]" for each in stream.split("+"))
        graph = f"{inputs}amerge=inputs={stream.count('+') + 1},ebur128=framelog=verbose"
    words = ["ffmpeg", "-nostdin", "-nostats", "-i", str(path), "-filter_complex", graph, "-f", "null", "-"]
    said = subprocess.run(words, capture_output=True, check=True, text=True).stderr
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1])


def true_peak(path: Path) -> float:
    """In dBTP."""
    words = [
        "ffmpeg",
        "-nostdin",
        "-nostats",
        "-i",
        str(path),
        "-af",
        "ebur128=framelog=verbose:peak=true",
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(words, capture_output=True, check=True, text=True).stderr
    return float(re.findall(r"Peak:\s+(-?[\d.]+|-inf) dBFS", said)[-1])


def tone(path: Path, stream: int, channel: int = 0) -> int:
    """The frequency of the tone in that audio stream, in Hz to the nearest 10, counted by its zero crossings; 0 for
    silence."""
    words = ["ffmpeg", "-nostdin", "-v", "error", "-ss", "0.2", "-i", str(path), "-t", "0.5", "-map", f"0:a:{stream}"]
    words += ["-af", f"pan=mono|c0=c{channel}", "-ar", "48000", "-f", "s16le", "-"]
    raw = subprocess.run(words, capture_output=True, check=True).stdout
    samples = struct.unpack(f"<{len(raw) // 2}h", raw)
    if max(samples, default=0) < 50:
        return 0
    rising = sum(before < 0 <= after for before, after in pairwise(samples))
    return round(rising / (len(samples) / 48000) / 10) * 10


def mean_brightness(path: Path, crop: str) -> float:
    """Mean luma (0..255) of a part of the first picture, as ``w:h:x:y``."""
    words = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-frames:v", "1", "-vf"]
    words += [f"crop={crop},format=gray", "-f", "rawvideo", "-"]
    raw = subprocess.run(words, capture_output=True, check=True).stdout
    return sum(raw) / len(raw)
