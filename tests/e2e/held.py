"""A tool that works until it is let go: jobs whose end is the test's, not ffmpeg's."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e import kit

SCRIPT = """#!/bin/sh
# writes on and on, until there is a file beside the source with .go behind its name
while [ ! -e "$1.go" ]; do echo "still there" >> "$2"; sleep 0.05; done
cat "$1" > "$2"
"""
FACTORY = """
name = "{name}"
{more}
[[products]]
name = "copy"
exec = ["hold", "{{input}}", "{{output}}"]
destination = "san:out/{name}-{{job}}.txt"
"""


class Holder:
    """The tool, and what it is given and let go by."""

    def __init__(self, array: kit.Array) -> None:
        self._array = array
        self.program = array.root / "hold"
        self.program.write_text(SCRIPT)
        self.program.chmod(0o755)

    def allow(self, name: str, **sections: dict[str, object]) -> None:
        """Let a node that is yet to be made start the tool; `sections` is what its settings say besides."""
        transcode = {"exec": [str(self.program)]} | sections.pop("transcode", {})
        self._array.settings[name] = {"transcode": transcode, **sections}

    def running(self) -> bool:
        """Whether the tool works somewhere."""
        commands = (path for path in Path("/proc").glob("[0-9]*/cmdline"))
        return any(os.fsencode(self.program) in _read(path).split(b"\0") for path in commands)

    def source(self, name: str, *, go: bool = False) -> str:
        """A file for a job, which ends at once with `go`."""
        self._at(name).write_text(name)
        if go:
            self.let_go(name)
        return f"san:in/{name}"

    def let_go(self, name: str) -> None:
        self._at(name).with_name(f"{name}.go").touch()

    def _at(self, name: str) -> Path:
        return self._array.san / "in" / name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it ended meanwhile


def factory(name: str, more: str = "") -> str:
    return FACTORY.format(name=name, more=more)
