"""How things look: glyphs and their ASCII twins, states as glyph + word + style, and what the styles are.

Palette B of FACES.md section 3: at least 6:1 against the background, told apart under protanopia, deuteranopia and
tritanopia; a failure is a white-on-red block, never red text. Backgrounds are exact in 256 colours. No state rests on
its colour: each has its word, and cursor and chosen tab are reversed where there is no colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fa.client.text import clean
from fa.tui.line import Line, Span

THEMES = ("dark", "terminal", "none")
"""dark = palette B; terminal = the sixteen colours of the terminal itself; none = no colour."""


class Badge(NamedTuple):
    """A state: its glyph, its word, the word of its style."""

    glyph: str
    word: str
    style: str


WAIT, HELD, RUN, RETRY = (
    Badge("·", "WAIT", "wait"),
    Badge("=", "HELD", "held"),
    Badge("►", "RUN", "run"),
    Badge("↻", "RTRY", "retry"),
)
PUBLISH, DONE, FAIL, CANCEL, UNKNOWN = (
    Badge("►", "PUB", "run"),
    Badge("✓", "DONE", "done"),
    Badge("✗", "FAIL", "fail"),
    Badge("⊘", "CNCL", "cancel"),
    Badge("?", "?", "warn"),
)

JOBS = {
    "queued": WAIT,
    "held": HELD,
    "running": RUN,
    "publishing": PUBLISH,
    "succeeded": DONE,
    "failed": FAIL,
    "cancelled": CANCEL,
    "lost": Badge("?", "LOST", "warn"),
}
NODES = {
    "up": Badge("✓", "up", "done"),
    "draining": Badge("↻", "draining", "retry"),
    "paused": Badge("=", "paused", "held"),
    "lost": Badge("✗", "LOST", "fail"),
}
HEALTH = {
    "ok": Badge("✓", "OK", "done"),
    "degraded": Badge("▲", "DEGRADED", "warn"),
    "down": Badge("✗", "DOWN", "fail"),
}
MIRROR = {
    "lock-step": Badge("✓", "LOCK-STEP", "done"),
    "solo": Badge("▲", "SOLO", "warn"),
    "syncing": Badge("↻", "SYNCING", "retry"),
    "stalled": Badge("✗", "STALLED", "fail"),
}
COPIES = {
    "complete": Badge("✓", "complete", "done"),
    "in-sync": Badge("✓", "in-sync", "done"),
    "syncing": Badge("↻", "syncing", "retry"),
    "spare": Badge("·", "spare", "dim"),
}
MONITORS = {
    "watching": Badge("✓", "watching", "done"),
    "disconnected": Badge("✗", "DISCONNECTED", "fail"),
    "paused": Badge("=", "paused", "held"),
    "error": Badge("✗", "ERROR", "fail"),
}
VOLUMES = {
    "healthy": Badge("✓", "healthy", "done"),
    "full": Badge("✗", "FULL", "fail"),
    "read-only": Badge("▲", "read-only", "warn"),
    "slow": Badge("▲", "slow", "warn"),
    "disconnected": Badge("✗", "DISCONNECTED", "fail"),
    "hung": Badge("✗", "HUNG", "fail"),
    "foreign": Badge("✗", "FOREIGN", "fail"),
}
SEVERITIES = {
    "info": Badge("·", "info", "dim"),
    "warning": Badge("▲", "WARN", "warn"),
    "error": Badge("✗", "ERROR", "fail"),
}

SPARK = "▁▂▃▄▅▆▇█"
_ASCII = str.maketrans("│─┌┐└┘├┤┬━╸·■□▲►✓✗↻⊘›●…↔→▸" + SPARK, "|-+++++++=-.#.!>+X~->*~-->_.-=+*%#")


@dataclass(frozen=True, slots=True)
class Look:
    """How this terminal is drawn on."""

    theme: str = "dark"
    ascii: bool = False

    def finish(self, lines: Sequence[Line]) -> list[Line]:
        """A whole screen as this terminal can show it: our glyphs become their ASCII twins, columns stay."""
        if not self.ascii:
            return list(lines)
        return [tuple(Span(span.text.translate(_ASCII), span.style) for span in line) for line in lines]


def badge(found: Badge, room: int = 0) -> Span:
    """Glyph and word; padded to ``room``."""
    return Span(f"{found.glyph} {found.word}".ljust(room)[: room or None], found.style)


def badge_of(states: Mapping[str, Badge], state: str, room: int = 0) -> Span:
    """As `badge`, for a state that a newer node may have invented."""
    return badge(states.get(state) or UNKNOWN._replace(word=clean(state)), room)


def bar(share: float, room: int, style: str = "run") -> tuple[Span, ...]:
    """A thin bar of ``room`` columns; full blocks made a blue wall on a real screen."""
    halves = round(max(0.0, min(1.0, share)) * room * 2)
    full, half = divmod(halves, 2)
    return Span("━" * full + "╸" * half, style), Span("─" * (room - full - half), "rule")


class Paint(NamedTuple):
    """What a style is, in the words of a terminal."""

    color: str | None = None
    background: str | None = None
    bold: bool = False
    dim: bool = False
    reverse: bool = False
    underline: bool = False
    strike: bool = False


BACKGROUND = "#10151a"

DARK: dict[str, Paint] = {
    "": Paint("#d0d7de"),
    "dim": Paint("#8a949e"),
    "rule": Paint("#4e5660"),
    "title": Paint("#ffffff", bold=True),
    "key": Paint("#fff27a", bold=True),
    "off": Paint("#626b75"),
    "wait": Paint("#8a949e"),
    "held": Paint("#d9b8ff"),
    "run": Paint("#4aa3ff"),
    "retry": Paint("#e69f00"),
    "done": Paint("#00a878"),
    "warn": Paint("#fff27a", bold=True),
    "fail": Paint("#ffffff", "#a3271f", bold=True),
    "cancel": Paint("#8a949e", strike=True),
    "mark": Paint("#fff27a", bold=True),
    "cursor": Paint(background="#303030", bold=True),
    "tab": Paint("#ffffff", "#005f87", bold=True),
    "bar": Paint("#d0d7de", "#1c2228"),
    "alarm": Paint(reverse=True, bold=True),
    "edit": Paint("#ffffff", "#303030"),
    "caret": Paint(reverse=True),
    "toast": Paint("#ffffff", "#005f87"),
}
TERMINAL: dict[str, Paint] = {
    "": Paint(),
    "dim": Paint("bright_black"),
    "rule": Paint("bright_black"),
    "title": Paint(bold=True),
    "key": Paint("yellow", bold=True),
    "off": Paint("bright_black"),
    "wait": Paint("bright_black"),
    "held": Paint("magenta"),
    "run": Paint("bright_blue"),
    "retry": Paint("yellow"),
    "done": Paint("green"),
    "warn": Paint("bright_yellow", bold=True),
    "fail": Paint("bright_white", "red", bold=True),
    "cancel": Paint("bright_black", strike=True),
    "mark": Paint("bright_yellow", bold=True),
    "cursor": Paint(reverse=True),
    "tab": Paint(reverse=True, bold=True),
    "bar": Paint(bold=True),
    "alarm": Paint(reverse=True, bold=True),
    "edit": Paint(underline=True),
    "caret": Paint(reverse=True),
    "toast": Paint(reverse=True),
}
_PLAIN = {"title", "key", "warn", "mark", "run"}
NONE: dict[str, Paint] = {
    name: Paint(
        bold=paint.bold or name in _PLAIN,
        dim=name in ("off", "rule"),
        reverse=paint.reverse or name in ("fail",),
        underline=paint.underline,
        strike=paint.strike,
    )
    for name, paint in TERMINAL.items()
}

PAINTS = {"dark": DARK, "terminal": TERMINAL, "none": NONE}


def paint(theme: str, style: str) -> Paint:
    """The paint for a style word, or several of them; later ones lie over earlier ones."""
    known = PAINTS[theme]
    out = known[""]
    for word in style.split():
        out = _laid(out, known.get(word, Paint()))
    return out


def _laid(below: Paint, top: Paint) -> Paint:
    return Paint(
        top.color or below.color,
        top.background or below.background,
        top.bold or below.bold,
        top.dim or below.dim,
        top.reverse or below.reverse,
        top.underline or below.underline,
        top.strike or below.strike,
    )
