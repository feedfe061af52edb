"""Watch folders of a real array: what arrives becomes a job, once, whoever watches and whatever happens to that one."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.e2e.arrivals import Arrivals, differences, jobs_of, taken
from tests.e2e.kit import PROXY, Array, Failed, Node, array, fa, make_clip, wait_until

HOLD = PROXY.replace('name = "proxy"', 'name = "hold"\nrequires = ["tag:nobody-has-this"]', 1)
"""Its jobs wait for ever."""
WATCH = 'name = "in"\nfolder = "san:watch/in"\nfactories = ["{0}"]\npoll = "300ms"\nquiet = "1s"\n'


def set_up(made: Array, node: Node, factory: str, text: str, more: str = "") -> None:
    (made.san / "watch/in").mkdir(parents=True)
    node.post("/v1/factories", text)
    node.post("/v1/monitors", WATCH.format(factory) + more)
    wait_until("somebody watches", lambda: monitor(made)["owner"])


def monitor(made: Array) -> dict[str, object]:
    told: dict[str, object] = made.coordinator().get("/v1/monitors/in")
    return told


def put(path: Path, source: Path) -> None:
    """As a careful client does: under another name first."""
    partial = path.with_name(f"{path.name}.part")
    shutil.copyfile(source, partial)
    partial.rename(path)


def test_a_dropped_clip_is_made_and_moved(tmp_path: Path, proved: Path) -> None:
    """From the folder to the output; half a clip waits; the source goes to done, the broken one stays."""
    clip = make_clip(tmp_path / "clip.mp4")
    whole = clip.read_bytes()
    with array(tmp_path / "array", proved) as made:
        node = made.found()
        set_up(made, node, "proxy", PROXY, 'recursive = true\nafter = "move:done/"\ntickets = true\n')
        folder = made.san / "watch/in"
        (folder / "half.mp4").write_bytes(whole[: len(whole) // 2])
        put(folder / "good one.mp4", clip)
        wait_until("the job is done", lambda: node.jobs("state:done"))
        wait_until("the source is moved", lambda: (folder / "done/good one.mp4").exists())
        (job,) = node.jobs()
        assert job["source"] == "san:watch/in/good one.mp4" and job["monitor"] == "in"
        assert (made.san / "out/good one-1-proxy.mp4").exists() and (folder / "done/good one.mp4").read_bytes() == whole
        wait_until("only the half clip is waited for: it has no index", lambda: monitor(made)["settling"] == 1)
        (folder / "half.mp4").write_bytes(whole)
        wait_until("the other half came", lambda: (folder / "done/half.mp4").exists())
        put(made.san / "elsewhere.mp4", clip)
        ticket = {"source": "san:elsewhere.mp4", "factory": "proxy", "subject": "by ticket", "answer": True}
        (folder / "t.json").write_text(json.dumps({"ticket": ticket}))
        answer = folder / "t.json.answer.json"
        wait_until("the ticket is answered", answer.exists)
        assert json.loads(answer.read_text())["state"] == "succeeded"
        bad = "<ticket><source>x.mp4</source><factory>nope</factory><answer>true</answer></ticket>"
        (folder / "bad.xml").write_text(bad)
        (folder / "worse.xml").write_text('<!DOCTYPE t [<!ENTITY a "a">]><ticket><source>&a;</source></ticket>')
        for name in ("bad", "worse"):
            refusal = folder / f"{name}.xml.answer.json"
            wait_until("a bad one is refused", refusal.exists)
            assert json.loads(refusal.read_text())["state"] == "refused"
        assert [each["subject"] for each in node.jobs()] == ["", "", "by ticket"]


def test_hostile_names_become_jobs_on_any_node(tmp_path: Path, proved: Path) -> None:
    """Also names that are no UTF-8, seen by one node, kept by another, made by either."""
    clip = make_clip(tmp_path / "clip.mp4")
    names = ["-rf %d.mp4", "a\nb '\".mp4", "🎬 ü.mp4", "\udcff\udc80.mp4"]
    with array(tmp_path / "array", proved) as made:
        node = made.found()
        made.join("b", "--slots", "2")
        made.wait_mirror()
        set_up(made, node, "proxy", PROXY, 'node = "b"\n')
        folder = made.san / "watch/in"
        os.mkfifo(folder / "pipe.mp4")
        (folder / "link.mp4").symlink_to(clip)
        for name in names:
            put(folder / name, clip)
        wait_until("all are made", lambda: len(node.jobs("state:done")) == len(names))
        assert monitor(made)["owner"] == "b" and monitor(made)["submitted"] == len(names)


def test_what_goes_wrong_with_hostile_names_ends_no_node(tmp_path: Path, proved: Path) -> None:
    """A ticket that is refused, one with half a character, a source that is gone, a file of the year 2400: each is told
    of, and no node ends of telling it."""
    with array(tmp_path, proved) as made:
        node = made.found()
        made.join("b", "--slots", "2")
        made.wait_mirror()
        set_up(made, node, "proxy", PROXY, 'node = "b"\ntickets = true\ndefer = "2s"\n')
        folder = made.san / "watch/in"
        (folder / "\udcff.xml").write_text("no ticket")
        (folder / "half.json").write_text(r'{"ticket": {"source": "a.mp4", "subject": "\ud800"}}')
        (folder / "late.dat").write_bytes(b"x")
        os.utime(folder / "late.dat", ns=(0, 13_569_465_600 * 10**9))
        (folder / "\udcfe.dat").write_bytes(b"x")
        wait_until("both are submitted", lambda: monitor(made)["submitted"] == 2)
        (folder / "\udcfe.dat").unlink()
        wait_until("both tickets are refused", lambda: len(list(folder.glob("*.answer.json"))) == 2)
        wait_until("both jobs end", lambda: len(node.jobs("state:fail")) == 2)
        errors = {job["source"]: job["tasks"][0]["error"] for job in node.jobs()}
        assert "is not there" in errors["san:watch/in/\\xfe.dat"]
        assert made["a"].alive and made["b"].alive


def test_an_unmounted_share_is_disconnected_and_nothing_comes_twice(tmp_path: Path, proved: Path) -> None:
    with array(tmp_path, proved) as made:
        node = made.found()
        set_up(made, node, "hold", HOLD)
        for number in range(20):
            (made.san / f"watch/in/{number}.dat").write_bytes(b"x" * 100)
        wait_until("all are submitted", lambda: monitor(made)["submitted"] == 20)
        away = made.san.with_name("away")
        made.san.rename(away)
        made.san.mkdir()
        told = wait_until("it is disconnected", lambda: in_state(made, "disconnected"))
        assert told["submitted"] == 20 and told["last_error"]
        wait_until("somebody is told", lambda: "monitor.disconnected" in alerts(node))
        made.san.rmdir()
        away.rename(made.san)
        (made.san / "watch/in/new.dat").write_bytes(b"y")
        wait_until("the new one is submitted", lambda: monitor(made)["submitted"] == 21)
        wait_until("it watches", lambda: (monitor(made)["state"], monitor(made)["seen"]) == ("watching", 21))
        wait_until("the alert is over", lambda: "monitor.disconnected" not in alerts(node))
        assert len(node.jobs()) == 21


def in_state(made: Array, state: str) -> dict[str, object] | None:
    told = monitor(made)
    return told if told["state"] == state else None


def alerts(node: Node) -> list[str]:
    return [alert["kind"] for alert in node.get("/v1/alerts")["items"]]


@pytest.mark.slow
def test_a_storm_of_arrivals_while_owners_die(tmp_path: Path, proved: Path) -> None:
    """Ten ways to arrive, the owner killed twice, its volume hung once: every file once, none by half. With 2,000 files
    and five kills it is bench/monitors.py."""
    with array(tmp_path, proved) as made:
        node = made.found("a", "--witness", "volume:san")
        made.join("b")
        made.join("c")
        made.wait_mirror()
        set_up(made, node, "hold", HOLD, "recursive = true\n")
        arrivals = Arrivals(made.san, "watch/in", Random(7), jobs_of(made))
        threads = [arrivals.thread(way, 12) for way in arrivals.ways()]
        for thread in threads:
            thread.start()
        for _ in range(2):
            kill_owner(made)
        hang_owner(made)
        for thread in threads:
            thread.join()
        assert not arrivals.trouble, arrivals.trouble
        count = len(arrivals.expected)
        wait_until("all are submitted", lambda: int(str(monitor(made)["submitted"])) >= count)
        wait_until("nothing settles", lambda: monitor(made)["settling"] == 0 and monitor(made)["seen"])
        lead = made.coordinator()
        assert differences(arrivals.expected, taken(lead.root / "store/fa.db")) == {}
        assert sum(lead.status()["jobs"].values()) == count == monitor(made)["submitted"]


def kill_owner(made: Array) -> None:
    owner = str(monitor(made)["owner"])
    made[owner].kill()
    wait_until("another one watches", lambda: monitor(made)["owner"] not in (None, owner))
    made[owner].start()
    wait_until(f"{owner} is up", lambda: made.state_of(owner) == "up")
    made.wait_mirror()


def hang_owner(made: Array) -> None:
    """As a mount that does not answer looks to a node: its helper processes stand still."""
    owner = str(monitor(made)["owner"])
    process = made[owner].process
    assert process is not None
    helpers = [child.pid for child in psutil.Process(process.pid).children() if "fa.node.helper" in child.cmdline()]
    for pid in helpers:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_until("another one watches", lambda: monitor(made)["owner"] not in (None, owner))
    finally:
        for pid in helpers:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGCONT)


def test_the_command_line(tmp_path: Path, proved: Path) -> None:
    def say(*words: str) -> str:
        return fa(*words, "--dir", str(node.root))

    with array(tmp_path, proved) as made:
        node = made.found()
        (made.san / "watch/in").mkdir(parents=True)
        node.post("/v1/factories", HOLD)
        text = tmp_path / "in.toml"
        text.write_text(WATCH.format("hold") + 'include = ["*.dat"]\n')
        assert "monitor/in applied" in say("monitor", "apply", "-f", str(text))
        (made.san / "watch/in/a.dat").write_bytes(b"x")
        (made.san / "watch/in/b.txt").write_bytes(b"x")
        wait_until("it is submitted", lambda: monitor(made)["submitted"] == 1)
        assert "nothing\twatch/in/a.dat\t1\tit was submitted already" in say("monitor", "test", "in")
        assert "paused" in say("monitor", "disable", "in")
        (made.san / "watch/in/c.dat").write_bytes(b"x")
        assert "in\tpaused" in say("monitors")
        assert "submit\twatch/in/c.dat" in say("monitor", "test", "in")
        say("monitor", "enable", "in")
        wait_until("the other one is submitted", lambda: monitor(made)["submitted"] == 2)
        say("monitor", "remove", "in", "--yes")
        with pytest.raises(Failed, match="no monitor"):
            say("monitor", "show", "in")
