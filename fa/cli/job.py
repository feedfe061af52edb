"""`fa job …` and `fa why`: one job, or several by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fa.cli import tables
from fa.cli.bulk import acts, configure_prio
from fa.cli.context import Context
from fa.cli.nouns import ATTEMPT, JOB, WHY, percent
from fa.cli.parser import Parser, commands, leaf
from fa.cli.tables import Item
from fa.cli.times import clock, parse_span, size
from fa.cli.waiting import wait_for
from fa.client import calls
from fa.client.text import clean, clean_lines
from fa.errors import Invalid, NotFound

LOG_BYTES = 64 * 1024  # of a log are shown without --all: its end, where the reason stands


def job(parser: Parser) -> None:
    add = commands(parser)
    add("show", "show a job with its products and attempts", _configure_show)
    for name, summary in (
        ("cancel", "cancel jobs; what is already published stays"),
        ("retry", "queue failed or cancelled products again"),
        ("hold", "keep queued jobs from starting"),
        ("release", "let held jobs start"),
    ):
        add(name, summary, acts(name))
    add("prio", "change the priority of jobs", configure_prio)
    add("log", "print what ffmpeg and fa said during an attempt", _configure_log)
    add("wait", "wait until jobs have ended", _configure_wait)


def why(parser: Parser) -> None:
    parser.add_argument("job", metavar="ID", type=_id)
    leaf(parser, _why, "fa why 17", lists=True)


def _id(text: str) -> str:
    return text.removeprefix("job/")


def _ids(parser: Parser) -> None:
    parser.add_argument("jobs", nargs="+", metavar="ID", help="ids; - reads more from stdin")


def _configure_show(parser: Parser) -> None:
    _ids(parser)
    leaf(parser, _show, "fa job show 17", "fa job show 17 -o json", lists=True)


def _show(context: Context) -> None:
    found = [context.send(calls.show_job(each)) for each in context.ids(context.args.jobs, "job")]
    if len(found) == 1:
        context.show(JOB, found[0], job_lines(found[0], context))
    elif context.machine:
        context.show_list(JOB, found)
    else:
        context.print("\n\n".join("\n".join(job_lines(each, context)) for each in found))


def job_lines(job: Item, context: Context) -> Iterator[str]:
    """A job as a person reads it."""
    yield f"{JOB.ref(job)}  {context.paint(clean(job['state']), job['state'])}"
    names = ("source", "factory", "factory_version", "priority", "subject", "description", "monitor", "submitted_by")
    times = ("submitted_at", "finished_at")
    yield from tables.facts((name.replace("_", " "), job.get(name)) for name in (*names, *times))
    for task in job.get("tasks") or []:
        yield ""
        yield from task_lines(task, context)
    if attempts := job.get("attempts"):
        yield ""
        yield from tables.render(ATTEMPT, attempts, context.look)


def task_lines(task: Item, context: Context) -> Iterator[str]:
    """One product: its state and where it is, its error whole, its output."""
    where = [task.get("phase"), percent(task.get("progress")), task.get("node") and f"on {task['node']}"]
    if task.get("eta") is not None:
        where.append(f"eta {clock(task['eta'])}")
    shown = " ".join(clean(each) for each in where if each) if task["state"] in ("running", "publishing") else ""
    yield f"{clean(task['product'])}  {context.paint(clean(task['state']), task['state'])}  {shown}".rstrip()
    if task.get("error"):
        yield "  " + clean_lines(str(task["error"])).replace("\n", "\n  ")
    output = task.get("output")
    if output:
        yield f"  {clean(output['path'])}  {size(output['bytes'])}  sha256:{clean(output['sha256'])}"
    elif task.get("destination"):
        yield f"  -> {clean(task['destination'])}"


def _configure_log(parser: Parser) -> None:
    parser.add_argument("job", metavar="ID", type=_id)
    parser.add_argument("--product", default="", metavar="P", help="of a job with several products")
    parser.add_argument("--attempt", type=int, metavar="N", help="the newest without")
    parser.add_argument("--all", action="store_true", help="the whole log, not only its end")
    leaf(parser, _log, "fa job log 17", "fa job log 17 --product proxy --attempt 1 --all")


def _log(context: Context) -> None:
    args = context.args
    product, attempt = _newest(context.send(calls.show_job(args.job)), args.product, args.attempt)
    offset = 0 if args.all else -LOG_BYTES
    reply = context.client.reply(calls.attempt_log(args.job, attempt, product, offset))
    text = reply.body.decode(errors="backslashreplace").removesuffix("\n")
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        context.print(clean_lines(line))


def _newest(job: Item, product: str, attempt: int | None) -> tuple[str, int]:
    """The product and the attempt whose log is meant."""
    tasks = [task for task in job.get("tasks") or [] if not product or task["product"] == product]
    if not tasks:
        known = ", ".join(clean(task["product"]) for task in job.get("tasks") or [])
        raise NotFound(f"Job {job['id']} has no product {product!r}.", hint=f"It has {known}.")
    begun = [task for task in tasks if task.get("attempt")]
    if attempt is None and not begun:
        raise NotFound(f"Nothing of job {job['id']} was begun yet.", hint=f"`fa why {job['id']}` says why.")
    if len(begun) > 1 and not product:
        raise Invalid(
            f"Job {job['id']} has several products.", hint=f"Say --product {' or '.join(t['product'] for t in begun)}."
        )
    task = (begun or tasks)[0]
    return str(task["product"]), attempt or int(task["attempt"])


def _configure_wait(parser: Parser) -> None:
    _ids(parser)
    parser.add_argument("--timeout", metavar="SPAN", help="give up after that time (exit 7); the jobs go on")
    leaf(parser, _wait, "fa job wait 17", "fa job wait 17 18 --timeout 1h", lists=True)


def _wait(context: Context) -> int:
    timeout = context.args.timeout
    return wait_for(context, context.ids(context.args.jobs, "job"), parse_span(timeout) if timeout else None)


def _why(context: Context) -> None:
    answer = context.send(calls.why(context.args.job))
    if context.machine:
        rows = [{"product": task["product"], **node} for task in answer["tasks"] for node in task["nodes"]]
        if context.format == "json":
            context.print(tables.as_json(answer))
        else:
            context.show_list(WHY, rows)
        return
    for line in _why_lines(answer):
        context.print(line)


def _why_lines(answer: Item) -> Iterator[str]:
    yield f"job/{clean(answer['job'])}  {clean(answer['state'])}: {clean(answer['text'])}"
    for task in answer["tasks"]:
        yield f"{clean(task['product'])}  {clean(task['text'])}"
        rows: list[tuple[str, Any]] = [(f"  {clean(node['node'])}", node["text"]) for node in task["nodes"]]
        yield from tables.facts(rows)
