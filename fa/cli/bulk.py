"""`fa job cancel|retry|hold|release|prio`: what is done to jobs, by their ids or to all that match a query."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from fa.cli.context import Context
from fa.cli.exits import FAILURE, OK, exit_code
from fa.cli.nouns import JOB
from fa.cli.parser import Configure, Parser, leaf
from fa.cli.tables import Item
from fa.client import calls
from fa.client.calls import Call
from fa.client.problems import kind_of
from fa.client.text import clean
from fa.errors import FaError, Invalid

PAST = {"cancel": "cancelled", "retry": "queued again", "hold": "held", "release": "released"}
PRIORITIES = ("low", "normal", "high", "urgent")


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done: in words, and as requests for one job, for some, and for a part of a selection."""

    doing: str
    past: str
    one: Callable[[str], Call]
    some: Callable[[list[int]], Call]
    selected: Callable[[str, int], Call]
    asks: bool = False  # what runs is lost: on a terminal it is asked first


def acts(action: str) -> Configure:
    def configure(parser: Parser) -> None:
        _targets(parser)
        examples = (f"fa job {action} 17", f"fa jobs subject:news -q | fa job {action} -")
        leaf(parser, partial(_act, action=action), *examples, f"fa job {action} --query subject:news", changes=True)

    return configure


def _targets(parser: Parser) -> None:
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("jobs", nargs="*", default=[], metavar="ID", help="ids; - reads more from stdin")
    text = "all that match at this moment, as in `fa jobs QUERY`: a fixed set, shown before anything is done"
    group.add_argument("--query", metavar="QUERY", help=text)


def _act(context: Context, action: str) -> int:
    deed = Deed(
        action.capitalize(),
        PAST[action],
        lambda job: calls.act_on_job(job, action),
        lambda jobs: calls.act_on_jobs(jobs, action),
        lambda selection, after: calls.act_on_selection(selection, action, after),
        asks=action == "cancel",
    )
    return _carry_out(context, deed)


def configure_prio(parser: Parser) -> None:
    parser.add_argument("priority", metavar="PRIORITY", help=f"0 to 100, or {', '.join(PRIORITIES)}", type=priority)
    _targets(parser)
    examples = ("fa job prio urgent 17", "fa job prio 60 17 18", "fa job prio low --query state:queued")
    leaf(parser, _prio, *examples, changes=True)


def priority(text: str) -> int | str:
    """0 to 100 or a name; raises `ValueError` as argparse wants it."""
    return text if text in PRIORITIES else int(text)


def _prio(context: Context) -> int:
    value = context.args.priority
    deed = Deed(
        f"Give priority {value} to",
        f"has priority {value}",
        lambda job: calls.set_priority(job, value),
        lambda jobs: calls.set_priorities(jobs, value),
        lambda selection, after: calls.set_priority_of_selection(selection, value, after),
    )
    return _carry_out(context, deed)


def _carry_out(context: Context, deed: Deed) -> int:
    if context.args.query is not None:
        return _on_selection(context, deed, context.args.query)
    ids = context.ids(context.args.jobs, "job")
    if deed.asks and not _sure(context, deed, ids):
        return FAILURE
    if len(ids) > 1:
        return _report(context, _by_ids(context, deed, [_number(each) for each in ids]), deed.past)
    return context.each(ids, partial(_on_one, context, deed))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Invalid(f"{text!r} is not the id of a job.", hint="Ids are numbers, as in job/17.")
    return int(text)


def _sure(context: Context, deed: Deed, ids: list[str]) -> bool:
    """The objects are named with their state before anything is done."""
    if not sys.stdin.isatty() or context.option("yes", False):
        return True
    listed = [_line(context.send(calls.show_job(each))) for each in ids[:10]]
    return context.confirm(f"{deed.doing} {len(ids)} job(s)?", listed + [f"job/{clean(each)}" for each in ids[10:]])


def _line(job: Item) -> str:
    return f"job/{clean(job['id'])}  {clean(job['state'])}  {clean(job['source'])}"


def _on_one(context: Context, deed: Deed, job: str) -> None:
    done = context.change(deed.one(job))
    if done is None:
        return
    if context.machine:
        context.show(JOB, done, ())
    else:
        context.print(f"{JOB.ref(done)} {deed.past} (now {clean(done['state'])})")


def _by_ids(context: Context, deed: Deed, jobs: list[int]) -> Iterator[list[Item]]:
    """A thousand at a time."""
    for first in range(0, len(jobs), calls.BATCH_MAX):
        done = context.change(deed.some(jobs[first : first + calls.BATCH_MAX]))
        yield done["items"] if done else []


def _on_selection(context: Context, deed: Deed, query: str) -> int:
    """To look at the set changes nothing, so --dry-run does that."""
    made = context.send(calls.select_jobs(query))
    count = int(made["count"])
    states = ", ".join(f"{jobs:,} {clean(state)}" for state, jobs in made["states"].items() if jobs)
    listed = [_line(job) for job in made["sample"]]
    if not count:
        context.say("no job matches")
        return OK
    question = f"{deed.doing} {count:,} job{'s' if count > 1 else ''} ({states})?"
    if context.option("dry_run", False):
        context.print("\n".join([f"would ask: {question}", *(f"  {each}" for each in listed)]))
        return OK
    if not context.confirm(question, listed):
        return FAILURE
    return _report(context, _by_selection(context, deed, str(made["selection"])), deed.past)


def _by_selection(context: Context, deed: Deed, selection: str) -> Iterator[list[Item]]:
    """As many as the array does in a request; an end before the end says how far it came."""
    after: int | None = 0
    while after is not None:
        try:
            done = context.send(deed.selected(selection, after))
        except FaError:
            if after:
                context.say(f"{after:,} jobs of the set were done.")
            raise
        yield done["items"]
        after = done["next"]


def _report(context: Context, parts: Iterable[list[Item]], past: str) -> int:
    """Each job for itself: a problem with one does not keep the others from being done."""
    code, kept = OK, list[Item]()
    whole = context.format in ("json", "csv") and not context.option("quiet", False)  # one text, not one after another
    for part in parts:
        for result in part:
            if not result["ok"]:
                code = _complain(context, result, code)
            elif not context.machine:
                context.print(f"{JOB.ref(result)} {past} (now {clean(result['state'])})")
        shown = part if context.format == "json" else [each for each in part if each["ok"]]
        if whole:
            kept += shown
        elif context.machine:
            context.show_list(JOB, shown)
    if whole:
        context.show_list(JOB, kept)
    return code


def _complain(context: Context, result: Item, code: int) -> int:
    error = kind_of(str(result["code"]), 0)(str(result["detail"]))
    context.complain(error)
    return code or exit_code(error)
