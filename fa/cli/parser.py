"""argparse as the commands of fa use it: examples first, no abbreviations, a suggestion for a slip of the finger."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from fa.cli import terminal

if TYPE_CHECKING:
    from fa.cli.context import Context

Run = Callable[["Context"], int | None]
Configure = Callable[["Parser"], None]

FORMATS = ("table", "wide", "json", "ndjson", "csv", "name")


class UsageError(Exception):
    """The command line cannot be understood. Holds the sentence and the command whose help says more."""

    def __init__(self, message: str, command: str) -> None:
        super().__init__(message)
        self.command = command


class Formatter(argparse.HelpFormatter):
    """Is made for every option that is added, so it looks at the terminal the cheap way."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=terminal.columns() - 2)


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` instead of leaving the process."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **more: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, "formatter_class": Formatter, **more})
        self.examples = tuple(examples)
        self.values: frozenset[str] = frozenset()  # that begin with a minus and are no options: "-priority"

    def format_help(self) -> str:
        text = super().format_help()
        if not self.examples:
            return text
        return "Examples:\n" + "".join(f"  {line}\n" for line in self.examples) + f"\n{text}"

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.prog)

    def _parse_optional(self, arg_string: str) -> Any:
        return None if arg_string in self.values else super()._parse_optional(arg_string)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        import difflib  # here: only for a slip of the finger

        near = difflib.get_close_matches(str(value), known, 1, 0.5)
        what = "command" if isinstance(action, argparse._SubParsersAction) else "choice"
        more = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
        raise argparse.ArgumentError(None, f"there is no {what} {value!r}. {more}")


def commands(parser: Parser) -> Callable[[str, str, Configure], None]:
    """Make ``parser`` a group; the answer adds a command to it: name, summary, what configures its parser."""
    add_reach(parser)
    group = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def add(name: str, summary: str, configure: Configure) -> None:
        configure(group.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."))

    return add


def leaf(parser: Parser, run: Run, *examples: str, lists: bool = False, changes: bool = False) -> None:
    """Make ``parser`` a command that runs ``run``. ``lists``: it prints objects. ``changes``: it changes something."""
    parser.examples = examples
    parser.set_defaults(run=run)
    add_reach(parser)
    if lists or changes:
        add_output(parser)
    if changes:
        group = parser.add_argument_group("safety")
        _flag(group, "--dry-run", "say what would be asked of the array, change nothing")
        _flag(group, "--yes", "do not ask for confirmation (asked on a terminal only)")


REACH = (
    ("--dir", "D", "state directory of a node on this machine ($FA_DIR, /var/lib/fa)"),
    ("--addr", "URL[,URL…]", "addresses of nodes; the next one is tried when one does not answer ($FA_ADDR)"),
    ("--token-file", "F", "file with the API token ($FA_TOKEN_FILE)"),
    ("--cacert", "F", "the array's CA certificate ($FA_CACERT)"),
)
NO_COLOR = "--no-color"


def add_reach(parser: argparse.ArgumentParser) -> None:
    """The options that say which array is meant; they may stand anywhere (see `pick_reach`)."""
    group = parser.add_argument_group("which array")
    for name, metavar, text in REACH:
        group.add_argument(name, metavar=metavar, help=text, default=argparse.SUPPRESS)
    _flag(group, NO_COLOR, "no colour ($NO_COLOR)")


def pick_reach(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of `add_reach` with their values, and the other words. So they may stand between any two words, where
    argparse would end a list of names. One whose value is missing stays where it is: its command says so."""
    reach: list[str] = []
    rest: list[str] = []
    words, valued = deque(argv), {name for name, _, _ in REACH}
    while words and words[0] != "--":
        word = words.popleft()
        name, joined, _ = word.partition("=")
        if word == NO_COLOR or (joined and name in valued):
            reach.append(word)
        elif word in valued and words and not words[0].startswith("-"):
            reach += [word, words.popleft()]
        else:
            rest.append(word)
    return reach, [*rest, *words]


def add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    suppress = argparse.SUPPRESS
    group.add_argument("-o", "--output", choices=FORMATS, metavar="FORMAT", default=suppress, help=", ".join(FORMATS))
    _flag(group, "-q", "--quiet", "ids only, one a line")
    _flag(group, "--no-header", "no line of titles above a table")


def _flag(group: argparse._ArgumentGroup, *names_and_text: str) -> None:
    *names, text = names_and_text
    group.add_argument(*names, action="store_true", default=argparse.SUPPRESS, help=text)
