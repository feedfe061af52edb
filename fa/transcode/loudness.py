"""The summary that the ``ebur128`` filter prints at its end. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fa.transcode.sound import Loudness

SILENCE = -70.0
_FIGURE = r"\s*(-?\d+(?:\.\d+)?|-?inf|nan)"
_FIELDS = {
    "integrated": re.compile(r"\bI:" + _FIGURE + " LUFS"),
    "threshold": re.compile(r"\bThreshold:" + _FIGURE + " LUFS"),
    "range": re.compile(r"\bLRA:" + _FIGURE + " LU"),
    "true_peak": re.compile(r"\bPeak:" + _FIGURE + " dBFS"),
}


def loudness_of(lines: Iterable[str]) -> Loudness | None:
    """The figures of the last summary in the lines of a log, None where there is none. Silence counts as -70."""
    text = "\n".join(lines).rpartition("Summary:")[2]
    found = {name: pattern.search(text) for name, pattern in _FIELDS.items()}
    if any(each is None for each in found.values()):
        return None
    return Loudness(**{name: _figure(each[1]) for name, each in found.items() if each is not None})


def _figure(text: str) -> float:
    return SILENCE if "inf" in text or "nan" in text else max(SILENCE, float(text))
