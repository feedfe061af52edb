"""`fa api`: any request, with address and login filled in."""

from __future__ import annotations

import json
import sys

from fa.cli import tables
from fa.cli.context import Context
from fa.cli.files import read_text
from fa.cli.parser import Parser, leaf
from fa.client.calls import Call
from fa.client.text import clean, clean_lines
from fa.errors import Invalid

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")


def api(parser: Parser) -> None:
    parser.add_argument("method", choices=METHODS, metavar="METHOD", type=str.upper, help=", ".join(METHODS))
    parser.add_argument("path", metavar="PATH", help="with query, as /v1/jobs?q=state:failed")
    parser.add_argument("-d", "--data", metavar="F", help="file with the body, - is stdin")
    parser.add_argument("-H", "--header", action="append", default=[], metavar="NAME: VALUE")
    parser.add_argument("-i", "--include", action="store_true", help="status and headers of the answer as well")
    examples = (
        "fa api GET /v1/status",
        "fa api GET '/v1/jobs?q=state:failed&limit=5'",
        """echo '{"source": "san:in/a.mxf", "factory": "proxy"}' | fa api POST /v1/jobs -d -""",
    )
    leaf(parser, _api, *examples)


def _api(context: Context) -> None:
    args = context.args
    if not args.path.startswith("/") or not args.path.isascii() or not args.path.isprintable() or " " in args.path:
        raise Invalid(f"{args.path!r} is not a path.", hint="It starts with / and is percent-encoded.")
    text = read_text(args.data) if args.data else None
    reply = context.client.reply(Call(args.method, args.path, text=text, headers=_headers(args.header)))
    if args.include:
        context.print(f"HTTP {reply.status}")
        for name, value in reply.headers.items():
            context.print(clean(f"{name}: {value}"))
        context.print()
    if reply.body:
        context.print(_body(reply.body))


def _headers(given: list[str]) -> dict[str, str]:
    headers = {}
    for line in given:
        name, colon, value = line.partition(":")
        if not colon or not name.strip().isascii() or not line.isprintable():
            raise Invalid(f"{line!r} is not a header.", hint="Write 'Name: value'.")
        headers[name.strip()] = value.strip()
    return headers


def _body(body: bytes) -> str:
    """JSON is laid out for a terminal and left on one line for a pipe; other text is only cleaned."""
    try:
        value = json.loads(body)
    except ValueError:
        return clean_lines(body.decode(errors="backslashreplace").removesuffix("\n"))
    return tables.as_json(value, 2 if sys.stdout.isatty() else None)
