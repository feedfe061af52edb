"""`fa jobs`: the list, filtered by the server."""

from __future__ import annotations

from itertools import islice

from fa.cli.context import Context
from fa.cli.nouns import JOB
from fa.cli.parser import Parser, leaf
from fa.client import calls

LIMIT = 50
SORTS = ("id", "priority", "finished", "factory", "state")  # those that the array has an index for


def jobs(parser: Parser) -> None:
    parser.values = frozenset(f"-{word}" for word in (*SORTS, "submitted"))
    parser.add_argument("query", nargs="*", metavar="QUERY", help="as state:failed factory:prores* since:24h")
    parser.add_argument("--sort", default="", metavar="FIELD", help=f"{', '.join(SORTS)}; -FIELD the other way round")
    parser.add_argument("--limit", type=int, default=LIMIT, metavar="N", help=f"at most N jobs ({LIMIT})")
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("--after", default="", metavar="CURSOR", help="the page after `next` of an earlier -o json")
    examples = ("fa jobs", "fa jobs state:failed since:24h -o wide", "fa jobs state:failed -q | fa job retry -")
    leaf(parser, _jobs, *examples, lists=True)


def _jobs(context: Context) -> None:
    args = context.args
    call = calls.list_jobs(" ".join(args.query), None, args.after, args.sort)
    if args.all or args.limit > calls.PAGE_MAX:
        found = context.client.pages(call, None if args.all else args.limit)
        context.show_list(JOB, found, empty="no job")
        return
    page = context.send(calls.list_jobs(" ".join(args.query), args.limit, args.after, args.sort))
    context.show_list(JOB, islice(page["items"], args.limit), page, "no job")
    if page.get("next") and not context.machine:
        context.say(f"There are more: --limit, --all, or --after {page['next']}")
