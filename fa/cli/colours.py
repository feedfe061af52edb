"""Colour for states, where a terminal can and wants to show it (https://no-color.org). Words always say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

PALETTE = {  # 256-colour numbers of FACES.md section 3, palette B: told apart by colour-blind people as well
    "queued": "38;5;246",
    "held": "38;5;183",
    "running": "38;5;75",
    "publishing": "38;5;75",
    "succeeded": "38;5;36",
    "failed": "1;38;5;231;48;5;124",
    "cancelled": "9;38;5;246",
    "up": "38;5;36",
    "paused": "38;5;183",
    "draining": "38;5;178",
    "lost": "1;38;5;228",
    "ok": "38;5;36",
    "degraded": "1;38;5;228",
    "down": "1;38;5;231;48;5;124",
    "lock-step": "38;5;36",
    "solo": "1;38;5;228",
    "syncing": "38;5;178",
    "stalled": "1;38;5;231;48;5;124",
    "watching": "38;5;36",
    "disconnected": "1;38;5;228",
    "error": "1;38;5;231;48;5;124",
    "warning": "1;38;5;228",
    "healthy": "38;5;36",
}


def wants_colour(stream: TextIO, env: Mapping[str, str], refused: bool) -> bool:
    """Colour on a terminal that has it, unless the person said no; CLICOLOR_FORCE says yes for a pipe."""
    if refused or env.get("NO_COLOR"):
        return False
    if env.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return stream.isatty() and env.get("TERM", "dumb") != "dumb"


def paint(text: str, state: str) -> str:
    """``text`` in the colour of ``state``; as it is for a state without one."""
    code = PALETTE.get(state)
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def plain(text: str, state: str) -> str:
    return text
