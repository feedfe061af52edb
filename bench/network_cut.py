"""How long after the coordinator loses its network the next write is acknowledged: 10 cuts, 8 clients, defaults.

    python -m bench.network_cut [--cuts 10]

Needs root: each node is in a network namespace of its own. Clients give an answer up after a second and ask another
node, as those would that know several addresses. Prints each outage and the distribution; afterwards every
acknowledged job must be there exactly once."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e import kit, networks
from tests.e2e.load import Load, check_exactly_once
from tests.e2e.test_failover import BODY, WAITS

PATIENCE = 1.0  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=10)
    options = parser.parse_args()
    if missing := networks.missing():
        sys.exit(missing)
    with tempfile.TemporaryDirectory() as root, networks.networked(Path(root), None) as array:
        array.found("a", "--slots", "1")
        array.join("b", "--slots", "1")
        array.join("c", "--slots", "1")
        array.wait_mirror()
        array.coordinator().post("/v1/factories", WAITS)
        with Load(array, BODY, timeout=PATIENCE) as load:
            outages = [_outage(array, load, number + 1) for number in range(options.cuts)]
        check_exactly_once(load, array.coordinator())
        print(f"median {statistics.median(outages):.2f} s, longest {max(outages):.2f} s, {len(outages)} cuts")
        print(f"{len(load.acknowledged)} acknowledged jobs, each there once and in order; {load.retries} retries")


def _outage(array: networks.Array, load: Load, number: int) -> float:
    victim = array.coordinator()
    array.network.isolate(victim.name)
    cut_at = time.monotonic()
    ack = kit.wait_until("a write after the cut", lambda: load.first_after(cut_at))
    seconds = float(ack.ended - cut_at)
    print(f"{number:3}  {victim.name} cut off, next acknowledged write after {seconds:.2f} s", flush=True)
    array.network.heal()
    array.coordinator()
    array.wait_mirror()
    return seconds


if __name__ == "__main__":
    main()
