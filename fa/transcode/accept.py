"""The acceptance check: ffmpeg's exit code 0 proves nothing by itself.

An output is accepted when no error was logged, as much was decoded as the source's header promises, and the output
opens with the planned streams and is as long as what was encoded. It costs one look at the header, not a second decode.
"""

from __future__ import annotations

from pathlib import Path

from fa.transcode.errors import BadOutput, BadSource
from fa.transcode.expect import Expected, length_problems, source_problems, stream_problems
from fa.transcode.ladder import media_playlist, variants_of
from fa.transcode.media import MediaInfo
from fa.transcode.plan import MASTER_PLAYLIST
from fa.transcode.probe import probe
from fa.transcode.runner import Outcome
from fa.transcode.sandbox import Sandbox
from fa.transcode.target import Target
from fa.transcode.tools import Tools


def check_source(target: Target, expected: Expected, outcome: Outcome) -> None:
    """Raise BadSource when the encode ended well and yet the source was not whole."""
    if outcome.error_count and not target.tolerate_errors:
        words = "; ".join(dict.fromkeys(each.rstrip(".") for each in outcome.errors[:4]))
        raise BadSource(
            f"ffmpeg found errors in the source ({outcome.error_count}): {words}.",
            hint='Replace the source, or set decode_errors = "tolerate" in the factory.',
        )
    problems = list(source_problems(expected, outcome.progress))
    if problems and not target.tolerate_errors:
        raise BadSource(f"The source is not whole: {problems[0]}.", hint="It was probably not copied completely.")


async def check_output(
    tools: Tools, sandbox: Sandbox, target: Target, expected: Expected, outcome: Outcome, output: Path
) -> MediaInfo:
    """What the output is. Raises BadOutput when that is not what was planned."""
    if target.preset.kind == "ladder":
        sample, seconds = _ladder(target, output)
        made = await _opened(tools, sandbox, sample)
        length: float | None = seconds
    else:
        made = await _opened(tools, sandbox, output)
        length = made.duration
    problems = [*stream_problems(expected, made), *length_problems(expected, outcome.progress, length)]
    if problems:
        raise BadOutput(
            f"The output is not what was planned: {'; '.join(problems)}.", hint="See the log of the attempt."
        )
    return made


async def _opened(tools: Tools, sandbox: Sandbox, output: Path) -> MediaInfo:
    try:
        return await probe(tools, sandbox, str(output), still=True)
    except BadSource as error:
        raise BadOutput(f"The output cannot be opened. {error.detail.replace('source', 'output')}") from None


def _ladder(target: Target, folder: Path) -> tuple[Path, float]:
    """The first segment of the first rendition, and the seconds of the shortest. Raises BadOutput."""
    names = variants_of(_text(folder / MASTER_PLAYLIST))
    if len(names) != len(target.renditions):
        raise BadOutput(f"The master playlist names {len(names)} renditions, not {len(target.renditions)}.")
    lists = [media_playlist(_text(folder / name)) for name in names]
    for name, playlist in zip(names, lists, strict=True):
        missing = [each for each in playlist.segments if not _has_bytes(folder / each)]
        if not playlist.closed or not playlist.segments or missing:
            raise BadOutput(f"The playlist {name} is not complete.", hint="See the log of the attempt.")
    return folder / lists[0].segments[0], min(each.seconds for each in lists)


def _has_bytes(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise BadOutput(f"The output lacks {path.name}.", hint="See the log of the attempt.") from None
