"""`fa volume …`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fa.cli import tables
from fa.cli.array import state_dir
from fa.cli.context import Context
from fa.cli.exits import FAILURE, OK
from fa.cli.nouns import FILE, VOLUME
from fa.cli.parser import Parser, commands, leaf
from fa.client import calls
from fa.client.text import clean
from fa.errors import NotFound

if TYPE_CHECKING:
    from fa.node.settings import Settings

FILES = 100  # entries shown without --limit


def volume(parser: Parser) -> None:
    add = commands(parser)
    add("list", "list volumes as each node sees them", _configure_list)
    add("files", "list a folder of a volume: what could be submitted", _configure_files)
    add("adopt", "make a volume that was added to fa.toml one of this array", _configure_adopt)
    add("vote", "give a volume a fresh vote, in the place of one whose records were lost", _configure_vote)
    add("selftest", "race processes on a volume: can it carry a vote?", _configure_selftest)


def _configure_list(parser: Parser) -> None:
    leaf(parser, _list, "fa volume list", "fa volume list -o wide", lists=True)


def _list(context: Context) -> None:
    page = context.send(calls.list_volumes())
    context.show_list(VOLUME, page["items"], page, "no volume: name them in fa.toml, or with fa init --volume")


def _configure_files(parser: Parser) -> None:
    parser.add_argument("volume", metavar="NAME", help="of the volume, or volume:path as a job has it")
    parser.add_argument(
        "path", nargs="?", default="", metavar="PATH", help="of the folder, from the root of the volume"
    )
    parser.add_argument("--limit", type=int, default=FILES, metavar="N", help=f"at most N entries ({FILES})")
    parser.add_argument("--all", action="store_true", help="all of them")
    examples = (
        "fa volume files san",
        "fa volume files san in/news -o wide",
        "fa volume files san:in/news -q --all",
    )
    leaf(parser, _files, *examples, lists=True)


def _files(context: Context) -> None:
    args = context.args
    volume, _, path = args.volume.partition(":")
    path = "/".join(part for part in (path.rstrip("/"), args.path) if part)
    call = calls.volume_files(volume, path)
    found = list(context.client.pages(call, None if args.all else args.limit + 1))
    shown = found if args.all else found[: args.limit]
    context.show_list(FILE, shown, {"volume": volume, "path": path}, "an empty folder")
    if len(shown) < len(found) and not context.machine:
        context.say("There are more: --limit, --all")


def _configure_vote(parser: Parser) -> None:
    parser.add_argument("volume", metavar="NAME", help="of a volume that votes, see fa mirror status")
    leaf(parser, _vote, "fa volume vote san", changes=True)


def _vote(context: Context) -> int:
    """Asks first: as long as nothing is wrong with the old vote there is nothing to gain."""
    name = context.args.volume
    question = f"Give volume {clean(name)} a fresh vote? What its old records promised does not count any more."
    if not context.confirm(question, word=name):
        return FAILURE
    done = context.change(calls.renew_vote(name))
    if done is not None:
        context.print(tables.as_json(done) if context.machine else f"volume/{clean(name)} has a fresh vote")
    return OK


def _configure_adopt(parser: Parser) -> None:
    parser.add_argument("volume", metavar="NAME", help="as in fa.toml of the node on this machine")
    leaf(parser, _adopt, "fa volume adopt nas", lists=True)


def _adopt(context: Context) -> None:
    """Not what other nodes have under that name: here its share is not mounted, and an empty folder is no volume."""
    from fa.node.adoption import adopt_volumes, check_shown, look_at

    name = context.args.volume
    settings = _settings(context, name)
    volumes = {name: settings.volumes[name]}
    page = context.send(calls.list_volumes())
    others = {volume["name"] for volume in page["items"] if volume["node"] != settings.node.name}
    check_shown(settings.array.id, others, look_at(volumes))
    adopt_volumes(settings.array.id, volumes)
    context.print(f"volume/{clean(name)} at {clean(volumes[name])} is of array {clean(settings.array.name)}")


def _configure_selftest(parser: Parser) -> None:
    parser.add_argument("volume", metavar="NAME", help="as in fa.toml of the node on this machine")
    leaf(parser, _selftest, "fa volume selftest san", lists=True)


def _selftest(context: Context) -> int:
    """From this machine, with or without a running node."""
    from fa.node.volume_race import check_mounted, run_race

    name = context.args.volume
    volumes = _settings(context, name).volumes
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


def _settings(context: Context, volume: str) -> Settings:
    """Of the node on this machine. Raises `NotFound` where it has no such volume."""
    from fa.node.settings import StateDir, load

    settings = load(StateDir(state_dir(context)))
    if volume not in settings.volumes:
        known = ", ".join(sorted(settings.volumes)) or "none"
        raise NotFound(f"There is no volume {clean(volume)!r} on this machine.", hint=f"Known here: {known}.")
    return settings
