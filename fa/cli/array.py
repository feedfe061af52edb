"""`fa init`, `fa join`, `fa witness`, `fa run`: how a machine becomes a node, and is one."""

from __future__ import annotations

from pathlib import Path

from fa.cli.context import Context
from fa.cli.parser import Parser, leaf
from fa.client.target import DEFAULT_DIR, read_token
from fa.client.text import clean
from fa.errors import Invalid


def state_dir(context: Context) -> Path:
    """The state directory that is meant, absolute: a node outlives the folder it was started in."""
    return Path(context.option("dir") or context.env.get("FA_DIR") or DEFAULT_DIR).absolute()


def _place(parser: Parser) -> None:
    """The options that say what this machine is to the array."""
    add = parser.add_argument
    add("--node", required=True, metavar="NAME", help="name of this node")
    add("--listen", required=True, metavar="HOST:PORT", help="where other nodes and clients reach it")


def _work(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "--volume", action="append", default=[], metavar="NAME=PATH", help="shared storage and where it is mounted here"
    )
    add("--slots", type=int, metavar="N", help="encodes at a time (one per core)")


def init(parser: Parser) -> None:
    add = parser.add_argument
    add("--name", required=True, metavar="ARRAY", help="name of the array")
    _place(parser)
    _work(parser)
    add(
        "--witness", default="none", metavar="volume:NAME|none", help="a third vote on a volume, for two servers (none)"
    )
    add("--vip", default="", metavar="ADDRESS/BITS@DEVICE", help="virtual address that follows the coordinator")
    examples = (
        "fa init --name studio --node a --listen 10.0.0.1:7001 --volume san=/mnt/san",
        "fa init --dir ./a --name test --node a --listen 127.0.0.1:7001 --slots 2",
    )
    leaf(parser, _init, *examples)


def _init(context: Context) -> None:
    args = context.args
    from fa.node.found import found
    from fa.node.settings import StateDir

    found(
        StateDir(state_dir(context)),
        array=args.name,
        node=args.node,
        listen=args.listen,
        volumes=volumes(args.volume),
        witness=args.witness,
        slots=slots(args.slots),
        vip=args.vip,
    )
    context.print(f"Array {clean(args.name)} is founded, node {clean(args.node)} is in {clean(state_dir(context))}.")
    context.say(f"Start it: fa run --dir {state_dir(context)}")


def slots(given: int | None) -> dict[str, int] | None:
    return None if given is None else {"cpu": given}


def volumes(given: list[str]) -> dict[str, str]:
    """``san=/mnt/san`` → name and absolute path. Raises `Invalid`."""
    found: dict[str, str] = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not equals or not name or not path or name in found:
            raise Invalid(f"{each!r} is not a volume, or is named twice.", hint="Write --volume san=/mnt/san.")
        found[name] = str(Path(path).absolute())
    return found


def join(parser: Parser) -> None:
    parser.add_argument("address", metavar="URL", help="of any node of the array")
    _place(parser)
    _work(parser)
    examples = (
        "fa join https://10.0.0.1:7001 --token-file join.token --node b --listen 10.0.0.2:7001 --volume san=/mnt/san",
    )
    leaf(parser, lambda context: _enter(context, "data"), *examples)


def witness(parser: Parser) -> None:
    parser.add_argument("address", metavar="URL", help="of any node of the array")
    _place(parser)
    examples = ("fa witness https://10.0.0.1:7001 --token-file join.token --node w --listen 10.0.0.3:7001",)
    leaf(parser, lambda context: _enter(context, "witness"), *examples)


def _enter(context: Context, kind: str) -> None:
    from fa.node.join import join as join_array
    from fa.node.settings import StateDir

    args, token_file = context.args, context.option("token_file")
    if not token_file:
        raise Invalid(
            "A node joins with a token.", hint="`fa token create --role node` on a node of the array prints one."
        )
    place = state_dir(context)
    settings = join_array(
        StateDir(place),
        address=args.address,
        token=read_token(token_file),
        node=args.node,
        listen=args.listen,
        volumes=volumes(context.option("volume", [])),
        slots=slots(context.option("slots")),
        kind=kind,
    )
    context.print(f"Node {clean(args.node)} is of array {clean(settings.array.name)} now, in {clean(place)}.")
    context.say(f"Start it: fa run --dir {place}")


def run(parser: Parser) -> None:
    leaf(parser, _run, "fa run", "fa run --dir ./a")


def _run(context: Context) -> int:
    from fa.node.main import run as run_node
    from fa.node.settings import StateDir

    return run_node(StateDir(state_dir(context)))
