"""`fa tui`: looks at the terminal first, then starts the dashboard."""

from __future__ import annotations

import os
import sys

from fa.cli.context import Context
from fa.cli.parser import Parser, leaf
from fa.cli.times import parse_span
from fa.errors import Invalid


def tui(parser: Parser) -> None:
    add = parser.add_argument
    add("--readonly", action="store_true", help="look, change nothing")
    add("--ascii", action="store_true", help="no characters but ASCII")
    add("--no-mouse", action="store_true", help="leave the mouse to the terminal (default over SSH)")
    add("--refresh", default="1s", metavar="SPAN", help="how often the screen is painted (1s)")
    add("--theme", default="", metavar="NAME")
    leaf(parser, _tui, "fa tui", "fa tui --addr https://tx01:7001,https://tx02:7001 --token-file token --readonly")


def _tui(context: Context) -> int:
    if not (os.isatty(0) and os.isatty(2)) or context.env.get("TERM", "") in ("", "dumb"):
        raise Invalid("The dashboard needs a terminal.", hint="Use `fa status --watch`.")
    args, target = context.args, context.target
    sys.stdout.flush()
    from fa.tui.app import run

    return run(
        target,
        readonly=args.readonly,
        ascii=args.ascii,
        mouse=False if args.no_mouse else None,
        refresh_seconds=parse_span(args.refresh),
        theme=args.theme,
        colour=not (context.option("no_color", False) or context.env.get("NO_COLOR")),
    )
