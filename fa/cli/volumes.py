"""`fa volume …`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from fa.cli import tables
from fa.cli.array import state_dir
from fa.cli.context import Context
from fa.cli.exits import FAILURE, OK
from fa.cli.nouns import VOLUME
from fa.cli.parser import Parser, commands, leaf
from fa.client import calls
from fa.client.text import clean
from fa.errors import NotFound


def volume(parser: Parser) -> None:
    add = commands(parser)
    add("list", "list volumes as each node sees them", _configure_list)
    add("selftest", "race processes on a volume: can it carry a vote?", _configure_selftest)


def _configure_list(parser: Parser) -> None:
    leaf(parser, _list, "fa volume list", "fa volume list -o wide", lists=True)


def _list(context: Context) -> None:
    page = context.send(calls.list_volumes())
    context.show_list(VOLUME, page["items"], page, "no volume: name them in fa.toml, or with fa init --volume")


def _configure_selftest(parser: Parser) -> None:
    parser.add_argument("volume", metavar="NAME", help="as in fa.toml of the node on this machine")
    leaf(parser, _selftest, "fa volume selftest san", lists=True)


def _selftest(context: Context) -> int:
    """From this machine, with or without a running node."""
    from fa.node.settings import StateDir, load
    from fa.node.volume_race import check_mounted, run_race

    name = context.args.volume
    volumes = load(StateDir(state_dir(context))).volumes
    if name not in volumes:
        known = ", ".join(sorted(volumes)) or "none"
        raise NotFound(f"There is no volume {clean(name)!r} on this machine.", hint=f"Known here: {known}.")
    check_mounted(Path(volumes[name]))
    report = run_race(Path(volumes[name]), name)
    if context.machine:
        context.print(tables.as_json({**asdict(report), "ok": not report.troubles}))
        return FAILURE if report.troubles else OK
    for trouble in report.troubles:
        context.print(f"wrong: {clean(trouble)}")
    verdict = "must not carry a vote" if report.troubles else "can carry a vote"
    raced = f"{report.racers} processes, {report.links} links and {report.renames} renames, {report.seconds:g} s"
    context.print(f"volume/{clean(name)} {verdict} ({raced})")
    return FAILURE if report.troubles else OK
