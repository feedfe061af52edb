"""``python -m tests.sim --seeds A:B [--jobs N] [--length F] [--trace]``: run seeds, show progress, name those that
fail. ``--length 4``: their troubles last four times as long, for some 5,000 events a seed."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from multiprocessing import Pool

from tests.sim.seed import Result, run_seed


def main() -> int:
    options = _options()
    first, last = (int(part) for part in options.seeds.split(":"))
    if options.trace:
        return _trace(first, options.length)
    totals: Counter[str] = Counter()
    failures = stuck = events = 0
    began = time.monotonic()
    for done, result in enumerate(_results(range(first, last), options.jobs, options.length), 1):
        totals.update(result.counts)
        events += result.events
        if result.violation:
            failures += 1
            print(
                f"\nseed {result.seed}: {result.violation}\n  replay: {_replay(result.seed, options.length)}",
                flush=True,
            )
        elif not result.live:
            stuck += 1
            print(
                f"\nseed {result.seed}: no lock-step after healing\n  replay: {_replay(result.seed, options.length)}",
                flush=True,
            )
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
    parser.add_argument("--length", type=float, default=1.0, help="how long the troubles last")
    parser.add_argument("--trace", action="store_true", help="print every step of the first seed")
    return parser.parse_args()


def _results(seeds: range, jobs: int, length: float) -> Iterator[Result]:
    run = partial(run_seed, length=length)
    if jobs == 1:
        yield from map(run, seeds)
        return
    with Pool(jobs) as pool:
        yield from pool.imap_unordered(run, seeds, chunksize=8)


def _trace(seed: int, length: float) -> int:
    result = run_seed(seed, trace=True, length=length)
    print("\n".join(result.lines))
    print(f"seed {seed}: {result.events} events, {result.violation or 'no violation'}, live: {result.live}")
    return 1 if result.violation or not result.live else 0


def _replay(seed: int, length: float) -> str:
    return f"python -m tests.sim --seeds {seed}:{seed + 1}{'' if length == 1 else f' --length {length:g}'} --trace"


if __name__ == "__main__":
    sys.exit(main())
