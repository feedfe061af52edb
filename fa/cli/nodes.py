"""`fa nodes`, `fa node …`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fa.cli import tables
from fa.cli.context import Context
from fa.cli.nouns import NODE, slots
from fa.cli.parser import Configure, Parser, commands, leaf
from fa.cli.tables import Item
from fa.client import calls
from fa.client.text import clean

PAST = {"pause": "paused", "resume": "resumed", "drain": "drains", "remove": "removed"}


def nodes(parser: Parser) -> None:
    leaf(parser, _nodes, "fa nodes", "fa nodes -o wide", lists=True)


def _nodes(context: Context) -> None:
    page = context.send(calls.list_nodes())
    context.show_list(NODE, page["items"], page)


def node(parser: Parser) -> None:
    add = commands(parser)
    add("show", "show a node: slots, what it offers, why not", _configure_show)
    for name, summary in (
        ("pause", "start nothing new on a node; what runs goes on"),
        ("resume", "give a paused or draining node work again"),
        ("drain", "let a node finish what runs, start nothing new, so that it can be stopped"),
        ("remove", "take a node out of the array for good"),
    ):
        add(name, summary, _acts(name))


def _configure_show(parser: Parser) -> None:
    parser.add_argument("node", metavar="NODE")
    leaf(parser, _show, "fa node show tx03", lists=True)


def _show(context: Context) -> None:
    found = context.send(calls.show_node(context.args.node))
    context.show(NODE, found, _lines(found, context))


def _lines(node: Item, context: Context) -> Iterator[str]:
    yield f"{NODE.ref(node)}  {context.paint(clean(node['state']), node['state'])}"
    lists = ("only_factories", "only_tags", "quarantined", "offers")
    yield from tables.facts(
        [
            ("slots", slots(node)),
            ("address", node.get("address")),
            ("version", node.get("version")),
            ("kind", node.get("kind")),
            ("seen", f"{node['seen_ms_ago']} ms ago" if "seen_ms_ago" in node else None),
            *((name.replace("_", " "), " ".join(map(str, node.get(name) or []))) for name in lists),
            *((f"not now: {clean(what)}", why) for what, why in sorted((node.get("unhealthy") or {}).items())),
            ("runs", " ".join(f"task {each['task']}.{each['attempt']}" for each in node.get("tasks") or [])),
        ]
    )


def _acts(action: str) -> Configure:
    def configure(parser: Parser) -> None:
        parser.add_argument("nodes", nargs="+", metavar="NODE", help="names; - reads more from stdin")
        leaf(parser, partial(_act, action=action), f"fa node {action} tx03", changes=True)

    return configure


def _act(context: Context, action: str) -> int:
    names = context.ids(context.args.nodes, "node")
    if action == "remove" and not context.confirm(f"Remove {len(names)} node(s)?", names, names[0] if names else "y"):
        return 1

    def change(name: str) -> None:
        call = calls.remove_node(name) if action == "remove" else calls.act_on_node(name, action)
        done = context.change(call)
        if context.machine and done:
            context.show(NODE, done, ())
        elif not context.option("dry_run", False):
            state = f" (now {clean(done['state'])})" if isinstance(done, dict) and "state" in done else ""
            context.print(f"node/{clean(name)} {PAST[action]}{state}")

    return context.each(names, change)
