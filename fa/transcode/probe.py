"""What is in a file: asked of ffprobe, or of ffmpeg itself where there is no ffprobe.

A probe decodes a little of a foreign file, so it runs behind the same fences as an encode.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
from pathlib import Path

from fa.transcode.capture import Captured, capture
from fa.transcode.classify import is_transient
from fa.transcode.errors import BadSource, Transient
from fa.transcode.fence import file_url, input_words
from fa.transcode.log import printable
from fa.transcode.media import MediaInfo
from fa.transcode.probe_json import ENTRIES, media_from_json
from fa.transcode.probe_text import media_from_text
from fa.transcode.sandbox import Sandbox
from fa.transcode.tools import Tools

_NOISE = ("At least one output file must be specified", "Error opening input files")


async def probe(
    tools: Tools, sandbox: Sandbox, path: str, pass_fds: tuple[int, ...] = (), *, still: bool = False
) -> MediaInfo:
    """The streams of the file at ``path``. ``still``: it may also be a picture (only of our own making).

    Raises BadSource with ffmpeg's own words when it is not media that can be opened, Transient when its volume fails.
    """
    size = await asyncio.to_thread(file_size, path)
    found = await capture(_command(tools, path, still), sandbox, pass_fds=pass_fds)
    info = _read(tools, found, size)
    if info is None or not (info.video or info.audio):
        raise _refused(found)
    return info


def file_size(path: str) -> int:
    """Bytes of the regular file at ``path``. Raises BadSource for what is missing, empty, or no regular file."""
    try:
        status = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        raise BadSource(f"There is no file {printable(path)}.", hint="Check the path and submit again.") from None
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        if is_transient(reason):
            raise Transient(f"The source cannot be read: {reason}.", hint="Look at its volume.") from None
        raise BadSource(f"The source cannot be opened: {reason}.") from None
    if stat.S_ISDIR(status.st_mode):
        raise BadSource("The source is a folder.", hint="Submit the files in it.")
    if not stat.S_ISREG(status.st_mode):
        raise BadSource("The source is not a regular file.")
    if status.st_size == 0:
        raise BadSource("The source is empty (0 bytes).", hint="It was probably not copied completely.")
    return status.st_size


def _command(tools: Tools, path: str, still: bool) -> list[str]:
    fence = input_words(still=still)
    if tools.ffprobe:
        return [
            tools.ffprobe,
            *("-hide_banner", "-loglevel", "level+error", *fence),
            *("-show_entries", ENTRIES, "-of", "json", file_url(path)),
        ]
    return [tools.ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "level+info", *fence, "-i", file_url(path)]


def _read(tools: Tools, found: Captured, size: int) -> MediaInfo | None:
    """ffmpeg alone always ends with an error, because it was given no output: only its words tell."""
    if not tools.ffprobe:
        return media_from_text(found.log.decode("utf-8", "replace"), size)
    if found.returncode:
        return None
    return media_from_json(json.loads(found.output), size)


def _refused(found: Captured) -> BadSource | Transient:
    """ffmpeg and ffprobe always say what they do not like about a file: silence is the trouble of this node."""
    if found.returncode and not found.log.strip():
        sentence = f"The probe of the source ended with code {found.returncode} and said nothing."
        return Transient(sentence, hint="Look at the node's installation.")
    reason = _reason(found)
    if is_transient(reason):
        return Transient(f"The source cannot be read: {reason}.", hint="Look at its volume.")
    if "Format not on whitelist" in reason:
        kind = re.search(r"([a-z]\w*): Format not on whitelist", reason)
        reason = f"{kind[1] if kind else 'what it is'} may refer to other files, or is not a clip"
    return BadSource(f"The source is not media that can be opened: {reason}.", hint="Replace it and submit again.")


def _reason(found: Captured) -> str:
    """ffmpeg's own words, without the lines that only repeat the path (which may be broken over several lines)."""
    said = [each for each in found.errors if "file:" not in each and not each.startswith(_NOISE)]
    if not said:
        last = found.log.decode("utf-8", "replace").strip().rpartition("\n")[2]
        said = [printable(last.rpartition(": ")[2]) or f"ffmpeg ended with code {found.returncode} and no message"]
    return "; ".join(dict.fromkeys(each.rstrip(".") for each in said[-3:]))
