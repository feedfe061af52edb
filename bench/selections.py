"""Does cancelling very many jobs keep others waiting? A mirrored array of two, and a selection of 100,000 jobs.

    python -m bench.selections [--jobs 100000]

The jobs are cancelled by `fa job cancel --query` through the node that does not lead. Prints how long that took, and
how long single submits took meanwhile and without it (milliseconds: median, 99 of 100, the longest)."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e import kit

PROXY = """
name = "proxy"
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:out/{job}.mp4"
"""
JOB = {"source": "san:in/clip.mxf", "factory": "proxy"}
BATCH = 1000
QUIET = 200  # submits with nothing else going on


def submits(node: kit.Node, goes_on: Callable[[int], bool]) -> list[float]:
    times = []
    while goes_on(len(times)):
        began = time.monotonic()
        node.post("/v1/jobs", JOB)
        times.append((time.monotonic() - began) * 1000)
    return times


def told(what: str, times: list[float]) -> None:
    hundredths = statistics.quantiles(times, n=100)
    print(f"{what:<32} {statistics.median(times):7.1f} {hundredths[98]:7.1f} {max(times):7.1f}   of {len(times)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    count = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as root, kit.array(Path(root)) as array:
        leader = array.found("a")
        other = array.join("b")
        array.wait_mirror()
        leader.post("/v1/factories", PROXY)
        for name in ("a", "b"):
            leader.post(f"/v1/nodes/{name}/pause")
        for start in range(0, count, BATCH):
            leader.post("/v1/jobs:batch", {"jobs": [JOB] * min(BATCH, count - start)})
        told("submits, nothing else", submits(leader, lambda made: made < QUIET))
        command = [sys.executable, "-m", "fa.cli", "job", "cancel", "--query", "state:queued", "--dir", str(other.root)]
        began, names = time.monotonic(), Path(root) / "cancelled"
        with names.open("w") as file, subprocess.Popen([*command, "-q"], stdout=file) as cancel:
            told("submits while they are cancelled", submits(leader, lambda made: cancel.poll() is None))
        seconds, done = time.monotonic() - began, len(names.read_text().splitlines())
        print(f"{done:,} cancelled in {seconds:.1f} s, exit {cancel.returncode}; {leader.status()['jobs']}")


if __name__ == "__main__":
    main()
