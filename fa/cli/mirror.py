"""`fa mirror …`: the copies of the job store."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from fa.cli import tables
from fa.cli.array import state_dir
from fa.cli.context import Context
from fa.cli.exits import FAILURE, OK
from fa.cli.parser import Parser, commands, leaf
from fa.cli.tables import Column, Item, Noun, column
from fa.cli.times import parse_past, rfc3339
from fa.client import calls
from fa.client.text import clean
from fa.errors import Forbidden, NotFound

VERIFY_SECONDS = 900.0  # for one node: everything that it has is read
_TXID = re.compile(r"txid:\d{1,20}", re.ASCII)


def _outage(reign: Item) -> str | None:
    seconds = reign.get("outage_seconds")
    return None if seconds is None else f"{seconds:.1f}s"


REIGN = Noun(
    "epoch",
    "epoch",
    (
        column("EPOCH", "epoch"),
        column("COORDINATOR", "coordinator"),
        column("BEFORE", "before"),
        column("KIND", "kind"),
        Column("OUTAGE", _outage),
        column("BY", "by"),
        column("WHY", "why", wide=True),
        column("UNTIL", "until", "time", wide=True),
        column("AGE", "at", "time"),
    ),
)


def mirror(parser: Parser) -> None:
    add = commands(parser)
    add("status", "show who holds copies of the job store, and how far they are", _configure_status)
    add("history", "list who led when, and why that changed", _configure_history)
    add("switchover", "hand the lead over to another node, in order, without a failed request", _configure_switchover)
    add(
        "restore",
        "write the store of any moment to a file, from the replica directory of this node",
        _configure_restore,
    )
    add("verify", "read every complete copy of the store over, restore it, and compare them", _configure_verify)


def _configure_status(parser: Parser) -> None:
    leaf(parser, _status, "fa mirror status", "fa mirror status -o json", lists=True)


def _status(context: Context) -> None:
    found = context.send(calls.mirror())
    _show(context, found)


def _show(context: Context, found: Item) -> None:
    if context.machine:
        context.print(tables.as_json(found))
        return
    for line in _lines(found, context):
        context.print(line)


def _lines(found: Item, context: Context) -> Iterator[str]:
    """The flat facts first, then each list of objects as a table of its own columns."""
    if "state" in found:
        yield f"mirror  {context.paint(clean(found['state']), str(found['state']))}"
    flat = {name: value for name, value in found.items() if not isinstance(value, list | dict) and name != "state"}
    names = {
        name: " ".join(map(str, value))
        for name, value in found.items()
        if isinstance(value, list) and not any(isinstance(each, dict) for each in value)
    }
    yield from tables.facts((name.replace("_", " "), value) for name, value in {**flat, **names}.items())
    for name, value in found.items():
        rows = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
        if rows:
            fields = list(rows[0])
            noun = Noun(name, fields[0], tuple(column(field.upper(), field) for field in fields))
            yield ""
            yield from tables.render(noun, rows, context.look)


def _configure_history(parser: Parser) -> None:
    leaf(parser, _history, "fa mirror history", lists=True)


def _history(context: Context) -> None:
    page = context.send(calls.mirror_history())
    context.show_list(REIGN, page["items"], page, "nobody led yet")


def _configure_switchover(parser: Parser) -> None:
    parser.add_argument("node", nargs="?", default="", metavar="NODE", help="who shall lead; a secondary without")
    leaf(parser, _switchover, "fa mirror switchover tx02", changes=True)


def _switchover(context: Context) -> int:
    name = context.args.node
    question = f"Hand the lead over to {clean(name) or 'a secondary'}?"
    if not context.confirm(question, word=name or "y"):
        return FAILURE
    done = context.change(calls.switchover(name))
    if done is not None:
        _show(context, done)
    return OK


def _configure_restore(parser: Parser) -> None:
    add = parser.add_argument
    add("out", metavar="FILE", help="where the database is written; nothing is overwritten")
    what = "a time (2026-11-22T02:00:00Z, 22:00), how long ago ('1h ago'), or txid:1234; the newest without"
    add("--at", default="", metavar="TIME", help=what)
    leaf(
        parser, _restore, "fa mirror restore yesterday.db --at '1d ago'", "fa mirror restore now.db -o json", lists=True
    )


def _restore(context: Context) -> None:
    """Works without a running node: what is left after a disaster is a directory."""
    from fa.node.settings import StateDir
    from fa.replication.directory import ReplicaDirectory
    from fa.replication.restore import restore

    replica, out = StateDir(state_dir(context)).replica, Path(context.args.out)
    try:
        if not replica.is_dir():
            raise NotFound(
                f"There is no replica directory {replica}.", hint="Name the state directory of a node with --dir."
            )
        directory = ReplicaDirectory(replica, read_only=True)
    except OSError as error:
        raise Forbidden(f"{error.filename or replica} cannot be read: {error.strerror}.") from error
    try:
        done = restore(directory, out, moment(context.args.at, datetime.now(UTC)))
    finally:
        directory.close()
    facts = {"file": str(out), "txid": done.position.txid, "time": rfc3339(done.time), "proved": done.proved}
    if context.machine:
        context.print(tables.as_json(facts))
    else:
        proved = "the recorded checksum holds" if done.proved else "no checksum was recorded for this moment"
        context.print(f"{clean(out)} is the store as of {facts['time']} (txid {facts['txid']}); {proved}.")


def moment(text: str, now: datetime) -> datetime | int | None:
    """What --at says: a txid, a time, or None for the newest. Raises `Invalid`."""
    if _TXID.fullmatch(text):
        return int(text[5:])
    return parse_past(text, now.astimezone()) if text else None


def _configure_verify(parser: Parser) -> None:
    parser.add_argument(
        "--node", default="", metavar="NODE", help="the copy of this node alone; without, all complete ones"
    )
    leaf(parser, _verify, "fa mirror verify", "fa mirror verify --node tx02 -o json", lists=True)


def _verify(context: Context) -> int:
    """One node after the other: who waits sees how far it is, and reading does not slow down all of them at once."""
    context.client.answer_seconds = VERIFY_SECONDS
    names = [context.args.node] if context.args.node else _complete(context.send(calls.mirror()))
    told = []
    for number, name in enumerate(names, 1):
        if sys.stderr.isatty() and not context.machine:
            context.say(f"reading the copy of {name} over ({number} of {len(names)})")
        told.append(context.send(calls.verify_mirror(name)))
        if not context.machine:
            for words in told[-1]["words"]:
                context.print(clean(words))
            context.flush()
    good = all(each["ok"] for each in told) and bool(told)
    if context.machine:
        context.print(tables.as_json({"ok": good, "nodes": [node for each in told for node in each["nodes"]]}))
    return OK if good else FAILURE


def _complete(mirror: Item) -> list[str]:
    return [str(copy["node"]) for copy in mirror["copies"] if copy["state"] in ("complete", "in-sync")]
