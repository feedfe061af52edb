"""``python -m tests.sim --seeds A:B [--jobs N] [--trace]``: run seeds, show progress, name the failing ones."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import Pool

from tests.sim.seed import Result, run_seed


def main() -> int:
    options = _options()
    first, last = (int(part) for part in options.seeds.split(":"))
    if options.trace:
        return _trace(first)
    totals: Counter[str] = Counter()
    failures = stuck = events = 0
    began = time.monotonic()
    for done, result in enumerate(_results(range(first, last), options.jobs), 1):
        totals.update(result.counts)
        events += result.events
        if result.violation:
            failures += 1
            print(f"\nseed {result.seed}: {result.violation}\n  replay: {_replay(result.seed)}", flush=True)
        elif not result.live:
            stuck += 1
            print(f"\nseed {result.seed}: no lock-step after healing\n  replay: {_replay(result.seed)}", flush=True)
        if done % 50 == 0 or done == last - first:
            rate = done / (time.monotonic() - began)
            progress = f"{done}/{last - first} seeds, {rate:.1f}/s, {events / done:.0f} events a seed"
            print(f"\r{progress}, {failures} violations, {stuck} not live", end="", flush=True)
    print("\n" + ", ".join(f"{name} {count}" for name, count in sorted(totals.items())))
    return 1 if failures or stuck else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", default="0:200", help="first and last+1, as A:B")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--trace", action="store_true", help="print every step of the first seed")
    return parser.parse_args()


def _results(seeds: range, jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(run_seed, seeds)
        return
    with Pool(jobs) as pool:
        yield from pool.imap_unordered(run_seed, seeds, chunksize=8)


def _trace(seed: int) -> int:
    result = run_seed(seed, trace=True)
    print("\n".join(result.lines))
    print(f"seed {seed}: {result.events} events, {result.violation or 'no violation'}, live: {result.live}")
    return 1 if result.violation or not result.live else 0


def _replay(seed: int) -> str:
    return f"python -m tests.sim --seeds {seed}:{seed + 1} --trace"


if __name__ == "__main__":
    sys.exit(main())
