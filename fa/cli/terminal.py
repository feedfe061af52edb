"""How wide the terminal is."""

from __future__ import annotations

import os
import sys

COLUMNS = 80  # where there is no terminal


def columns() -> int:
    """As `shutil.get_terminal_size` has it, without its imports: every start of `fa` asks."""
    try:
        given = int(os.environ.get("COLUMNS", "0"))
    except ValueError:
        given = 0
    if given > 0:
        return given
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or COLUMNS  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):  # no stdout, a closed one, no terminal
        return COLUMNS
