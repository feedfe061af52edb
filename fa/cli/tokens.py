"""`fa token …`: who may come in."""

from __future__ import annotations

from fa.cli.context import Context
from fa.cli.exits import FAILURE
from fa.cli.parser import Parser, commands, leaf
from fa.cli.tables import Noun, column
from fa.cli.times import parse_span
from fa.client import calls
from fa.client.text import clean

ROLES = ("node", "viewer", "operator", "admin")
TOKEN = Noun(
    "token",
    "id",
    (
        column("ID", "id"),
        column("ROLE", "role"),
        column("LABEL", "label", cut=True),
        column("USES_LEFT", "uses_left"),
        column("EXPIRES", "expires_at"),
        column("AGE", "created_at", "time"),
    ),
)


def token(parser: Parser) -> None:
    add = commands(parser)
    add("create", "print a new token; it is shown this once", _configure_create)
    add("list", "list tokens, without their secrets", _configure_list)
    add("remove", "make tokens worthless, at once", _configure_remove)


def _configure_create(parser: Parser) -> None:
    what = "node joins the array once; the others are for the API: look, work, set up"
    parser.add_argument("--role", required=True, choices=ROLES, metavar="ROLE", help=f"{', '.join(ROLES)}; {what}")
    parser.add_argument("--ttl", metavar="SPAN", help="valid for 1h, 7d, …")
    parser.add_argument("--label", default="", metavar="TEXT", help="whose it is")
    examples = ("fa token create --role node --ttl 1h > join.token", "fa token create --role operator --label newsroom")
    leaf(parser, _create, *examples, lists=True)


def _create(context: Context) -> None:
    args = context.args
    made = context.send(calls.create_token(args.role, parse_span(args.ttl) if args.ttl else None, args.label))
    context.show(TOKEN, made, [clean(made["token"])])


def _configure_list(parser: Parser) -> None:
    leaf(parser, _list, "fa token list", lists=True)


def _list(context: Context) -> None:
    page = context.send(calls.list_tokens())
    context.show_list(TOKEN, page["items"], page, "no token yet: fa token create --role operator")


def _configure_remove(parser: Parser) -> None:
    parser.add_argument("tokens", nargs="+", metavar="ID", help="ids, not secrets; - reads more from stdin")
    leaf(parser, _remove, "fa token remove K3ZQ4A7M", changes=True)


def _remove(context: Context) -> int:
    def remove(name: str) -> None:
        if context.change(calls.remove_token(name)) is not None:
            context.print(f"token/{clean(name)} removed")

    names = context.ids(context.args.tokens, "token")
    return context.each(names, remove) if context.confirm(f"Remove {len(names)} token(s)?", names) else FAILURE
