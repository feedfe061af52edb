"""Whatever is thrown at a node: a clear problem, a failed job that is not tried in vain, nothing half-written, a node
that goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import kit
from tests.e2e.held import Holder, factory

HOSTILE = ("a b.mp4", "new\nline.mp4", "quote'\".mp4", "-vn.mp4", "%d.mp4", "🎬.mp4", "http:x.mp4", "ü" * 120 + ".mp4")
TRUNCATED = {"mp4": "mp4", "mkv": "matroska", "ts": "mpegts", "mxf": "mxf"}
SMALL = """
name = "small"
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "small:{source.stem}-{job}.mp4"
"""
FIXED = """
name = "fixed"
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:out/taken.mp4"
"""
TWICE = ("[[products]]", "attempts = 2\n[[products]]")
SEALED = FIXED.replace("fixed", "sealed").replace("out/taken.mp4", "sealed/x.mp4").replace(*TWICE)
BLOCKED = FIXED.replace("fixed", "blocked").replace("out/taken.mp4", "out/file/inside.mp4")


def test_no_job_replaces_the_source_of_another_but_a_chain_may_run_again(array: kit.Array) -> None:
    node = array.found("a", "--slots", "2")
    node.post("/v1/factories", kit.PROXY)
    node.post("/v1/factories", FIXED.replace('"fixed"', '"again"\nreplace = true'))
    for name, seconds in (("one", 1.0), ("two", 1.4)):
        kit.make_clip(array.san / "in" / f"{name}.mp4", seconds)
    taken = array.san / "out" / "taken.mp4"
    taken.parent.mkdir(exist_ok=True)
    camera = (array.san / "in" / "two.mp4").read_bytes()
    taken.write_bytes(camera)

    def run(source: str, factory: str) -> dict[str, Any]:
        job = node.post("/v1/jobs", {"source": f"san:{source}", "factory": factory})["id"]
        kit.wait_until(f"job {job} ended", lambda: kit.all_ended(node, job), 60)
        return dict(node.job(job))

    assert run("out/taken.mp4", "proxy")["state"] == "succeeded"
    refused = run("in/one.mp4", "again")
    assert (refused["state"], taken.read_bytes()) == ("failed", camera)
    assert "source of job 1" in refused["tasks"][0]["error"] and refused["tasks"][0]["attempt"] == 1
    taken.unlink()
    for source in ("one", "two"):
        made = run(f"in/{source}.mp4", "again")
        assert made["state"] == "succeeded", made
        assert kit.sha256_of(taken) == made["tasks"][0]["output"]["sha256"]
        assert run("out/taken.mp4", "proxy")["state"] == "succeeded"
    taken.write_bytes(camera)
    assert (run("in/one.mp4", "again")["state"], taken.read_bytes()) == ("failed", camera), "that is not what fa made"


def test_bad_sources_fail_once_with_a_reason(array: kit.Array) -> None:
    node = array.found("a", "--slots", "2")
    node.post("/v1/factories", kit.PROXY.replace(*TWICE))
    bad = _make_bad_sources(array.san / "in")
    good = kit.make_clip(array.san / "in" / "good.mp4", 1.0)
    for name in HOSTILE:
        (array.san / "in" / name).write_bytes(good.read_bytes())
    expected = {}
    for name, words in bad.items():
        expected[_submit(node, name)] = ("failed", words)
    for name in HOSTILE:
        expected[_submit(node, name)] = ("succeeded", "")
    kit.wait_until("all jobs ended", lambda: kit.all_ended(node, len(expected)), 240)
    for number, (state, words) in expected.items():
        job = node.job(number)
        task = job["tasks"][0]
        assert job["state"] == state, job
        tries = 2 if "missing" in job["source"] else 1  # another node might see it; there is none
        assert task["attempt"] == tries, f"{job['source']}: {task}"
        assert words in (task["error"] or ""), task
    _check_clean(array, len(HOSTILE))
    assert node.post("/v1/jobs", {"source": "san:in/good.mp4", "factory": "proxy"})["state"] == "queued"


def _submit(node: kit.Node, name: str) -> int:
    return int(node.post("/v1/jobs", {"source": f"san:in/{name}", "factory": "proxy"})["id"])


def _make_bad_sources(folder: Path) -> dict[str, str]:
    """Name → words that the error must hold."""
    folder.mkdir(exist_ok=True)
    (folder / "folder.mp4").mkdir()
    (folder / "empty.mp4").touch()
    (folder / "text.mov").write_text("this is no film\n" * 100)
    os.mkfifo(folder / "pipe.mp4")
    (folder / "link.mp4").symlink_to("/etc/passwd")
    tone = ["-f", "lavfi", "-i", "sine=d=1", str(folder / "tone.wav")]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *tone], check=True)
    for name, muxer in TRUNCATED.items():
        whole = folder.parent / f"whole.{name}"
        picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4", "-c:v", "mpeg2video", "-b:v", "2M"]
        subprocess.run(["ffmpeg", "-v", "error", "-y", *picture, "-f", muxer, str(whole)], check=True)
        data = whole.read_bytes()
        (folder / f"cut.{name}").write_bytes(data[: len(data) * 6 // 10 + 7])
        whole.unlink()
    cut = dict.fromkeys((f"cut.{name}" for name in TRUNCATED), "")
    return cut | {
        "missing.mp4": "not there",
        "folder.mp4": "not a file",
        "empty.mp4": "empty",
        "text.mov": "",
        "pipe.mp4": "not a file",
        "link.mp4": "link",
        "tone.wav": "",
    }


def _check_clean(array: kit.Array, finals: int) -> None:
    assert len(list((array.san / "out").iterdir())) == finals
    kit.wait_until("no part is left", lambda: not list((array.san / ".fa" / "part").iterdir()))


def test_requests_that_cannot_be_done_are_refused_with_words(array: kit.Array) -> None:
    node = array.found("a", "--slots", "1")
    node.post("/v1/factories", kit.PROXY)
    refused = {
        "unknown factory": {"source": "san:in/x.mp4", "factory": "proxi"},
        "no volume": {"source": "/etc/passwd", "factory": "proxy"},
        "escape": {"source": "san:../x.mp4", "factory": "proxy"},
        "priority": {"source": "san:in/x.mp4", "factory": "proxy", "priority": 1000},
        "typo": {"source": "san:in/x.mp4", "factory": "proxy", "priorty": 10},
    }
    for what, body in refused.items():
        status, problem = node.request("POST", "/v1/jobs", body)
        assert 400 <= status < 500, (what, status)
        assert problem["code"] and len(problem["detail"]) > 15, (what, problem)
    status, problem = node.request("POST", "/v1/factories", kit.PROXY.replace("preset", "preseet"))
    assert (400 <= status < 500) and "preset" in str(problem), problem
    assert node.status()["jobs"]["queued"] == 0


def test_destinations_that_cannot_be_written(array: kit.Array) -> None:
    node = array.found("a", "--slots", "1")
    for text in (FIXED, BLOCKED):
        node.post("/v1/factories", text)
    kit.make_clip(array.san / "in" / "clip.mp4", 1.0)
    (array.san / "out").mkdir()
    (array.san / "out" / "taken.mp4").write_text("mine")
    (array.san / "out" / "file").write_text("a file")
    jobs = {name: _send(node, name) for name in ("fixed", "blocked")}
    kit.wait_until("both ended", lambda: kit.all_ended(node, len(jobs)))
    for name, words in (("fixed", "exists"), ("blocked", "folder")):
        task = node.job(jobs[name])["tasks"][0]
        assert (task["state"], task["attempt"]) == ("failed", 1), task
        assert words in task["error"]
    assert (array.san / "out" / "taken.mp4").read_text() == "mine"
    kit.wait_until("no part is left", lambda: not list((array.san / ".fa").glob("part/*")))


def test_the_folder_of_the_destination_is_removed_while_it_encodes(array: kit.Array) -> None:
    """It is made anew: a whole encode is worth more than the wish of whoever tidied up too early."""
    held = Holder(array)
    held.allow("a")
    node = array.found("a", "--slots", "1")
    node.post("/v1/factories", factory("long"))
    job = node.post("/v1/jobs", {"source": held.source("clip.txt"), "factory": "long"})["id"]
    kit.wait_until("it writes", lambda: list((array.san / ".fa" / "part").iterdir()))
    (array.san / "out").rmdir()
    held.let_go("clip.txt")
    kit.wait_until("it ended", lambda: kit.all_ended(node, 1))
    task = node.job(job)["tasks"][0]
    assert (task["state"], task["attempt"]) == ("succeeded", 1), task
    assert [path.read_text() for path in (array.san / "out").iterdir()] == ["clip.txt"]


def _send(node: kit.Node, name: str) -> int:
    return int(node.post("/v1/jobs", {"source": "san:in/clip.mp4", "factory": name})["id"])


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Path]:
    """A folder in which not even root can make a file."""
    folder = tmp_path / "san" / "sealed"
    yield folder
    subprocess.run(["chattr", "-i", str(folder)], check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: chattr")
def test_a_read_only_destination(array: kit.Array, sealed: Path) -> None:
    node = array.found("a", "--slots", "1")
    node.post("/v1/factories", SEALED)
    kit.make_clip(array.san / "in" / "clip.mp4", 1.0)
    sealed.mkdir()
    if subprocess.run(["chattr", "+i", str(sealed)], check=False, capture_output=True).returncode:
        pytest.skip("needs a file system with the immutable attribute")
    job = _send(node, "sealed")
    kit.wait_until("it ended", lambda: kit.all_ended(node, 1))
    task = node.job(job)["tasks"][0]
    assert (task["state"], task["attempt"]) == ("failed", 2), task
    assert "delivered" in task["error"] or "read-only" in task["error"], task
    assert not list(sealed.iterdir())
    kit.wait_until("no part is left", lambda: not list((array.san / ".fa").glob("part/*")))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A volume of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts")
def test_a_full_destination(array: kit.Array, small: Path) -> None:
    """Its factory allows one try; it waits all the same, and encodes only once there is more room."""
    node = array.found("a", "--slots", "1", "--volume", f"small={small}")
    node.post("/v1/factories", SMALL.replace("[[", "attempts = 1\n[["))
    kit.make_clip(array.san / "in" / "clip.mp4", 8.0)
    (small / "ballast").write_bytes(b"\0" * (1900 << 10))
    job = _send(node, "small")
    kit.wait_until("it was tried in vain", lambda: "No space left" in (node.job(job)["tasks"][0]["error"] or ""))
    assert [path.name for path in small.iterdir() if not path.name.startswith(".")] == ["ballast"]
    kit.wait_until("it was looked at again", lambda: "found no room" in (node.job(job)["tasks"][0]["error"] or ""))
    assert node.job(job)["state"] == "queued"
    assert "Make room" in node.get(f"/v1/jobs/{job}/why")["text"]
    (small / "ballast").unlink()
    kit.wait_until("it ended", lambda: kit.all_ended(node, 1))
    assert node.job(job)["state"] == "succeeded", "a full disk is no reason for ever"


FILLING = """#!/bin/sh
# without a word, until somebody has seen that the volume is full
dd if=/dev/zero of="$2" bs=64k 2> /dev/null
while [ ! -e "$1.seen" ]; do sleep 0.05; done
exit 1
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts")
def test_a_volume_that_an_attempt_filled_is_well_again_when_that_is_gone(array: kit.Array, small: Path) -> None:
    tool = array.root / "fill"
    tool.write_text(FILLING)
    tool.chmod(0o755)
    array.settings["a"] = {"transcode": {"exec": [str(tool)]}}
    node = array.found("a", "--slots", "2", "--volume", f"small={small}")
    filling = SMALL.replace('"small"', '"fill"').replace(
        'preset = "h264-mp4"', 'exec = ["fill", "{input}", "{output}"]'
    )
    for text in (filling, SMALL):
        node.post("/v1/factories", text)
    clip = kit.make_clip(array.san / "in" / "clip.mp4", 0.4, "128x72")
    full = _send(node, "fill")
    kit.wait_until("it is full", lambda: _volume(node, "small")["state"] == "full")
    assert "Make room" in _volume(node, "small")["why"]
    waits = _send(node, "small")
    kit.wait_until("that is told", lambda: _has_alert(node, "volume.ill", "node/a/small"))
    why = node.get(f"/v1/jobs/{waits}/why")["text"]
    assert "full" in why and "Make room" in why
    assert node.job(waits)["tasks"][0]["attempt"] == 0
    clip.with_name("clip.mp4.seen").touch()
    kit.wait_until("it is well", lambda: _volume(node, "small")["state"] == "healthy")
    kit.wait_until("the other is done", lambda: node.job(waits)["state"] == "succeeded")
    kit.wait_until("the alarm is over", lambda: not _has_alert(node, "volume.ill", "node/a/small"))
    assert node.job(full)["state"] == "queued", "it waits until there is more room than it found"
    assert list((small / ".fa" / "part").iterdir()) == []


def _volume(node: kit.Node, name: str) -> Any:
    there = (volume for volume in node.get("/v1/volumes")["items"] if volume["name"] == name)
    return next(there, {"state": "not told yet"})


def _has_alert(node: kit.Node, kind: str, subject: str) -> bool:
    alerts = node.get("/v1/alerts")["items"]
    return any((one["kind"], one["subject"], one["cleared_at"]) == (kind, subject, None) for one in alerts)
