"""What a command has at hand: its arguments, the array, and the ways to tell a person or a script."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fa.cli import colours, tables, terminal
from fa.cli.exits import AUTH, OK, UNREACHABLE, exit_code
from fa.cli.tables import Item, Look, Noun
from fa.client.calls import Call
from fa.client.retry import PATIENCE
from fa.client.target import Target, resolve
from fa.client.text import clean, clean_lines
from fa.errors import FaError

if TYPE_CHECKING:
    from fa.client.plain import Client

ROW_COLUMNS_MIN = 40


class Context:
    def __init__(self, args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> None:
        self.args = args
        self.env = env
        self.patience = PATIENCE

    def option(self, name: str, default: Any = None) -> Any:
        """An option that was perhaps not given."""
        return getattr(self.args, name, default)

    # the array

    @cached_property
    def target(self) -> Target:
        names = ("dir", "addr", "token_file", "cacert")
        return resolve(self.env, **{name: self.option(name) for name in names})

    @cached_property
    def client(self) -> Client:
        from fa.client.plain import Client  # here, since loading it takes as long as all of `fa version`

        return Client(self.target, patience=self.patience)

    def send(self, call: Call) -> Any:
        return self.client.send(call)

    def change(self, call: Call) -> Any:
        """Ask for a change; with --dry-run only say what would be asked, and return None."""
        if not self.option("dry_run", False):
            return self.client.send(call)
        body = call.text if call.text is not None else "" if call.body is None else tables.as_json(call.body, None)
        self.print(f"would ask: {call.method} {call.target} {clean(body)}".rstrip())
        return None

    # people

    @property
    def styled(self) -> bool:
        return colours.wants_colour(sys.stdout, self.env, self.option("no_color", False))

    def paint(self, text: str, state: str) -> str:
        return colours.paint(text, state) if self.styled else text

    def print(self, text: str = "") -> None:
        """One or more lines of *cleaned* text to stdout."""
        sys.stdout.write(f"{text}\n")

    def flush(self) -> None:
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """A message that is not the result: to stderr, cleaned here."""
        sys.stdout.flush()
        sys.stderr.write(f"{clean_lines(text)}\n")

    def confirm(self, question: str, objects: Sequence[str] = (), word: str = "y") -> bool:
        """Ask on a terminal; without one, or with --yes or --dry-run, go on. ``word`` is what must be typed."""
        if self.option("yes", False) or self.option("dry_run", False) or not sys.stdin.isatty():
            return True
        listed = [f"  {each}" for each in objects[:10]] + ([f"  … {len(objects)} in all"] if len(objects) > 10 else [])
        self.say("\n".join([*listed, f"{question} Type {word!r} to go on:"]))
        if sys.stdin.readline().strip() == word:
            return True
        self.say("Nothing was changed.")
        return False

    # results

    @property
    def format(self) -> str:
        return str(self.option("output", "table"))

    @property
    def machine(self) -> bool:
        """The result goes to a script: json, ndjson, csv, name or -q."""
        return self.format not in ("table", "wide") or bool(self.option("quiet", False))

    @property
    def look(self) -> Look:
        tty = sys.stdout.isatty() and self.format != "csv"
        columns = max(terminal.columns(), ROW_COLUMNS_MIN) if tty else 0
        now = self.client.now() if "client" in self.__dict__ else datetime.now(UTC)
        header = not self.option("no_header", False)
        return Look(now, columns, self.format == "wide", header, colours.paint if self.styled else colours.plain)

    def show_list(self, noun: Noun, items: Iterable[Item], page: Item | None = None, empty: str = "") -> None:
        """A list in the format that was asked for; ``page`` has the cursors that json repeats."""
        if self.option("quiet", False):
            self._lines(clean(item.get(noun.key)) for item in items)
        elif self.format == "json":
            more = {key: value for key, value in (page or {}).items() if key != "items"}
            self.print(tables.as_json({"items": list(items), **more}))
        elif self.format == "ndjson":
            self._lines(tables.as_json(item, None) for item in items)
        elif self.format == "name":
            self._lines(noun.ref(item) for item in items)
        elif self.format == "csv":
            sys.stdout.write(tables.as_csv(noun, items, self.look))
        else:
            self._table(noun, list(items), empty)

    def _table(self, noun: Noun, items: list[Item], empty: str) -> None:
        if items or not empty:
            self._lines(tables.render(noun, items, self.look))
        else:
            self.say(empty)

    def show(self, noun: Noun, item: Item, lines: Iterable[str]) -> None:
        """One object: ``lines`` for people, else the format that was asked for."""
        if self.format == "json" and not self.option("quiet", False):
            self.print(tables.as_json(item))
        elif self.machine:
            self.show_list(noun, [item])
        else:
            self._lines(lines)

    def _lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.print(line)

    def each(self, names: Sequence[str], act: Any) -> int:
        """Do ``act(name)`` for each; a problem with one does not keep the others from being done. The exit code is
        that of the first problem."""
        code = OK
        for name in names:
            try:
                act(name)
            except FaError as error:
                if exit_code(error) in _FOR_ALL:
                    raise
                self.complain(error)
                code = code or exit_code(error)
        return code

    def complain(self, error: FaError) -> None:
        """What happened, why, what to do."""
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        self.say(f"fa: {error.detail}{notes}" + (f"\n    {error.hint}" if error.hint else ""))

    def ids(self, given: Sequence[str], noun: str) -> list[str]:
        """The names on the command line; ``-`` reads more from stdin, one a line. ``job/17`` is 17."""
        found: list[str] = []
        for name in given:
            lines = sys.stdin.read().splitlines() if name == "-" else [name]
            found += [line.strip().removeprefix(f"{noun}/") for line in lines if line.strip()]
        return list(dict.fromkeys(found))


_FOR_ALL = frozenset({AUTH, UNREACHABLE})  # no right, no array: the next one would end alike
