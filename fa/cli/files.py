"""Files that people name on the command line; ``-`` is stdin."""

from __future__ import annotations

import sys
from pathlib import Path

from fa.errors import Invalid, NotFound

BYTES_MAX = 1 << 20  # the server takes no larger body


def read_text(path: str) -> str:
    """The text of a file. Raises `NotFound` or `Invalid` with the reason."""
    try:
        if path == "-":
            return sys.stdin.read(BYTES_MAX)
        with Path(path).open(encoding="utf-8") as file:
            return file.read(BYTES_MAX)
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}.", hint="A recipe is UTF-8 text in TOML.") from None
