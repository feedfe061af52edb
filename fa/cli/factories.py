"""`fa factories`, `fa factory …`."""

from __future__ import annotations

from fa.cli.context import Context
from fa.cli.exits import FAILURE, OK
from fa.cli.files import read_text
from fa.cli.nouns import FACTORY
from fa.cli.parser import Parser, commands, leaf
from fa.cli.tables import Column, Noun, column
from fa.client import calls
from fa.client.text import clean, clean_lines
from fa.errors import Invalid

REPORT = Noun(
    "product",
    "product",
    (
        column("PRODUCT", "product"),
        Column("RESULT", lambda report: "ok" if report.get("ok") else "failed", "state"),
        column("SIZE", "bytes", "bytes"),
        column("SECONDS", "seconds"),
        Column("VIDEO", lambda report: ", ".join(report.get("video") or [])),
        Column("AUDIO", lambda report: f"{len(report['audio'])} tracks" if report.get("audio") else None),
        column("TIMECODE", "timecode"),
        column("CPU_SECONDS", "cpu_seconds", wide=True),
        column("ERROR", "error"),
    ),
)


def factories(parser: Parser) -> None:
    leaf(parser, _factories, "fa factories", lists=True)


def _factories(context: Context) -> None:
    page = context.send(calls.list_factories())
    context.show_list(FACTORY, page["items"], page, "no factory yet: fa factory apply -f FILE")


def factory(parser: Parser) -> None:
    add = commands(parser)
    add("show", "print a factory as it was applied", _configure_show)
    add("apply", "set up factories, or give them a new version", _configure_apply)
    add("validate", "check a recipe without setting it up", _configure_validate)
    add("test", "run two seconds of a synthetic source through every product of a recipe", _configure_test)
    add("remove", "offer a factory no more; jobs keep the version they have", _configure_remove)
    add("versions", "list the versions of a factory", _configure_versions)


def _configure_show(parser: Parser) -> None:
    parser.add_argument("factory", metavar="NAME")
    parser.add_argument("--version", type=int, metavar="N", help="the newest without")
    leaf(parser, _show, "fa factory show proxy > proxy.toml", "fa factory show proxy --version 1 -o json", lists=True)


def _show(context: Context) -> None:
    found = context.send(calls.show_factory(context.args.factory, context.args.version))
    lines = clean_lines(found["text"]).rstrip("\n").split("\n")
    context.show(FACTORY, found, lines)
    if found.get("warning") and not context.machine:
        context.say(f"warning: {found['warning']}")


def _files(parser: Parser) -> None:
    what = "recipe in TOML; - is stdin; may be given several times"
    parser.add_argument("-f", "--file", required=True, metavar="F", action="append", help=what)


def _configure_apply(parser: Parser) -> None:
    _files(parser)
    leaf(parser, _apply, "fa factory apply -f proxy.toml", "fa factory apply -f a.toml -f b.toml", changes=True)


def _apply(context: Context) -> int:
    def apply(path: str) -> None:
        done = context.change(calls.apply_factory(read_text(path)))
        if done is None:
            return
        context.show(FACTORY, done, [f"{FACTORY.ref(done)} applied (version {clean(done['version'])})"])
        if done.get("warning"):
            context.say(f"warning: {done['warning']}")

    return context.each(context.args.file, apply)


def _configure_validate(parser: Parser) -> None:
    _files(parser)
    leaf(parser, _validate, "fa factory validate -f proxy.toml", lists=True)


def _validate(context: Context) -> int:
    def validate(path: str) -> None:
        done = context.send(calls.validate_factory(read_text(path)))
        able = " ".join(map(clean, done.get("nodes") or [])) or "no node"
        context.show(FACTORY, done, [f"{FACTORY.ref(done)} is valid; can run on: {able}"])
        if done.get("warning"):
            context.say(f"warning: {done['warning']}")

    return context.each(context.args.file, validate)


def _configure_test(parser: Parser) -> None:
    parser.add_argument("-f", "--file", metavar="F", help="recipe in TOML, - is stdin; instead of a name")
    parser.add_argument("factory", nargs="?", metavar="NAME", help="a factory that is set up")
    leaf(parser, _test, "fa factory test -f proxy.toml", "fa factory test proxy", lists=True)


def _test(context: Context) -> int:
    page = context.send(calls.test_factory(_recipe(context)))
    context.show_list(REPORT, page["items"], page)
    return OK if all(report.get("ok") for report in page["items"]) else FAILURE


def _recipe(context: Context) -> str:
    args = context.args
    if (args.file is None) == (args.factory is None):
        raise Invalid("Say which recipe: a name, or a file with -f.")
    if args.file is not None:
        return read_text(args.file)
    return str(context.send(calls.show_factory(args.factory))["text"])


def _configure_remove(parser: Parser) -> None:
    parser.add_argument("factory", metavar="NAME")
    leaf(parser, _remove, "fa factory remove proxy", changes=True)


def _remove(context: Context) -> int:
    name = context.args.factory
    if not context.confirm(f"Remove factory {clean(name)}?", word=name):
        return FAILURE
    if context.change(calls.remove_factory(name)) is not None:
        context.print(f"factory/{clean(name)} removed")
    return OK


def _configure_versions(parser: Parser) -> None:
    parser.add_argument("factory", metavar="NAME")
    leaf(parser, _versions, "fa factory versions proxy", lists=True)


def _versions(context: Context) -> None:
    page = context.send(calls.factory_versions(context.args.factory))
    context.show_list(FACTORY, page["items"], page)
