"""How long after kill -9 of the coordinator the next write is acknowledged: 30 times, 8 clients, default settings.

    python -m bench.failover [--kills 30] [--volume]

The next one is killed once the array is whole again. Prints each outage and the distribution; afterwards every
acknowledged job must be there exactly once."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from tests.e2e import kit
from tests.e2e.load import Load, check_exactly_once, kill_coordinators
from tests.e2e.test_failover import BODY, WAITS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--volume", action="store_true", help="two nodes and the vote on a volume")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, kit.array(Path(root)) as array:
        array.found("a", "--slots", "1", *(["--witness", "volume:san"] if options.volume else []))
        for name in "b" if options.volume else "bc":
            array.join(name, "--slots", "1")
        array.wait_mirror()
        array.coordinator().post("/v1/factories", WAITS)
        with Load(array, BODY) as load:
            outages = kill_coordinators(array, load, options.kills, array.wait_whole, print)
        check_exactly_once(load, array.coordinator())
        print(f"median {statistics.median(outages):.2f} s, longest {max(outages):.2f} s, {len(outages)} kills")
        print(f"{len(load.acknowledged)} acknowledged jobs, each there once and in order; {load.retries} retries")
        print(kit.fa("mirror", "verify", "--dir", str(array.coordinator().root)))


if __name__ == "__main__":
    main()
