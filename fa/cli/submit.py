"""`fa submit`: files into factories."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from fa.cli import sources
from fa.cli.bulk import priority
from fa.cli.context import Context
from fa.cli.nouns import JOB
from fa.cli.parser import Parser, leaf
from fa.cli.times import parse_moment, parse_span, rfc3339
from fa.cli.waiting import wait_for
from fa.client import calls
from fa.client.text import clean


def submit(parser: Parser) -> None:
    add = parser.add_argument
    add("sources", nargs="+", metavar="SRC", help="volume:path, or a path below a mounted volume; - reads from stdin")
    add("-f", "--factory", required=True, metavar="FACTORY", action="append", help="may be given several times")
    add("-p", "--priority", metavar="P", type=priority, help="0 to 100, or low, normal, high, urgent")
    add("--subject", default="", metavar="S", help="what it belongs to; `fa jobs` finds it")
    add("--description", default="", metavar="TEXT")
    add("--defer", metavar="T", help="start later: 30m, 22:00, or 2026-11-22T02:00:00Z")
    add("--key", default="", metavar="K", help="Idempotency-Key: the same key again makes no second job")
    add("--wait", action="store_true", help="wait until the jobs have ended, and say what was made")
    add("--timeout", metavar="SPAN", help="with --wait: give up after that time (exit 7); the jobs go on")
    examples = (
        "fa submit san:in/clip.mxf -f proxy --wait",
        "fa submit /mnt/san/in/*.mxf -f proxy -f broadcast --priority high --subject 'News 18:00'",
        "find /mnt/san/in -name '*.mov' | fa submit - -f proxy -q",
    )
    leaf(parser, _submit, *examples, changes=True)


def _submit(context: Context) -> int | None:
    args = context.args
    timeout = parse_span(args.timeout) if args.timeout else None
    jobs = [
        {"source": place, "factory": factory, **_wishes(args)}
        for place in _places(context, context.ids(args.sources, "file"))
        for factory in args.factory
    ]
    made = list(_send(context, jobs, args.key))
    if context.option("dry_run", False):
        return None
    if args.wait:
        _announce(context, made)
        return wait_for(context, [str(job["id"]) for job in made], timeout)
    _show(context, made)
    return None


def _places(context: Context, given: Sequence[str]) -> list[str]:
    if all(map(sources.names_volume, given)):
        return list(given)
    volumes = context.send(calls.list_volumes())["items"]
    mounted = sources.mounts(volumes, context.client.node)
    return [each if sources.names_volume(each) else sources.to_place(each, mounted) for each in given]


def _wishes(args: Any) -> dict[str, Any]:
    """The fields that were given; the server knows the defaults."""
    defer = parse_moment(args.defer, datetime.now(UTC).astimezone()) if args.defer else None
    wishes = {
        "priority": args.priority,
        "subject": args.subject,
        "description": args.description,
        "defer_until": rfc3339(defer) if defer else None,
    }
    return {name: value for name, value in wishes.items() if value not in (None, "")}


def _send(context: Context, jobs: Sequence[dict[str, Any]], key: str) -> Iterator[dict[str, Any]]:
    """Submit one by itself, several in batches; a key names the whole command, so each batch gets its own."""
    if len(jobs) == 1:
        made = context.change(calls.submit(jobs[0], key))
        yield from [made] if made else []
        return
    key = key or uuid.uuid4().hex
    for number, first in enumerate(range(0, len(jobs), calls.BATCH_MAX)):
        batch_key = key if number == 0 else f"{key}-{number}"
        made = context.change(calls.submit_batch(jobs[first : first + calls.BATCH_MAX], batch_key))
        yield from ({**job, "durability": made["durability"]} for job in (made["items"] if made else ()))


def _announce(context: Context, made: Sequence[dict[str, Any]]) -> None:
    if not context.option("quiet", False):
        for job in made:
            context.say(_sentence(job))


def _show(context: Context, made: Sequence[dict[str, Any]]) -> None:
    if len(made) == 1:
        context.show(JOB, made[0], [_sentence(made[0])])
    elif context.machine:
        context.show_list(JOB, made)
    else:
        for job in made:
            context.print(_sentence(job))


def _sentence(job: dict[str, Any]) -> str:
    solo = "" if job.get("durability") == "mirrored" else f" ({clean(job.get('durability'))})"
    return f"{JOB.ref(job)} {clean(job['state'])}: {clean(job['source'])} -> {clean(job['factory'])}{solo}"
