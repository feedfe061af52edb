"""`fa version`."""

from __future__ import annotations

from fa import __version__
from fa.cli import tables
from fa.cli.context import Context
from fa.cli.parser import Parser, leaf


def version(parser: Parser) -> None:
    leaf(parser, _version, "fa version", "fa version -o json", lists=True)


def _version(context: Context) -> None:
    if context.format in ("json", "ndjson"):
        import platform
        import sqlite3

        facts = {"version": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
        context.print(tables.as_json(facts, 2 if context.format == "json" else None))
    else:
        context.print(f"fa {__version__}" if not context.option("quiet", False) else __version__)
