"""One node of three is bad: its ffmpeg, its mount, its share. No job is lost to it, and the others go on."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import disks, kit
from tests.e2e.disks import Disk
from tests.e2e.held import Holder, factory

MISSING = disks.missing()
JOBS = 9
LONG = "FA_HUNG" in os.environ  # half a minute more: what cannot be killed is given up
PATIENCE = 4.0  # seconds until another node is asked whether a source is bad; what failed otherwise waits for 5
PROMPT = 1.0  # seconds within which the API answers


def _three(array: kit.Array) -> kit.Node:
    """Nodes of one slot each, of which c has proved what it is about to lose."""
    for name in "abc":
        (array.found if name == "a" else array.join)(name, "--slots", "1")
    node = array["a"]
    node.post("/v1/factories", kit.PROXY)
    kit.make_clip(array.san / "in" / "clip.mp4", 0.4, "128x72")
    kit.wait_until("its encoders are proved", lambda: "encoder:libx264" in _node(node, "c")["offers"])
    return node


def test_ffmpeg_and_the_share_of_one_node(array: kit.Array) -> None:
    """Its ffmpeg fails without a word: quarantined, alarmed, released. Another share is mounted: it gets nothing."""
    ffmpeg, mount = _Swapped(array.root / "ffmpeg", _real_ffmpeg()), _Swapped(array.root / "mount", array.san)
    array.settings["c"] = {"transcode": {"ffmpeg": str(ffmpeg.path)}, "volumes": {"san": str(mount.path)}}
    node = _three(array)

    ffmpeg.point(Path("/bin/false"))
    jobs = _submit(node, JOBS)
    kit.wait_until("it is quarantined", lambda: _node(node, "c")["quarantined"] == ["proxy"])
    kit.wait_until("somebody is told", lambda: _alert(node, "quarantine.proxy", "c"))
    _all_succeed(node, jobs)
    assert "c" not in {node.job(job)["tasks"][0]["node"] for job in jobs}

    ffmpeg.point(_real_ffmpeg())
    node.post("/v1/nodes/c/resume")
    kit.wait_until("it is released", lambda: not _node(node, "c")["quarantined"])
    kit.wait_until("the alarm is over", lambda: not _alert(node, "quarantine.proxy", "c"))
    for name in "ab":
        node.post(f"/v1/nodes/{name}/pause")
    _all_succeed(node, _submit(node, 1))

    foreign = array.root / "foreign"
    (foreign / ".fa").mkdir(parents=True)
    (foreign / ".fa" / "volume.json").write_text('{"array_id": "another", "volume": "san"}')
    mount.point(foreign)
    kit.wait_until("the wrong share is noticed", lambda: _alert(node, "volume.ill", "c/san"))
    (job,) = _submit(node, 1)
    told = next(told for told in node.get(f"/v1/jobs/{job}/why")["tasks"][0]["nodes"] if told["node"] == "c")
    assert told["why"] == "unhealthy"
    assert "foreign" in told["text"]
    node.post("/v1/nodes/b/resume")
    _all_succeed(node, [job])
    assert [path.name for path in foreign.iterdir()] == [".fa"]
    assert [path.name for path in (foreign / ".fa").iterdir() if path.name != "volume.json"] == []


REFUSES = """#!/bin/sh
case "$*" in {arguments}) echo "Unknown encoder 'libx264'" >&2; exit 8;; esac
exec {real} "$@"
"""


@pytest.mark.parametrize("arguments", ["*", "*libx264*"], ids=["probes and encodes", "encodes"])
def test_ffmpeg_of_one_node_has_words_for_it(array: kit.Array, arguments: str) -> None:
    """Another build, say: what it refuses is neither the source's fault nor the recipe's, as long as others can."""
    other = array.root / "other"
    other.write_text(REFUSES.format(arguments=arguments, real=_real_ffmpeg()))
    other.chmod(0o755)
    ffmpeg = _Swapped(array.root / "ffmpeg", _real_ffmpeg())
    array.settings["c"] = {"transcode": {"ffmpeg": str(ffmpeg.path)}}
    node = _three(array)
    ffmpeg.point(other)
    jobs = _submit(node, 2 * JOBS)
    kit.wait_until("it is quarantined", lambda: _node(node, "c")["quarantined"] == ["proxy"])
    kit.wait_until("somebody is told", lambda: _alert(node, "quarantine.proxy", "c"))
    _all_succeed(node, jobs)
    assert "c" not in {node.job(job)["tasks"][0]["node"] for job in jobs}

    (array.san / "in" / "clip.mp4").write_text("this is no film\n" * 100)
    (bad,) = _submit(node, 1)
    kit.wait_until("a bad source fails", lambda: node.job(bad)["state"] == "failed")
    first, second = node.job(bad)["attempts"]
    assert {first["node"], second["node"]} == {"a", "b"}
    assert _moment(second["started_at"]) - _moment(first["finished_at"]) < timedelta(seconds=PATIENCE)


def _moment(said: str) -> datetime:
    return datetime.fromisoformat(said)


@pytest.fixture
def askew(array: kit.Array) -> Iterator[Path]:
    """The volume once more, as one node is to see it: its folder `out` is read-only."""
    seen = array.root / "askew"
    seen.mkdir()
    (array.san / "out").mkdir()
    try:
        _bind(array.san, seen)
        _bind(array.san / "out", seen / "out")
        subprocess.run(["mount", "-o", "remount,ro,bind", str(seen / "out")], check=True)
        yield seen
    finally:
        for folder in (seen / "in", seen / "out", seen):
            subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def _bind(folder: Path, at: Path) -> None:
    subprocess.run(["mount", "--bind", str(folder), str(at)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts")
def test_one_node_sees_the_volume_otherwise(array: kit.Array, askew: Path) -> None:
    """It may not write, then it finds no source; what both do not find is not there."""
    held = Holder(array)
    for name in "ab":
        held.allow(name)
    array.settings["b"]["volumes"] = {"san": str(askew)}
    for name in "ab":
        (array.found if name == "a" else array.join)(name, "--slots", "1")
    node = array["a"]
    node.post("/v1/factories", factory("long"))
    kit.wait_until("b has the volume", lambda: "volume:san" in _node(node, "b")["offers"])
    body = {"source": held.source("x.txt", go=True), "factory": "long"}
    _two_succeed(node, body)
    empty = array.root / "empty"
    empty.mkdir()
    subprocess.run(["umount", str(askew / "out")], check=True)
    _bind(empty, askew / "in")
    _two_succeed(node, body)
    job = node.post("/v1/jobs", body | {"source": "san:in/none.txt"})["id"]
    kit.wait_until("it failed", lambda: node.job(job)["state"] == "failed")
    task = node.job(job)["tasks"][0]
    assert (task["attempt"], "not there" in task["error"]) == (2, True), "two have said so"


def _two_succeed(node: kit.Node, body: dict[str, str]) -> None:
    """Two at once, one for each; all succeed, on the node that sees them."""
    jobs = [int(node.post("/v1/jobs", body)["id"]) for _ in range(2)]
    _all_succeed(node, jobs)
    tasks = [node.job(job)["tasks"][0] for job in jobs]
    assert sorted((task["node"], task["attempt"]) for task in tasks) == [("a", 1), ("a", 2)]


class _Swapped:
    """A link, of which a node believes that it is the thing."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.point(target)

    def point(self, target: Path) -> None:
        aside = self.path.with_name(self.path.name + ".new")
        aside.symlink_to(target)
        aside.rename(self.path)


