"""Whether trying again can help. Pure.

Permanent is what the source or the recipe causes: every attempt, on every node, would end alike; as far as one node
can tell, whose program may be another or broken. Transient is what the surroundings cause: a volume that went away, a
full disk, a kill, a stall.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

_SURROUNDINGS = re.compile(
    r"Input/output error|Stale file handle|Transport endpoint is not connected|No space left on device"
    r"|Disk quota exceeded|Host is down|Connection (timed out|reset)|Resource temporarily unavailable"
    r"|Read-only file system|No such file or directory|Remote I/O error|Too many open files|No such device"
    r"|Interrupted system call",
    re.IGNORECASE,
)
_MEMORY = re.compile(r"Cannot allocate memory|malloc.* failed|std::bad_alloc|out of memory", re.IGNORECASE)
_RECIPE = re.compile(
    r"Unknown encoder|Unrecognized option|Option .* not found|Unable to parse option|Error setting option"
    r"|Unable to find a suitable output format|Undefined constant or missing|Invalid (argument|encoder)|No such filter"
    r"|Error (parsing|splitting)|maybe incorrect parameters|not supported by the .* encoder|Possible tags",
    re.IGNORECASE,
)
_GRAPH = re.compile(r"Failed to inject frame into filter|Error (re)?initializing (a |complex )?filter", re.IGNORECASE)
"""A filter graph that cannot be built says "Input/output error" as well: the recipe is meant, not a volume."""

_ASKED = re.compile(r"Exiting normally, received signal (\d+)")

_ROOM = re.compile(r"No space left on device", re.IGNORECASE)
_QUOTA = re.compile(r"Disk quota exceeded", re.IGNORECASE)
SURROUNDINGS, NO_ROOM, QUOTA = "surroundings", "no-room", "quota"
CONTRADICTS = "contradictory-recipe"
SURROUNDED = frozenset({SURROUNDINGS, NO_ROOM, QUOTA, CONTRADICTS})
"""Codes of what no program of the node can be blamed for: what the surroundings cause (`NO_ROOM` and `QUOTA` by the
words alone, which may be about any disk), and a recipe that cannot be, which needs no program to be seen."""

LAUNCH_FAILED = (125, 126, 127)
"""What a shell and the programs of util-linux answer when they cannot start the command behind them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``permanent``: do not try again. ``code`` is stable; ``sentence`` is for the operator and says what to do."""

    permanent: bool
    code: str
    sentence: str


def is_transient(text: str) -> bool:
    """Whether the text of an error speaks of the surroundings. (A file that is not there counts: the source was
    looked at before, so it or the output's folder went away since.)"""
    return bool(_SURROUNDINGS.search(text))


def classify(returncode: int, errors: tuple[str, ...], lines: tuple[str, ...], *, stalled: bool, what: str) -> Verdict:
    """The verdict on a step (``what``: measure, encode, exec) that did not end well. ``errors`` and ``lines`` as in
    ``Outcome``, already cleaned."""
    said = _said(errors, lines)
    if stalled:
        return Verdict(False, "stalled", "No picture, byte or processor time for too long; the encode was ended.")
    if is_transient(said) and not _GRAPH.search(said):
        code = NO_ROOM if _ROOM.search(said) else QUOTA if _QUOTA.search(said) else SURROUNDINGS
        return Verdict(False, code, f"Reading or writing failed: {said} Look at the volumes and their space.")
    number = _signal(returncode, lines, what)
    if number:
        return _signalled(number, said)
    if returncode in LAUNCH_FAILED:
        return Verdict(False, "launch", f"The program could not be started: {said} Look at the node's installation.")
    if _MEMORY.search(said):
        return Verdict(
            False, "memory", f"There was not enough memory: {said} Lower the node's slots or raise its limit."
        )
    if what == "exec":
        return Verdict(True, "exec-failed", f"The tool ended with code {returncode}: {said}")
    if not said:
        sentence = f"ffmpeg ended with code {returncode} and said nothing. Look at the node's installation."
        return Verdict(False, "silent", sentence)
    if _RECIPE.search(said) or _GRAPH.search(said):
        return Verdict(True, "bad-recipe", f"ffmpeg refused the recipe: {said} Correct the factory.")
    return Verdict(True, "bad-source", f"ffmpeg could not transcode the source: {said} Replace it and submit it again.")


def _signal(returncode: int, lines: tuple[str, ...], what: str) -> int:
    """The signal that ended it, 0 for none. ffmpeg takes SIGTERM as a wish, ends in order, and says so; its other codes
    above 128 are errors of its own, while a shell means signals by them."""
    if returncode < 0:
        return -returncode
    if what == "exec":
        return returncode - 128 if 128 < returncode <= 192 else 0
    asked = _ASKED.search("\n".join(lines))
    return int(asked[1]) if asked else 0


def _signalled(number: int, said: str) -> Verdict:
    if number == signal.SIGXFSZ:
        return Verdict(True, "output-too-large", "The output grew far beyond what its source can need; it was ended.")
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    crashed = number in (signal.SIGSEGV, signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE)
    how = "crashed" if crashed else "was killed"
    return Verdict(False, "killed", f"The encode {how} ({name}). {said}".strip())


def _said(errors: tuple[str, ...], lines: tuple[str, ...]) -> str:
    """ffmpeg's own words, shortened: the first errors name the cause, later ones follow from it."""
    words = list(dict.fromkeys(each.rstrip(".") for each in errors))[:4] or list(lines[-2:])
    text = "; ".join(words)
    return f"{text[:600]}." if text and not text.endswith(".") else text[:600]
