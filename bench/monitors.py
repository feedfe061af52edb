"""Watch folders: files that arrive in ten ways while their owner is killed, and a folder with very many files.

    python bench/monitors.py [storm] [--files 2000] [--kills 5] [--dir FOLDER]
    python bench/monitors.py grow [--files 6] [--kills 5] [--dir FOLDER]
    python bench/monitors.py [crowd] [--files 100000] [--dir FOLDER]

"storm" runs three nodes; `--files` arrive in ten ways at once, the node that watches is killed (-9) `--kills` times and
started again, and once its volume hangs (its helper processes are stopped). Prints each take-over in seconds, and what
was lost, taken by half or taken twice: nothing, or the exit code is 1.

"grow" runs three nodes, each with a mount of its own (FUSE, as root). `--files` grow to 100 MB over a minute, written
under their names and opened anew for every piece; others arrive at once. Meanwhile the node that watches is killed
`--kills` times, and once its mount really hangs until the end. Prints the same.

"crowd" runs one node and drops `--files` small files into one folder at once. Prints how long the last job came after
the last file, how long a scan takes then, the memory of node and helper, and p50, p99 and maximum of GET /v1/status,
asked all the while: before, while all are submitted, when nothing is new, and after a restart."""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.e2e import disks
from tests.e2e.arrivals import Arrivals, differences, jobs_of, taken
from tests.e2e.kit import Array, Failed, Node, array, wait_until

FACTORY = """
name = "hold"
requires = ["tag:nobody-has-this"]
[[products]]
name = "p"
preset = "h264-mp4"
destination = "san:out/{job}-{product}.mp4"
"""
MONITOR = """
name = "in"
folder = "san:watch/in"
factories = ["hold"]
poll = "1s"
quiet = "2s"
recursive = true
"""
QUIET_SECONDS = 5.0  # of files that grow: longer than any pause of who writes them on a busy machine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("storm", "grow", "crowd"), help="storm and crowd without")
    parser.add_argument("--files", type=int)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--dir", type=Path, default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.dir, ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        if args.what == "grow":
            return grow(root / "grow", args.files or 6, args.kills)
        wrong = storm(root / "storm", args.files or 2000, args.kills) if args.what != "crowd" else 0
        return wrong or (crowd(root / "crowd", args.files or 100_000) if args.what != "storm" else 0)


def begin(made: Array, nodes: str, text: str = MONITOR) -> Node:
    (made.san / "watch/in").mkdir(parents=True)
    first = made.found(nodes[0], *(("--witness", "volume:san") if len(nodes) > 1 else ()))
    for name in nodes[1:]:
        made.join(name)
    first.post("/v1/factories", FACTORY)
    first.post("/v1/monitors", text)
    wait_until("somebody watches", lambda: monitor(made)["owner"])
    return first


def monitor(made: Array) -> dict[str, object]:
    told: dict[str, object] = made.coordinator().get("/v1/monitors/in")
    return told


# --- storm ---


def storm(root: Path, files: int, kills: int) -> int:
    with array(root) as made:
        begin(made, "abc")
        made.wait_mirror()
        arrivals = Arrivals(made.san, "watch/in", Random(1), jobs_of(made), 1_000_000, 60.0)
        each = files // 10
        alone = (arrivals.growing, arrivals.replaced)  # they take long: many at a time
        threads = [arrivals.thread(way, each) for way in arrivals.ways() if way not in alone]
        threads += [arrivals.thread(way, 1, first) for way in alone for first in range(each)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for _ in range(kills):
            time.sleep(3.0)
            kill_owner(made)
        hang_owner(made)
        for thread in threads:
            thread.join()
        return judge(made, arrivals, began)


def judge(made: Array, arrivals: Arrivals, began: float) -> int:
    """Wait until all is submitted and say what is wrong; the exit code."""
    say(f"{len(arrivals.expected)} files written in {time.monotonic() - began:.0f} s", *map(repr, arrivals.trouble))
    wait_until("all are submitted", lambda: int(str(monitor(made)["submitted"])) >= len(arrivals.expected), 300)
    wait_until("nothing settles", lambda: monitor(made)["settling"] == 0, 300)
    lead = made.coordinator()
    wrong = differences(arrivals.expected, taken(lead.root / "store/fa.db"))
    jobs = sum(lead.status()["jobs"].values())
    said = f"wrong: {wrong}" if wrong else "nothing is wrong"
    say(f"{jobs} jobs after {time.monotonic() - began:.0f} s;", said)
    return 1 if wrong or arrivals.trouble or jobs != len(arrivals.expected) else 0


def kill_owner(made: Array) -> None:
    owner, lead = str(monitor(made)["owner"]), made.coordinator().name
    node, killed_at = made[owner], time.monotonic()
    node.kill()
    wait_until("another one watches", lambda: monitor(made)["owner"] not in (None, owner))
    role = "owner and coordinator" if owner == lead else "owner"
    say(f"{role} {owner} killed: {monitor(made)['owner']} watches after {time.monotonic() - killed_at:.2f} s")
    node.start()
    wait_until(f"{owner} is up", lambda: made.state_of(owner) == "up")
    made.wait_mirror()


def hang_owner(made: Array) -> None:
    """As a mount that does not answer looks to a node: its helper processes stand still."""
    owner = str(monitor(made)["owner"])
    process = made[owner].process
    assert process is not None
    helpers = [child.pid for child in psutil.Process(process.pid).children() if "fa.node.helper" in child.cmdline()]
    hung_at = time.monotonic()
    for pid in helpers:
        os.kill(pid, signal.SIGSTOP)
    wait_until("another one watches", lambda: monitor(made)["owner"] not in (None, owner))
    say(f"the volume of {owner} hangs: {monitor(made)['owner']} watches after {time.monotonic() - hung_at:.2f} s")
    for pid in helpers:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGCONT)


