"""`fa events`, `fa alerts`: what happened, what happens, and what a person should look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from fa.cli import tables
from fa.cli.context import Context
from fa.cli.nouns import ALERT, EVENT
from fa.cli.parser import Parser, leaf
from fa.cli.tables import Item
from fa.cli.times import parse_span, rfc3339
from fa.client import calls
from fa.client.text import clean

LIMIT = 50


def events(parser: Parser) -> None:
    parser.add_argument("--follow", action="store_true", help="go on with what happens, until ^C")
    parser.add_argument("--since", metavar="SPAN", help="of the last 5m, 2h, 7d")
    parser.add_argument("--subject", default="", metavar="S", help="of one object, as job/17 or node/tx03")
    parser.add_argument("--limit", type=int, default=LIMIT, metavar="N", help=f"the last N ({LIMIT})")
    leaf(parser, _events, "fa events --since 2h", "fa events --follow -o ndjson", lists=True)


def _events(context: Context) -> None:
    args = context.args
    since = ""
    if args.since:
        since = rfc3339(datetime.now(UTC) - timedelta(seconds=parse_span(args.since)))
    page = context.send(calls.list_events(args.limit, since=since, subject=args.subject))
    if not args.follow:
        context.show_list(EVENT, page["items"], page, "nothing happened")
        return
    _print(context, list(reversed(page["items"])))
    import asyncio

    from fa.cli.follow import follow

    asyncio.run(follow(context, str(page.get("seq") or ""), lambda event: _print_new(context, event)))


def _print_new(context: Context, event: Item) -> None:
    if not context.args.subject or event.get("subject") == context.args.subject:
        _print(context, [event])


def _print(context: Context, items: Sequence[Item]) -> None:
    """Events as lines that can be added to for ever: no titles, absolute times."""
    if context.machine and context.format not in ("json", "csv"):
        context.show_list(EVENT, items)
        return
    if context.machine:
        for item in items:
            context.print(tables.as_json(item, None))
        return
    look = context.look._replace(header=False, columns=0)
    for item in items:
        severity = clean(item.get("severity"))
        cells = [tables.cell(column, item, look) for column in EVENT.columns if column.title in ("SUBJECT", "TEXT")]
        when = tables.cell(EVENT.columns[-1], item, look)
        context.print("\t".join([when, context.paint(severity, severity), *cells]))


def alerts(parser: Parser) -> None:
    parser.add_argument("action", nargs="?", choices=("ack",), metavar="ack", help="acknowledge alerts")
    parser.add_argument("alerts", nargs="*", metavar="ID", help="ids; - reads more from stdin")
    parser.add_argument("--all", action="store_true", help="those that are over as well")
    leaf(parser, _alerts, "fa alerts", "fa alerts ack 4", "fa alerts -q | fa alerts ack -", changes=True)


def _alerts(context: Context) -> int | None:
    if context.args.action:
        return _ack(context)
    page = context.send(calls.list_alerts(context.args.all))
    context.show_list(ALERT, page["items"], page, "no alert")
    return None


def _ack(context: Context) -> int:
    def ack(alert: str) -> None:
        done = context.change(calls.ack_alert(alert))
        if done is not None:
            context.show(ALERT, done, [f"{ALERT.ref(done)} acknowledged"])

    return context.each(context.ids(context.args.alerts, "alert"), ack)
