"""argparse as the commands of fa use it: examples first, no abbreviations, a suggestion for a slip of the finger."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

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


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` instead of leaving the process."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **more: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **more})
        self.examples = tuple(examples)

    def format_help(self) -> str:
        text = super().format_help()
        if not self.examples:
            return text
        return "Examples:\n" + "".join(f"  {line}\n" for line in self.examples) + f"\n{text}"

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.prog)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        near = difflib.get_close_matches(str(value), known, 1, 0.5)
        what = "command" if isinstance(action, argparse._SubParsersAction) else "choice"
        more = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
        raise argparse.ArgumentError(None, f"there is no {what} {value!r}. {more}")


def commands(parser: Parser) -> Callable[[str, str, Configure], None]:
    """Make ``parser`` a group; the answer adds a command to it: name, summary, what configures its parser."""
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


def add_reach(parser: argparse.ArgumentParser) -> None:
    """The options that say which array is meant; they may stand before or after the command."""
    group = parser.add_argument_group("which array")
    for name, metavar, text in (
        ("--dir", "D", "state directory of a node on this machine ($FA_DIR, /var/lib/fa)"),
        ("--addr", "URL[,URL…]", "addresses of nodes; the next one is tried when one does not answer ($FA_ADDR)"),
        ("--token-file", "F", "file with the API token ($FA_TOKEN_FILE)"),
        ("--cacert", "F", "the array's CA certificate ($FA_CACERT)"),
    ):
        group.add_argument(name, metavar=metavar, help=text, default=argparse.SUPPRESS)
    _flag(group, "--no-color", "no colour ($NO_COLOR)")


def add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    suppress = argparse.SUPPRESS
    group.add_argument("-o", "--output", choices=FORMATS, metavar="FORMAT", default=suppress, help=", ".join(FORMATS))
    _flag(group, "-q", "--quiet", "ids only, one a line")
    _flag(group, "--no-header", "no line of titles above a table")


def _flag(group: argparse._ArgumentGroup, *names_and_text: str) -> None:
    *names, text = names_and_text
    group.add_argument(*names, action="store_true", default=argparse.SUPPRESS, help=text)
