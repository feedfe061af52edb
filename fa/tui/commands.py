"""The command line of the dashboard (`:`): the words of the CLI, completed with Tab. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fa.errors import Invalid
from fa.tui.boxes.submit import shared
from fa.tui.look import THEMES
from fa.tui.world import World


@dataclass(frozen=True, slots=True)
class Command:
    """A word after the colon. ``action`` is run as if its key had been pressed; without one the desk knows it."""

    word: str
    help: str
    action: str = ""
    argument: str = ""


COMMANDS = (
    Command("status", "the whole array", "view.array"),
    Command("array", "the whole array", "view.array"),
    Command("jobs", "jobs that match", argument="[QUERY]"),
    Command("job", "open a job", argument="ID"),
    Command("why", "why a job is not running", argument="ID"),
    Command("at", "jobs up to a time", argument="TIME"),
    Command("nodes", "the servers", "view.nodes"),
    Command("node", "open a node", argument="NAME"),
    Command("factories", "recipes", "view.factories"),
    Command("factory", "open a factory", argument="NAME"),
    Command("monitors", "watch folders", "view.monitors"),
    Command("monitor", "open a monitor", argument="NAME"),
    Command("mirror", "the copies of the job store", "view.mirror"),
    Command("events", "what happened", "view.events"),
    Command("alerts", "open alerts", "view.events"),
    Command("submit", "submit a file", "job.submit"),
    Command("theme", "colours", argument="|".join(THEMES)),
    Command("utc", "UTC or local time", "utc"),
    Command("help", "the keys", "help"),
    Command("save", "write this screen to a file", "save"),
    Command("quit", "leave", "quit"),
)
WORDS = {command.word: command for command in COMMANDS}


def parse(text: str) -> tuple[Command, str]:
    """The command and its argument; an unambiguous beginning will do. Raises `Invalid`."""
    word, _, argument = text.strip().removeprefix("fa ").strip().partition(" ")
    if word in WORDS:
        return WORDS[word], argument.strip()
    near = [name for name in WORDS if name.startswith(word)] if word else []
    if len(near) == 1:
        return WORDS[near[0]], argument.strip()
    raise Invalid(
        f"There is no command {word!r}.", hint=f"Did you mean {' or '.join(near)}?" if near else "Tab lists them."
    )


def options(text: str, world: World) -> list[str]:
    """What the line could become, whole."""
    word, blank, argument = text.partition(" ")
    if not blank:
        return [name for name in WORDS if name.startswith(word)]
    known: Iterable[str] = {
        "node": (node.name for node in world.nodes or world.status.nodes),
        "factory": (factory.name for factory in world.factories),
        "monitor": (monitor.name for monitor in world.monitors),
        "theme": THEMES,
        "jobs": ("state:", "factory:", "node:", "since:", "until:", "pri:>=", "monitor:"),
    }.get(word, ())
    return [f"{word} {name}" for name in known if name.startswith(argument)]


def completed(text: str, world: World) -> str:
    """The line after Tab."""
    found = options(text, world)
    if not found:
        return text
    return f"{found[0]} " if len(found) == 1 else shared(found)
