"""Every history of a small array, breadth first: ``python -m tests.sim.explore [NAME…] [--states N] [--jobs K]``.

The very same core as everywhere, in the same simulated server (``tests.sim.node``), judged by the same checkers
(``tests.sim.checks``); but where a seed tosses, everything is tried. The network is the set of all messages ever sent,
from which any may arrive next, again, or never: loss, doubling, reordering and delay are free, also across restarts.

What is left out, so that the states are finite and equal ones are found equal:

* Time. It passes only when a node is woken: at the end of a heartbeat, or late, when whatever it waits for has timed
  out. Of its times only what a time-out can tell apart is compared. So any may fire at any moment, on any node.
* Heartbeats and questions have no numbers: an old answer may pass for a new one. No rule of safety rests on them.
* The disk is at once: what a node stores or commits is durable within the step, or it dies before it could tell.
* What peers remember of a disk (R8): none forgets here.

A node's step depends on the node alone, so each is taken once and remembered: a state is three numbers, the set of
messages, and what the checkers know. What is only said, and changes nothing else, is said at once: whatever could
happen before can happen after it. ``--mutants`` leaves out a rule in turn and says after how many steps that is seen.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from multiprocessing import Pool
from typing import Any

from tests.sim.explore.search import HUNTED, SETTINGS, explore, hunt


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim.explore", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="settings, or with --mutants rules to leave out; all without")
    parser.add_argument("--states", type=int, default=100_000, help="looked at in each search at most")
    parser.add_argument("--jobs", type=int, default=1, help="searches at the same time")
    parser.add_argument("--mutants", action="store_true", help="leave out each rule in turn")
    options = parser.parse_args()
    with Pool(options.jobs) as pool:
        return (_hunts if options.mutants else _searches)(options, pool)


def _searches(options: argparse.Namespace, pool: Any) -> int:
    chosen = [setting for setting in SETTINGS if not options.names or setting.name in options.names]
    broken = 0
    for found in pool.imap_unordered(partial(explore, most=options.states, progress=True), chosen):
        print(f"\r{found}{'':20}", *found.story, sep="\n  ", flush=True)
        broken += bool(found.violation)
    return 1 if broken else 0


def _hunts(options: argparse.Namespace, pool: Any) -> int:
    names = options.names or list(HUNTED)
    missed = 0
    for name, found in zip(names, pool.imap(partial(hunt, most=options.states), names), strict=True):
        caught = f"depth {found.depth} of {found.setting}, {found.states} states" if found.violation else "NOT caught"
        print(f"{name:18} {caught} ({found.seconds:.0f} s): {found.violation[:90]}", flush=True)
        missed += not found.violation
    print(f"{len(names) - missed} of {len(names)} caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
