"""What must hold once everything is healed and at rest, looked at from outside. Each finding is a sentence."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from fa.node.parts import owner_of
from fa.transcode.digest import Digest, digest
from tests.e2e import kit
from tests.e2e.soak import work
from tests.e2e.soak.book import FINAL, Book
from tests.e2e.soak.faults import Stuck

STILL = 120.0  # seconds without any job that ends: then those that are left never will
SWEPT = 150.0
CRIES = ("Traceback (most recent call last)", "fa failed", "CRITICAL", "never retrieved", "was never awaited")


def rest(array: kit.Array, node: kit.Node) -> None:
    """Nothing is held or kept from running any more; returns when all jobs are over. Raises `Stuck`."""
    for each in array.nodes:
        node.post(f"/v1/nodes/{each.name}/resume")
    node.post("/v1/monitors/in/enable")
    try:
        while waiting := _unfinished(node):
            kit.wait_until("a job ended", lambda before=waiting: _unfinished(node) < before, STILL, every=1.0)  # type: ignore[misc]
        kit.wait_until("no slot is taken", lambda: not list(_busy(node)), 30.0, every=0.5)
    except kit.Failed as error:
        left = [node.get(f"/v1/jobs/{job['id']}/why") for job in node.jobs("state:queued,running,held")[:5]]
        raise Stuck(f"{error}; {node.status()['jobs']}; {left}; {list(_busy(node))}") from error


def _unfinished(node: kit.Node) -> int:
    held = [job["id"] for job in node.jobs("state:held")][:1000]
    if held:
        node.post("/v1/jobs:release", {"ids": held})
    jobs = node.status()["jobs"]
    return sum(int(jobs[state]) for state in ("queued", "running", "held"))


def _busy(node: kit.Node) -> Iterator[str]:
    for each in node.get("/v1/nodes")["items"]:
        if any(slots["used"] for slots in each["slots"].values()) or each["tasks"]:
            yield f"{each['name']} is not at rest: {each['slots']} {each['tasks']}"


def everything(array: kit.Array, node: kit.Node, book: Book, rude: set[str]) -> list[str]:
    watched = list(_watched(array, node, book))
    jobs = [node.job(job["id"]) for job in node.jobs()]
    return [
        *book.wrong,
        *watched,
        *_jobs(book, jobs),
        *_files(array, jobs),
        *_parts(array, rude),
        *_busy(node),
        *_left_running(array),
        *_copies(array, node),
        *_logs(array),
        *_alerts(node),
    ]


def _jobs(book: Book, all_jobs: list[Any]) -> Iterator[str]:
    jobs = [job for job in all_jobs if not job["monitor"]]
    there = {job["id"]: job for job in jobs}
    if len(there) != len(jobs):
        yield "a job is listed twice"
    if gone := sorted(book.jobs.keys() - there.keys()):
        yield f"acknowledged jobs are gone: {gone[:20]}"
    if extra := sorted(there.keys() - book.jobs.keys()):
        yield f"jobs that nobody was told of: {extra[:20]}"
    for told in book.jobs.values():
        if told.id not in there:
            continue
        job = there[told.id]
        for finding in _job(told, job):
            yield f"job {told.id} ({told.kind}): {finding}: {told} {json.dumps(job)}"


def _job(told: Any, job: Any) -> Iterator[str]:
    kind, state = work.BY_NAME[told.kind], job["state"]
    if state not in FINAL:
        yield f"it is {state}"
    if job["source"] != told.source or job["factory"] != told.kind:
        yield "it is another one"
    if len(job["tasks"]) != len(kind.products):
        yield "it has other products"
    if state == "cancelled" and not told.cancels:
        yield "nobody cancelled it"
    if state == "succeeded" and not kind.succeeds:
        yield "it cannot succeed"
    if told.final and told.final != state:
        yield f"a client was told that it is {told.final}"
    for task in job["tasks"]:
        if task["state"] == "failed" and not work.explains(kind, task["error"] or ""):
            yield f"{task['product']} failed without a reason: {task['error']}"
        if task["state"] == "succeeded" and not task["output"]:
            yield f"{task['product']} has no output"
        tries = [each["state"] for each in job["attempts"] if each["product"] == task["product"]]
        if tries.count("succeeded") != (task["state"] == "succeeded"):
            yield f"attempts of {task['product']}: {tries}"
        if {"running", "publishing"} & set(tries):
            yield f"an attempt of {task['product']} goes on"


def _watched(array: kit.Array, node: kit.Node, book: Book) -> Iterator[str]:
    """Each file that was put there made one job, and was moved once that had succeeded."""
    folder = array.san / "watch"

    def moved() -> bool:
        return not set(book.dropped) & {path.name for path in folder.iterdir()}

    try:
        kit.wait_until("all files were taken", moved, SWEPT, every=0.5)
    except kit.Failed:
        yield f"left in the watch folder: {sorted(path.name for path in folder.iterdir())}; {node.get('/v1/monitors')}"
    jobs = Counter(job["source"] for job in node.jobs("monitor:in"))
    if wrong := {name: jobs[name] for name in jobs.keys() | _sources(book) if jobs[name] != 1}:
        yield f"files of the watch folder, and how many jobs each made: {wrong}"
    if bad := [job["id"] for job in node.jobs("monitor:in+-state:succeeded")]:
        yield f"jobs of the monitor that did not succeed: {[node.job(number) for number in bad[:5]]}"
    if {path.name for path in (folder / "done").glob("*")} != set(book.dropped):
        yield f"moved: {sorted(path.name for path in (folder / 'done').glob('*'))}; dropped: {book.dropped}"


def _sources(book: Book) -> set[str]:
    return {f"san:watch/{name}" for name in book.dropped}


def _files(array: kit.Array, jobs: list[Any]) -> Iterator[str]:
    known: set[Path] = set()
    last: dict[Path, set[Digest]] = {}  # what may be where one job replaces what another one made
    for job in jobs:
        for task in job["tasks"]:
            if task["state"] != "succeeded":
                continue
            output = task["output"]
            path = array.san / output["path"].removeprefix("san:")
            recorded = Digest(output["bytes"], output["sha256"])
            if job["factory"] in ("replaced", "refolder"):
                known.add(path)
                last.setdefault(path, set()).add(recorded)
                continue
            if path in known:
                yield f"{path} is the output of two tasks"
            known.add(path)
            if not path.exists():
                yield f"job {job['id']}: {path} is not there: {task}"
                continue
            made = digest(path)
            if made != recorded:
                yield f"job {job['id']}: {path} is not what was recorded: {made} {output}"
            source = array.san / job["source"].removeprefix("san:").replace("watch/", "watch/done/")
            if work.BY_NAME[job["factory"]].copies and made != digest(source):
                yield f"job {job['id']}: {path} is not a copy of its source"
    for path, made_once in last.items():
        if not path.exists() or digest(path) not in made_once:
            yield f"{path} is nothing that was delivered there"
    there = set((array.san / "out").glob("*/*"))
    if unknown := sorted(there - known):
        yield f"unknown in the destinations: {[str(path) for path in unknown[:20]]}"


def _parts(array: kit.Array, rude: set[str]) -> Iterator[str]:
    """Those of a node that was wiped before it could clean up are left alone for a day."""

    def left() -> list[str]:
        found = (array.san / ".fa" / "part").glob("*")
        return [path.name for path in found if not ((owner := owner_of(path.name)) and owner.node in rude)]

    try:
        kit.wait_until("no part is left", lambda: not left(), SWEPT, every=1.0)
    except kit.Failed:
        yield f"parts are left: {left()}"
    if graves := [path.name for path in (array.san / ".fa").glob("grave/*")]:
        yield f"the grave is not empty: {graves}"


def _left_running(array: kit.Array) -> Iterator[str]:
    """No tool and no ffmpeg outlives its attempt, whatever became of its node."""
    tools = {str(array.root / name) for name in work.TOOLS}
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if tools & set(words) or any(f"{array.san}/" in word for word in words):
            yield f"still running: {process.info}"


def _copies(array: kit.Array, node: kit.Node) -> Iterator[str]:
    """All that hold a copy say that it is whole, and their replicas give the same rows."""
    for each in array.nodes:
        words = [*kit.FA, "mirror", "verify", "-o", "json", "--dir", str(each.root)]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        if ran.returncode:
            yield f"mirror verify on {each.name}: {ran.returncode} {ran.stdout} {ran.stderr}"
    mirror = node.get("/v1/mirror")
    names = [copy["node"] for copy in mirror["copies"] if copy["state"] in ("complete", "in-sync")]
    if len(names) < 2:
        yield f"there is one copy only: {mirror['copies']}"
    rows = {}
    for name in names:
        out = array.root / f"{name}.restored"
        array[name].fa("mirror", "restore", str(out), "--at", f"txid:{mirror['txid']}", "--dir", str(array[name].root))
        rows[name] = _rows(out)
    for name in names[1:]:
        for table in sorted(rows[name].keys() | rows[names[0]].keys()):
            if rows[name].get(table) != rows[names[0]].get(table):
                yield f"the rows of {table} differ between {names[0]} and {name}"


def _rows(database: Path) -> dict[str, list[str]]:
    connection = sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert not connection.execute("PRAGMA foreign_key_check").fetchall()
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"'))) for name in names}
    finally:
        connection.close()


def _logs(array: kit.Array) -> Iterator[str]:
    for node in array.nodes:
        lines = node.log.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines):
            if any(cry in line for cry in CRIES):
                context = "\n    ".join(lines[max(0, number - 2) : number + 25])
                yield f"log of {node.name}, line {number + 1}:\n    {context}"


def _alerts(node: kit.Node) -> Iterator[str]:
    try:
        kit.wait_until("no alert is open", lambda: not node.get("/v1/alerts")["items"], 30.0, every=0.5)
    except kit.Failed:
        yield f"open alerts: {node.get('/v1/alerts')['items']}"