def _real_ffmpeg() -> Path:
    return next(Path(folder, "ffmpeg") for folder in os.get_exec_path() if Path(folder, "ffmpeg").exists())


def _submit(node: kit.Node, count: int, name: str = "proxy") -> list[int]:
    body = {"jobs": [{"source": "san:in/clip.mp4", "factory": name}] * count}
    return [int(job["id"]) for job in node.post("/v1/jobs:batch", body)["items"]]


def _all_succeed(node: kit.Node, jobs: list[int]) -> None:
    def over() -> bool:
        states = {node.job(job)["state"] for job in jobs}
        assert states <= {"queued", "running", "succeeded"}, [node.job(job) for job in jobs]
        return states == {"succeeded"}

    kit.wait_until("they succeed", over)


def _node(node: kit.Node, name: str) -> Any:
    return next(each for each in node.get("/v1/nodes")["items"] if each["name"] == name)


def _alert(node: kit.Node, kind: str, about: str) -> bool:
    alerts = node.get("/v1/alerts")["items"]
    return any(
        alert["kind"] == kind and alert["subject"] == f"node/{about}" and not alert["cleared_at"] for alert in alerts
    )


@pytest.fixture
def hanging(tmp_path: Path, proved: Path) -> Iterator[tuple[kit.Array, Disk]]:
    """An array, and the mount of its volume that one node is to have."""
    with disks.failing(tmp_path, proved) as (array, made):
        yield array, made.over(array.san)


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_the_volume_of_one_node_hangs(hanging: tuple[kit.Array, Disk]) -> None:
    array, disk = hanging
    held = Holder(array)
    for name in "abc":
        held.allow(name, timing={"volume_timeout": 1.0})
    array.settings["c"]["volumes"] = {"san": str(disk.mountpoint)}
    for name in "abc":
        (array.found if name == "a" else array.join)(name, "--slots", "1")
    node = array["a"]
    node.post("/v1/factories", factory("long"))
    kit.wait_until("c has the volume", lambda: "volume:san" in _node(node, "c")["offers"])
    sources = {_send(node, held, f"{n}.txt"): f"{n}.txt" for n in range(3)}
    kit.wait_until("each node has one", lambda: sorted(_on(node, job) for job in sources) == ["a", "b", "c"])
    at = {_on(node, job): job for job in sources}

    disk.set(hang=True)
    for name in "ab":
        held.let_go(sources[at[name]])
    kit.wait_until("the others go on", lambda: all(node.job(at[name])["state"] == "succeeded" for name in "ab"))
    kit.wait_until("its work is elsewhere", lambda: _on(node, at["c"]) in ("a", "b"))
    _answers_promptly(array["c"], at["c"])
    kit.wait_until("somebody is told", lambda: _alert(node, "volume.ill", "c/san"))
    held.let_go(sources[at["c"]])
    _all_succeed(node, [at["c"]])
    if LONG:
        kit.wait_until("c gave up what hangs", lambda: not _node(node, "c")["slots"]["cpu"]["used"])
        _answers_promptly(array["c"], at["c"])
    assert {job: node.job(job)["tasks"][0]["attempt"] for job in sources} == {at["a"]: 1, at["b"]: 1, at["c"]: 2}

    disk.set()
    kit.wait_until("c is well", lambda: not _alert(node, "volume.ill", "c/san"))
    for name in "ab":
        node.post(f"/v1/nodes/{name}/pause")
    again = _send(node, held, "again.txt")
    kit.wait_until("it works again", lambda: _on(node, again) == "c")
    held.let_go("again.txt")
    _all_succeed(node, [again])
    assert len(list((array.san / "out").iterdir())) == len(sources) + 1


def _send(node: kit.Node, held: Holder, name: str) -> int:
    return int(node.post("/v1/jobs", {"source": held.source(name), "factory": "long"})["id"])


def _on(node: kit.Node, job: int) -> str:
    task = node.job(job)["tasks"][0]
    return str(task["node"]) if task["state"] == "running" else ""


def _answers_promptly(node: kit.Node, job: int) -> None:
    """Each is asked again while the machine is busy; a node that waits for its volume would never be in time."""
    for path in ("/v1/status", "/v1/volumes", f"/v1/jobs/{job}", f"/v1/jobs/{job}/attempts/1/log", "/healthz"):

        def prompt(path: str = path) -> bool:
            begun = time.monotonic()
            node.request("GET", path, timeout=5)
            return time.monotonic() - begun < PROMPT

        kit.wait_until(f"{path} is answered within {PROMPT:g} s", prompt)
