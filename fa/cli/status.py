"""`fa status`: one screen. Exit code 0 ok, 1 degraded, 2 down, as monitoring systems want it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence

from fa.cli import tables
from fa.cli.context import Context
from fa.cli.nouns import ALERT
from fa.cli.parser import Parser, leaf
from fa.cli.tables import Column, Item, Noun, column
from fa.cli.times import parse_span
from fa.client import calls
from fa.client.text import clean
from fa.errors import FaError, Unavailable

HEALTH_EXIT = {"ok": 0, "degraded": 1}  # anything else is down
DOWN = 2
ALERTS_SHOWN = 5
PATIENCE = 5.0  # seconds; longer than an election: a status is asked when something is wrong, and must not wait with it


def status(parser: Parser) -> None:
    parser.add_argument("--watch", action="store_true", help="again and again, until ^C")
    parser.add_argument("--interval", default="2s", metavar="SPAN", help="with --watch: how often (2s)")
    parser.add_argument("--plain", action="store_true", help="with --watch: below each other, for screen readers")
    leaf(parser, _status, "fa status", "fa status --watch", "fa status -o json | jq .health", lists=True)


def _status(context: Context) -> int:
    if not context.args.watch:
        return _once(context)
    interval = max(0.2, parse_span(context.args.interval))
    context.patience = interval  # who watches sees that nobody answers, rather than an old screen
    while True:
        _redraw(context)
        time.sleep(interval)


def _once(context: Context) -> int:
    context.patience = PATIENCE
    try:
        found = context.send(calls.status())
    except Unavailable as error:  # a node is there, but without a coordinator it cannot tell whose the token is
        context.complain(error)
        return DOWN
    if context.machine:
        context.print(clean(found["health"]) if context.option("quiet", False) else tables.as_json(found))
    else:
        for line in status_lines(found, _alerts(context, found), context):
            context.print(line)
    return HEALTH_EXIT.get(found["health"], DOWN)


def _redraw(context: Context) -> None:
    """One more time; an array that does not answer is shown, not left."""
    try:
        found = context.send(calls.status())
        lines = list(status_lines(found, _alerts(context, found), context))
    except FaError as error:
        lines = [clean(error.detail)]
    in_place = sys.stdout.isatty() and not context.args.plain
    context.print(("\x1b[H\x1b[2J" if in_place else "") + "\n".join(lines) + ("" if in_place else "\n"))
    context.flush()


def _alerts(context: Context, found: Item) -> Sequence[Item]:
    """The first alerts that nobody acknowledged; they never keep the status from being shown."""
    if not found.get("alerts") or found["coordinator"] is None:  # they are the coordinator's: asking would wait for one
        return []
    try:
        items = context.send(calls.list_alerts())["items"]
    except Unavailable:
        return []
    return [alert for alert in items if not alert.get("acked_at")][:ALERTS_SHOWN]


def status_lines(found: Item, alerts: Sequence[Item], context: Context) -> Iterator[str]:
    """The screen: the array, its mirror and queue, its nodes, its alerts."""
    health = str(found["health"])
    yield f"{clean(found['array'])}  {context.paint(clean(health).upper(), health)}  via {clean(found['via'])}"
    if found.get("why"):
        yield f"  {clean(found['why'])}"
    yield from _facts(found, context)
    yield ""
    yield from tables.render(_nodes_of(found), found["nodes"], context.look)
    if alerts:
        yield ""
        yield from tables.render(ALERT, alerts, context.look)


def _facts(found: Item, context: Context) -> Iterator[str]:
    mirror = found["mirror"]
    pair = " -> ".join(filter(None, [found["coordinator"] or "no coordinator", ",".join(found["secondaries"])]))
    state = context.paint(clean(mirror["state"]), str(mirror["state"]))
    yield f"mirror  {state}  {clean(pair)}  epoch {clean(found['epoch'])}  {_position(mirror)}"
    jobs = found.get("jobs")
    counts = "  ".join(f"{count} {name}" for name, count in jobs.items()) if jobs else "unknown without a coordinator"
    yield f"jobs    {clean(counts)}"


def _position(mirror: Item) -> str:
    lag = mirror.get("lag_ms")
    return f"txid {clean(mirror['txid'])}" + (f"  lag {lag:.0f} ms" if isinstance(lag, int | float) else "")


def _nodes_of(found: Item) -> Noun:
    def role(node: Item) -> str:
        if node["name"] == found["coordinator"]:
            return "coordinator"
        return "secondary" if node["name"] in found["secondaries"] else ""

    def used(node: Item) -> str:
        return ",".join(f"{name}:{each['used']}/{each['total']}" for name, each in sorted(node["slots"].items()))

    columns = (
        column("NODE", "name"),
        column("STATE", "state", "state"),
        Column("ROLE", role),
        Column("SLOTS", used),
        column("VERSION", "version"),
    )
    return Noun("node", "name", columns)
