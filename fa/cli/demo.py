"""`fa demo`: real nodes on this machine, real clips through two factories, the coordinator killed in the middle, and a
table of what came out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fa.cli.context import Context
from fa.cli.demo_clips import FACTORIES, make_clips
from fa.cli.demo_nodes import DemoArray
from fa.cli.demo_report import report
from fa.cli.exits import FAILURE, OK
from fa.cli.parser import Parser, leaf
from fa.cli.waiting import wait_watching
from fa.client import calls
from fa.client.plain import Client
from fa.client.text import clean
from fa.errors import Conflict, Invalid

FOLDER = ".fa-demo"
MARK = "made-by-fa-demo"  # a file; only a folder that holds it is ever cleared
ARRAY = "demo"
NODES_MAX = 5
SURVIVABLE = 3  # nodes of which one may die while the others go on


def demo(parser: Parser) -> None:
    text = "how many nodes (3); with three or more the coordinator is killed half-way"
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help=text)
    leaf(parser, _demo, "fa demo", "fa demo --nodes 1 --dir /tmp/fa-demo")


def _demo(context: Context) -> int:
    begun, count = time.monotonic(), context.args.nodes
    if not 1 <= count <= NODES_MAX:
        raise Invalid(f"--nodes is 1 to {NODES_MAX}.")
    root = Path(context.option("dir") or FOLDER).absolute()
    volume = prepare(root)
    context.print(f"1. Clips are made in {volume}/in")
    clips = make_clips(volume / "in", lambda line: context.print(f"   {line}"))
    with DemoArray(ARRAY, root, volume, count, lambda line: context.print(f"   {line}")) as array:
        context.print(f"2. {count} node(s) of array {ARRAY!r} are started; each proves its encoders first")
        array.start()
        with array.client() as client:
            jobs = _work(context, array, client, clips)
            _tell_history(context, client)
    good = report(context, jobs, volume)
    context.print(f"Done in {time.monotonic() - begun:.0f} s. The files are in {root}.")
    return OK if good else FAILURE


def _work(context: Context, array: DemoArray, client: Client, clips: Sequence[str]) -> list[dict[str, Any]]:
    context.print(f"3. Two factories are set up: {', '.join(FACTORIES)}; each clip goes through both")
    for recipe in FACTORIES.values():
        client.send(calls.apply_factory(recipe))
    jobs = [
        {"source": f"san:in/{clip}", "factory": factory, "subject": "demo"} for clip in clips for factory in FACTORIES
    ]
    ids = [str(job["id"]) for job in client.send(calls.submit_batch(jobs))["items"]]
    blow = Blow(array, client) if len(array.nodes) >= SURVIVABLE else None
    done = wait_watching(context, client, ids, blow.watch if blow else lambda jobs: None)
    if blow and not blow.struck:
        context.print("   The coordinator was not killed: all was made before some of it was seen to run and to wait")
    return done


class Blow:
    """Kills the coordinator once, when some products are made and others run; then says who took over, and when."""

    def __init__(self, array: DemoArray, client: Client) -> None:
        self._array, self._client = array, client
        self._killed, self._at = "", 0.0

    @property
    def struck(self) -> bool:
        return bool(self._killed)

    def watch(self, jobs: Sequence[Mapping[str, Any]]) -> str | None:
        """A line to show, when something happened."""
        if not self._killed:
            return self._strike() if half_way(jobs) else None
        if not self._at:
            return None
        leads = self._client.send(calls.status())["coordinator"]
        if leads in (None, self._killed):
            return None
        seconds, self._at = time.monotonic() - self._at, 0.0
        return f"5. Node {clean(leads)} is the coordinator now, {seconds:.1f} s later; the work goes on"

    def _strike(self) -> str:
        self._killed = str(self._client.send(calls.status())["coordinator"])
        self._array.node(self._killed).kill()
        self._at = time.monotonic()
        return f"4. kill -9 of node {clean(self._killed)}, the coordinator, in the middle of it"


def half_way(jobs: Sequence[Mapping[str, Any]]) -> bool:
    """Something is made, something runs, and something still waits."""
    states = {task["state"] for job in jobs for task in job["tasks"]}
    return {"succeeded", "running", "queued"} <= states


def prepare(root: Path) -> Path:
    """An empty folder with a volume in it. Raises `Conflict` rather than clearing what is not ours."""
    if root.exists() and any(root.iterdir()) and not (root / MARK).is_file():
        raise Conflict(f"{root} is not empty and not of a demo.", hint="Name another folder with --dir.")
    if root.exists():
        shutil.rmtree(root)
    volume = root / "san"
    (volume / "in").mkdir(parents=True)
    (volume / "out").mkdir()
    (root / MARK).touch()
    return volume


def _tell_history(context: Context, client: Client) -> None:
    """What the array itself noted about its nodes."""
    for event in reversed(client.send(calls.list_events(200))["items"]):
        if str(event["subject"]).startswith("node/") and event["severity"] != "info":
            context.print(f"   {clean(event['at'])} {clean(event['subject'])}: {clean(event['text'])}")
