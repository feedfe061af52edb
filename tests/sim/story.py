"""Stories as text: commands, ``----``, and below it what the nodes decided (the style is toydb's).

``Story.run(text)`` gives the same text with the traces as they are now. Its commands are the methods whose names begin
with ``_do_``. Two worlds can be told of: the array (``tests.sim.script``) and the jobs (``tests.sim.work.script``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol


class Teller(Protocol):
    """A world that writes down what happens in it."""

    lines: list[str]


class Story:
    """One story: a quiet world in which only the commands make things go wrong."""

    def __init__(self, world: Teller) -> None:
        self._told = world
        self._commands: dict[str, Callable[..., None]] = {
            name[4:].replace("_", "-"): getattr(self, name) for name in dir(self) if name.startswith("_do_")
        }

    def run(self, text: str) -> str:
        """The story with its traces written anew."""
        return "".join(self._block(head, commands) for head, commands in blocks(text))

    def _block(self, head: str, commands: list[str]) -> str:
        self._told.lines = []
        for command in commands:
            words = command.split("#")[0].split()
            self._commands[words[0]](*words[1:])
        trace = "".join(f"{line}\n" for line in self._told.lines)
        return head + "".join(f"{command}\n" for command in commands) + "----\n" + trace


def blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each block as (comments and blank lines before it, commands); what stood below ``----`` is skipped."""
    head: list[str] = []
    commands: list[str] = []
    below = False
    for line in text.splitlines():
        if below and line.strip() and not line.startswith("#"):
            continue
        if line == "----":
            yield "".join(f"{each}\n" for each in head), commands
            head, commands, below = [], [], True
        elif not line.strip() or line.startswith("#"):
            head.append(line)
            below = False
        else:
            commands.append(line)
    assert not commands, f"commands without ---- below them: {commands}"
