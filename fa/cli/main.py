"""`fa`: finds the command that was meant, loads only that one, turns errors into sentences and exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from fa.cli.context import Context
from fa.cli.exits import INTERRUPTED, OK, PIPE_CLOSED, USAGE, exit_code
from fa.cli.parser import REACH, Parser, UsageError, add_reach, pick_reach
from fa.client.text import clean_lines
from fa.errors import FaError


class Word(NamedTuple):
    """A command: the module that holds it, the function there that configures its parser, what it does."""

    module: str
    configure: str
    summary: str


WORDS = {
    "status": Word("status", "status", "one screen: health, nodes, jobs, mirror, alerts"),
    "submit": Word("submit", "submit", "submit files to a factory"),
    "jobs": Word("jobs", "jobs", "list jobs"),
    "job": Word("job", "job", "show, cancel, retry, hold, release, re-prioritise, wait for a job, or read its log"),
    "why": Word("job", "why", "say per node why a job is not running there"),
    "nodes": Word("nodes", "nodes", "list nodes"),
    "node": Word("nodes", "node", "show, pause, resume, drain, remove a node"),
    "factories": Word("factories", "factories", "list factories"),
    "factory": Word("factories", "factory", "show, apply, validate, test, remove a factory, list its versions"),
    "monitors": Word("monitors", "monitors", "list watch folders"),
    "monitor": Word("monitors", "monitor", "show, apply, enable, disable a watch folder"),
    "mirror": Word("mirror", "mirror", "the copies of the job store: status, history, switch-over, restore, verify"),
    "events": Word("events", "events", "what happened, and what happens"),
    "alerts": Word("events", "alerts", "what a person should look at; acknowledge it"),
    "volume": Word("volumes", "volume", "list shared storage as the nodes see it; test whether it can carry a vote"),
    "tui": Word("tui", "tui", "the dashboard"),
    "api": Word("api", "api", "send any request to the HTTP API"),
    "init": Word("array", "init", "start a new array with this machine as its first node"),
    "run": Word("array", "run", "run a node in the foreground"),
    "join": Word("array", "join", "make this machine a node of an array"),
    "force": Word("force", "force", "let this node lead without a majority; says first what may be lost"),
    "witness": Word("array", "witness", "make this machine a vote without a store, so that two servers survive one"),
    "token": Word("tokens", "token", "make tokens for people, scripts and new nodes"),
    "demo": Word("demo", "demo", "show what fa does, on this machine, with clips made for it"),
    "doctor": Word("doctor", "doctor", "check what a node needs, and say what to do"),
    "completion": Word("completion", "completion", "print the completion script of a shell"),
    "version": Word("about", "version", "print the version"),
}

EXAMPLES = (
    "fa status",
    "fa submit san:in/clip.mxf -f proxy --wait",
    "fa jobs state:failed since:24h",
    "fa why 17",
)


def build_parser(word: str | None = None) -> Parser:
    """The parser of all commands; with ``word`` of that one alone, which starts faster. A word that there is not gets
    all of them, not configured: they are only named."""
    parser = Parser(prog="fa", description="A failover transcoding array.", examples=EXAMPLES)
    add_reach(parser)
    group = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    known = {word: WORDS[word]} if word in WORDS else WORDS
    for name, (module, configure, summary) in known.items():
        sub = group.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if word is None or word == name:
            getattr(importlib.import_module(f"fa.cli.{module}"), configure)(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Never raises but for bugs."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code


def _led_by_a_word(rest: list[str]) -> list[str]:
    """``rest`` once it begins with a command; the usual ways to ask for help and version stand for one."""
    first = rest[0] if rest else ""
    if first in ("--version", "-V"):
        return ["version", *rest[1:]]
    if first.startswith("-") and first not in ("-h", "--help", "--", *(name for name, _, _ in REACH)):
        raise UsageError(f"{first} belongs to a command: write it after one, as in: fa status -o json", "fa")
    return rest


def _run(argv: list[str]) -> int:
    try:
        reach, rest = pick_reach(argv)
        rest = _led_by_a_word(rest)
        parser = build_parser(rest[0] if rest else "")
        args = parser.parse_args([*reach, *rest])
    except UsageError as error:
        sys.stderr.write(f"{clean_lines(f'fa: {error}')}\n    Try: {error.command} --help\n")
        return USAGE
    except SystemExit as done:  # --help
        return int(done.code or 0)
    if not hasattr(args, "run"):
        parser.print_help()
        return USAGE
    context = Context(args)
    try:
        return args.run(context) or OK
    except FaError as error:
        context.complain(error)
        return exit_code(error)
