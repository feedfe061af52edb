"""The statements of `FILES` by name (the habit is procrastinate's): SQL stays SQL, with its comments."""

from __future__ import annotations

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """The statements of a file in which each follows a line `-- name: …`; comments are left out, whitespace joined."""
    parts = _NAME.split(text)
    names = parts[1::2]
    assert len(names) == len(set(names)), "two statements have one name"
    return {name: _squeeze(body) for name, body in zip(names, parts[2::2], strict=True)}


def _squeeze(body: str) -> str:
    lines = (line.strip() for line in body.splitlines())
    return " ".join(line for line in lines if line and not line.startswith("--"))


FILES = ("queries.sql", "monitors.sql", "notices.sql")
SQL = parse("\n".join(files("fa.store").joinpath(name).read_text("utf-8") for name in FILES))
