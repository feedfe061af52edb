"""`fa monitors`, `fa monitor …`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fa.cli import tables
from fa.cli.context import Context
from fa.cli.exits import FAILURE, OK
from fa.cli.files import read_text
from fa.cli.nouns import MONITOR
from fa.cli.parser import Configure, Parser, commands, leaf
from fa.cli.tables import Item, Noun, column
from fa.cli.times import size
from fa.client import calls
from fa.client.text import clean
from fa.errors import Invalid

SEEN = Noun(
    "file",
    "path",
    (column("WOULD", "would"), column("PATH", "path", cut=True), column("SIZE", "size", "bytes"), column("WHY", "why")),
)


def monitors(parser: Parser) -> None:
    leaf(parser, _monitors, "fa monitors", "fa monitors -o wide", lists=True)


def _monitors(context: Context) -> None:
    page = context.send(calls.list_monitors())
    context.show_list(MONITOR, page["items"], page, "no monitor yet: fa monitor apply -f FILE")


def monitor(parser: Parser) -> None:
    add = commands(parser)
    add("show", "show a monitor: what it saw, what settles, what it submitted", _configure_show)
    add("apply", "set up monitors, or change them", _configure_apply)
    add("test", "say what a monitor would do with what is in its folder now", _configure_test)
    add("enable", "let monitors submit what settles", _acts("enable"))
    add("disable", "pause monitors", _acts("disable"))
    add("remove", "remove a monitor and forget what it saw; its jobs stay", _configure_remove)


def _configure_show(parser: Parser) -> None:
    parser.add_argument("monitor", metavar="NAME")
    leaf(parser, _show, "fa monitor show news-in", lists=True)


def _show(context: Context) -> None:
    found = context.send(calls.show_monitor(context.args.monitor))
    context.show(MONITOR, found, _lines(found, context))


def _lines(monitor: Item, context: Context) -> Iterator[str]:
    yield f"{MONITOR.ref(monitor)}  {context.paint(clean(monitor['state']), monitor['state'])}"
    apart = ("name", "state", "text", "settings", "growing")
    yield from tables.facts(
        (name.replace("_", " "), " ".join(map(str, value)) if isinstance(value, list) else value)
        for name, value in monitor.items()
        if name not in apart
    )
    for file in monitor["growing"]:
        yield f"growing  {clean(file['path'])}  {size(file['size'])}, {size(file['rate'])}/s"


def _configure_apply(parser: Parser) -> None:
    what = "monitor in TOML; - is stdin; may be given several times"
    parser.add_argument("-f", "--file", required=True, metavar="F", action="append", help=what)
    leaf(parser, _apply, "fa monitor apply -f news-in.toml", changes=True)


def _apply(context: Context) -> int:
    def apply(path: str) -> None:
        done = context.change(calls.apply_monitor(read_text(path)))
        if done is not None:
            context.show(MONITOR, done, [f"{MONITOR.ref(done)} applied"])

    return context.each(context.args.file, apply)


def _configure_test(parser: Parser) -> None:
    parser.add_argument("monitor", nargs="?", metavar="NAME")
    parser.add_argument("-f", "--file", metavar="F", help="the monitor in TOML instead; - is stdin")
    leaf(parser, _test, "fa monitor test news-in", "fa monitor test -f news-in.toml", lists=True)


def _test(context: Context) -> int:
    told = context.send(calls.test_monitor(_text(context)))
    if told["why"]:
        context.say(f"{clean(told['state'])}: {clean(told['why'])}")
    context.show_list(SEEN, told["files"], told, "nothing is there that it would look at")
    return OK if told["state"] == "watching" else FAILURE


def _text(context: Context) -> str:
    args = context.args
    if (args.file is None) == (args.monitor is None):
        raise Invalid("Say which monitor: a name, or a file with -f.")
    if args.file is not None:
        return read_text(args.file)
    return str(context.send(calls.show_monitor(args.monitor))["text"])


def _configure_remove(parser: Parser) -> None:
    parser.add_argument("monitor", metavar="NAME")
    leaf(parser, _remove, "fa monitor remove news-in", changes=True)


def _remove(context: Context) -> int:
    name = context.args.monitor
    if not context.confirm(f"Remove monitor {clean(name)}, and forget what it saw?", word=name):
        return FAILURE
    if context.change(calls.remove_monitor(name)) is not None:
        context.print(f"monitor/{clean(name)} removed")
    return OK


def _acts(action: str) -> Configure:
    def configure(parser: Parser) -> None:
        parser.add_argument("monitors", nargs="+", metavar="NAME", help="names; - reads more from stdin")
        leaf(parser, partial(_act, action=action), f"fa monitor {action} news-in", changes=True)

    return configure


def _act(context: Context, action: str) -> int:
    def change(name: str) -> None:
        done = context.change(calls.act_on_monitor(name, action))
        if done is not None:
            context.show(MONITOR, done, [f"{MONITOR.ref(done)} {action}d (now {clean(done['state'])})"])

    return context.each(context.ids(context.args.monitors, "monitor"), change)
