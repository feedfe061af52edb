"""A million jobs in the store: how long a new secondary takes to be seeded, how long a take-over takes, what the nodes
weigh.

    python -m bench.million [--jobs 1000000] [--kills 3]

The jobs are submitted over the API in batches of 1,000 to one node; then a second one joins, and the coordinator is
killed under clients. Needs some GB of disk for a while. Prints each figure as it is found."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from tests.e2e import kit
from tests.e2e.load import Load, kill_coordinators
from tests.e2e.test_failover import BODY, WAITS

BATCH = 1000
HOUR = 3600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, kit.array(Path(root)) as array:
        node = array.found("a", "--slots", "1", "--witness", "volume:san")
        node.post("/v1/factories", WAITS)
        _say(array, "empty")
        began = time.monotonic()
        for number in range(options.jobs // BATCH):
            node.post("/v1/jobs:batch", {"jobs": [BODY] * BATCH}, key=f"batch-{number}")
        seconds = time.monotonic() - began
        print(f"{options.jobs} jobs submitted in {seconds:.0f} s, {options.jobs / seconds:.0f} a second")
        _say(array, "full")
        began = time.monotonic()
        array.join("b", "--slots", "1")
        kit.wait_until("in lock-step", lambda: node.status()["mirror"]["state"] == "lock-step", HOUR)
        print(f"a new secondary: {time.monotonic() - began:.1f} s from `fa join` to lock-step")
        kit.wait_until("the volume votes", lambda: len(node.get("/v1/mirror")["voters"]) == 3)
        _say(array, "mirrored")
        with Load(array, BODY) as load:
            outages = kill_coordinators(array, load, options.kills, array.wait_mirror, print)
        print(f"median {statistics.median(outages):.2f} s, longest {max(outages):.2f} s, {len(outages)} kills")
        _say(array, "after take-overs")


def _say(array: kit.Array, when: str) -> None:
    store = array.nodes[0].root / "store" / "fa.db"
    weights = ", ".join(f"{node.name} {_rss(node) >> 20} MB" for node in array.nodes)
    print(f"{when}: store {store.stat().st_size >> 20} MB, resident {weights}", flush=True)


def _rss(node: kit.Node) -> int:
    """Bytes of resident memory."""
    assert node.process is not None, "it was started"
    for line in Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("a process has a resident size")


if __name__ == "__main__":
    main()
