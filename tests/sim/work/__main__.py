"""``python -m tests.sim.work --seeds A:B [--trace]``: run seeds, show progress, name the failing ones."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.sim.work.seed import run_seed


def main() -> int:
    options = _options()
    first, last = (int(part) for part in options.seeds.split(":"))
    if options.trace:
        return _trace(first)
    totals: Counter[str] = Counter()
    failures, began = 0, time.monotonic()
    for done, seed in enumerate(range(first, last), 1):
        result = run_seed(seed)
        totals.update(result.counts)
        if result.violation:
            failures += 1
            print(f"\nseed {seed}: {result.violation}\n  replay: {replay(seed)}", flush=True)
        if done % 20 == 0 or done == last - first:
            rate = done / (time.monotonic() - began)
            print(f"\r{done}/{last - first} seeds, {rate:.1f}/s, {failures} violations", end="", flush=True)
    print("\n" + ", ".join(f"{name} {count}" for name, count in sorted(totals.items())))
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.work", description=__doc__)
    parser.add_argument("--seeds", default="0:200", help="first and last+1, as A:B")
    parser.add_argument("--trace", action="store_true", help="print what happens in the first seed")
    return parser.parse_args()


def _trace(seed: int) -> int:
    result = run_seed(seed, trace=True)
    print("\n".join(result.lines))
    print(f"seed {seed}: {result.violation or 'no violation'}")
    return 1 if result.violation else 0


def replay(seed: int) -> str:
    return f"python -m tests.sim.work --seeds {seed}:{seed + 1} --trace"


if __name__ == "__main__":
    sys.exit(main())
