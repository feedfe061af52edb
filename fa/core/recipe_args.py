"""The fence around ``args``, the operator's own ffmpeg output options.

They may tune the encode; they may not open another file, add an output, bring a filter graph, or switch off what fa
relies on. Every option is followed by exactly one value, except the few that take none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

FLAGS = ("-an", "-vn", "-sn", "-dn", "-shortest")
"""Options without a value that may be given."""

_BARE = re.compile(
    r"""-(no)?(
        accurate_seek|auto_conversion_filters|autorotate|autoscale|benchmark(_all)?|bitexact|copy_unknown|copyinkf
        |copyts|debug_ts|deinterlace|dump|find_stream_info|fix_sub_duration(_heartbeat)?|force_fps|hex|hide_banner
        |ignore_unknown|intra|n|psnr|qphist|re|recast_media|report|seek_timestamp|start_at_zero|stats|stdin|vstats
        |xerror|y)""",
    re.VERBOSE,
)
"""Options of ffmpeg that take no value: after them the next word would be read as an output file."""

_TAKEN = re.compile(
    r"""-(
        af|vf|lavfi|filter(_.*)?|map|i|f|v|loglevel|progress|stats_period|update|safe|pattern_type|listen|method
        |.*_whitelist|.*_filename|.*_key_info_file|.*_file|.*passlogfile|init_hw_device|attach|dump_attachment
        |master_pl_name|var_stream_map|hls_flags|hls_base_url|[avs]?pre|fpre|sources|sinks
        |(enc|mux)_stats.*|stats_(enc|mux)_.*)""",
    re.VERBOSE,
)
"""Options that fa sets itself, that open files, or that bring filter graphs."""

_OPTION = re.compile(r"-[A-Za-z][A-Za-z0-9_-]*(:[A-Za-z0-9:_#]+)?")
_RATIO = re.compile(r"\d+/\d+")


def args_problems(args: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(index, sentence) for every word that cannot stay."""
    wants_value = False
    for index, word in enumerate(args):
        if wants_value:
            wants_value = False
            if problem := _value_problem(word):
                yield index, problem
        elif problem := _option_problem(word):
            yield index, problem
        else:
            wants_value = word not in FLAGS
    if wants_value:
        yield len(args) - 1, "lacks its value"


def _option_problem(word: str) -> str:
    if not _OPTION.fullmatch(word):
        return "is not an ffmpeg option (options start with -, each followed by its value)"
    name = word.partition(":")[0]
    if _BARE.fullmatch(name):
        return "is not allowed here: it takes no value, and would change how fa runs ffmpeg"
    if _TAKEN.fullmatch(name):
        return "is not allowed here: fa sets it, or it would open another file or a filter graph"
    return ""


def _value_problem(word: str) -> str:
    if not word.isprintable():
        return "holds control characters"
    if "/" in word and not _RATIO.fullmatch(word):
        return "is not allowed here: no paths or URLs in args"
    return ""
