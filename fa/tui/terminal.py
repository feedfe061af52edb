"""What is written to a terminal besides the picture: the clipboard; and what the environment says about it. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from fa.errors import Invalid


def clipboard(text: str, env: Mapping[str, str]) -> str:
    """OSC 52; within tmux also in its own wrapping, which it passes on where that is allowed."""
    code = f"\x1b]52;c;{base64.b64encode(text.encode('utf-8', 'surrogatepass')).decode()}\x07"
    if "TMUX" not in env:
        return code
    wrapped = code.replace("\x1b", "\x1b\x1b")
    return f"{code}\x1bPtmux;{wrapped}\x1b\\"


def check(env: Mapping[str, str], stdin_tty: bool, stderr_tty: bool) -> None:
    """Textual reads stdin, writes to stderr and looks at neither: without a terminal it would run for ever, and a dumb
    one would get colours. Raises `Invalid`."""
    if not (stdin_tty and stderr_tty):
        raise Invalid("The dashboard needs a terminal on stdin and stderr.", hint="Use `fa status --watch`.")
    if env.get("TERM", "") in ("dumb", ""):
        raise Invalid("The dashboard cannot draw on this terminal (TERM=dumb).", hint="Use `fa status --watch`.")


def wants_ascii(env: Mapping[str, str]) -> bool:
    """Where our glyphs would be missing or double: no UTF-8, the Linux console, wide East Asian locales."""
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    plain = not any(name in locale.lower().replace("-", "") for name in ("utf8",))
    return plain or locale[:2] in ("ja", "ko", "zh") or env.get("TERM", "") in ("linux", "vt100", "vt220")


def over_ssh(env: Mapping[str, str]) -> bool:
    return "SSH_CONNECTION" in env or "SSH_TTY" in env


def theme(env: Mapping[str, str], asked: str, colour: bool) -> str:
    """``asked`` wins; without colour there is one theme; few colours take those of the terminal."""
    if not colour:
        return "none"
    if asked:
        return asked
    few = env.get("TERM", "") in ("linux", "vt100", "vt220", "screen", "ansi")
    return "terminal" if few and env.get("COLORTERM", "") not in ("truecolor", "24bit") else "dark"


TEXTUAL = {
    "TEXTUAL_ANIMATIONS": "none",
    "TEXTUAL_SMOOTH_SCROLL": "0",
    "TEXTUAL_FPS": "30",
    "TEXTUAL_THEME": "ansi-dark",
    "ESCDELAY": "50",
}
"""Read by Textual when it is imported, so they are set before that."""
