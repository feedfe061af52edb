"""`fa force`: the operator's override, when nobody can lead by the rules."""

from __future__ import annotations

import sys

from fa.cli.context import Context
from fa.cli.exits import FAILURE, OK
from fa.cli.parser import Parser, leaf
from fa.client import calls
from fa.client.text import clean
from fa.errors import Invalid


def force(parser: Parser) -> None:
    parser.add_argument(
        "--yes-i-know", default="", metavar="ARRAY", help="for scripts: the name of the array, instead of typing it"
    )
    leaf(parser, _force, "fa force --dir /var/lib/fa")


def _force(context: Context) -> int:
    """Reads first, then asks: nothing is changed before the name of the array was written out."""
    if context.target.urls:
        raise Invalid(
            "A node is forced to lead at the machine itself only.", hint="Log in there and name its --dir, no --addr."
        )
    told = context.send(calls.force_report())
    for line in told["report"]:
        context.print(clean(line))
    context.flush()
    typed = context.args.yes_i_know or _typed(context, clean(told["array"]))
    if typed != told["array"]:
        context.say("Nothing was changed.")
        return FAILURE
    context.send(calls.force(typed))
    context.print(f"node/{clean(told['node'])} is forced to lead. `fa mirror status` shows how it goes on.")
    return OK


def _typed(context: Context, array: str) -> str:
    if not sys.stdin.isatty():
        raise Invalid(
            "This is not done without a person who has read the lines above.",
            hint=f"Run it on a terminal and type the name of the array, or give --yes-i-know {array}.",
        )
    context.say("Force this node to lead? Type the name of the array to go on:")
    return sys.stdin.readline().strip()