# --- grow ---


def grow(root: Path, files: int, kills: int) -> int:
    if disks.missing():
        say(disks.missing())
        return 2
    with disks.failing(root, None) as (made, drives):
        mounts = {name: drives.over(made.san, name) for name in "abc"}
        for name, mount in mounts.items():
            made.settings[name] = {"volumes": {"san": str(mount.mountpoint)}}
        begin(made, "abc", MONITOR.replace('"2s"', f'"{QUIET_SECONDS:g}s"'))
        made.wait_mirror()
        arrivals = Arrivals(made.san, "watch/in", Random(1), jobs_of(made), 100_000_000, 60.0, 1000)
        threads = [arrivals.thread(arrivals.appended, 1, number) for number in range(files)]
        threads += [arrivals.thread(arrivals.at_once, 100), arrivals.thread(arrivals.nested, 60)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for _ in range(kills):
            kill_owner(made)
        hang_mount(made, mounts)
        for thread in threads:
            thread.join()
        say(f"longest pause of a writer {arrivals.longest_pause:.1f} s, quiet is {QUIET_SECONDS:g} s")
        return judge(made, arrivals, began)


def hang_mount(made: Array, mounts: Mapping[str, disks.Disk]) -> None:
    """For good."""
    owner, hung_at = str(monitor(made)["owner"]), time.monotonic()
    mounts[owner].set(hang=True)
    wait_until("another one watches", lambda: monitor(made)["owner"] not in (None, "", owner))
    say(f"the mount of {owner} hangs: {monitor(made)['owner']} watches after {time.monotonic() - hung_at:.2f} s")


# --- crowd ---


class Asker(threading.Thread):
    """Asks for the status all the while; `seconds` of each answer, by phase."""

    def __init__(self, node: Node) -> None:
        super().__init__(daemon=True)
        self._node = node
        self._ended = threading.Event()
        self.phase = ""
        self.seconds: dict[str, list[float]] = {}

    def run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                self._node.status()
            except (OSError, Failed):
                continue
            self.seconds.setdefault(self.phase, []).append(time.monotonic() - began)
            time.sleep(0.02)

    def end(self) -> None:
        self._ended.set()
        self.join()


def crowd(root: Path, files: int) -> int:
    with array(root) as made:
        node = begin(made, "a")
        asker = Asker(node)
        asker.phase = "idle"
        asker.start()
        time.sleep(3.0)
        asker.phase = "files arrive and are submitted"
        for number in range(files):
            (made.san / f"watch/in/clip {number:07}.dat").write_bytes(b"%d" % number)
        written = time.monotonic()
        wait_until("all are submitted", lambda: monitor(made)["submitted"] == files, 900)
        say(f"{files} files: the last job {time.monotonic() - written:.1f} s after the last file was written")
        wait_until("nothing settles", lambda: monitor(made)["settling"] == 0, 300)
        asker.phase = "nothing new"
        time.sleep(10.0)
        report(made, node)
        asker.phase = "stopped"
        node.stop()
        node.start()
        wait_until("it leads", node.leads)
        began, asker.phase = time.monotonic(), "started again"
        wait_until(
            "it knows them again", lambda: monitor(made)["seen"] == files and monitor(made)["settling"] == 0, 300
        )
        say(f"started again: all known after {time.monotonic() - began:.1f} s")
        time.sleep(5.0)
        report(made, node)
        asker.end()
        for phase, seconds in asker.seconds.items():
            if phase != "stopped":
                say(f"GET /v1/status, {phase}: {spread(seconds)}")
        return 0 if sum(node.status()["jobs"].values()) == files else 1


def report(made: Array, node: Node) -> None:
    assert node.process is not None
    process = psutil.Process(node.process.pid)
    helpers = [child.memory_info().rss for child in process.children(True) if "_scanner" in child.cmdline()]
    told = monitor(made)
    memory = f"node {process.memory_info().rss / 1e6:.0f} MB, helper {sum(helpers) / 1e6:.0f} MB"
    say(f"seen {told['seen']}, a scan takes {told['scan_ms']} ms; {memory}")


def spread(seconds: Sequence[float]) -> str:
    ms = sorted(each * 1000 for each in seconds)
    cuts = statistics.quantiles(ms, n=100) if len(ms) > 1 else ms * 99
    return f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, max {ms[-1]:.1f} ms of {len(ms)}"


def say(*words: object) -> None:
    print(*words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
