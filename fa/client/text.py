"""The one door through which foreign text reaches a terminal, a table or a mail (SECURITY.md 4.5).

A file may be called anything. Escape sequences, bidi marks and line breaks in a name would move the cursor, forge rows
or turn text around; here they become visible escapes. Printable text of any script passes unchanged.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_IN_JSON = re.compile(r"[^\x20-\x7e\n]")


def clean(value: Any) -> str:
    """``value`` as one line that does nothing but show: control, format, private, unassigned characters, surrogates
    and line separators become ``\\x1b``, ``\\u202e``, ``\\U000e0001``; spaces of any width stay what they are."""
    text = value if isinstance(value, str) else str(value)
    if text.isprintable():
        return text
    return "".join(char if _shows(char) else _escape(char) for char in text)


def clean_lines(value: str) -> str:
    """Text of several lines, each cleaned; tabs become spaces. For logs and error messages."""
    return "\n".join(clean(line.expandtabs(8)) for line in value.split("\n"))


def clean_json(text: str) -> str:
    """JSON text as it may be shown: what `clean` would escape becomes ``\\uXXXX``, so the value stays the same."""
    return _IN_JSON.sub(lambda match: match[0] if _shows(match[0]) else _escape_json(match[0]), text)


def width(text: str) -> int:
    """Columns that cleaned ``text`` takes in a terminal: wide East Asian and emoji two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def fit(text: str, columns: int, keep_tail: bool = False) -> str:
    """``text`` cut to ``columns`` with an ellipsis; ``keep_tail`` keeps its end, where file names differ."""
    if width(text) <= columns:
        return text
    room, kept = columns - 1, ""
    for char in reversed(text) if keep_tail else text:
        room -= _columns(char)
        if room < 0:
            break
        kept = char + kept if keep_tail else kept + char
    return f"…{kept}" if keep_tail else f"{kept}…"


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _shows(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _escape_json(char: str) -> str:
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
