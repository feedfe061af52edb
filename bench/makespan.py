"""When the last of 120 short transcodes ends: on three nodes of one slot each, and under `xargs -P 3`, same commands.

    python -m bench.makespan [--jobs 120] [--rounds 4] [--seconds 10]

Both in turns, a part of the jobs each round. Aim: within 5 % of xargs. On a machine with fewer cores than slots the
CPU of the nodes counts as well as how they dispatch."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from bench.drain import same_command, through_xargs
from bench.rounds import Cost, in_turns, measured, show
from tests.e2e import kit

SLOTS = 3


def through_fa(array: kit.Array, count: int) -> Cost:
    node = array.coordinator()
    ended = sum(node.status()["jobs"][state] for state in ("succeeded", "failed", "cancelled"))
    body = {"jobs": [{"source": "san:in/clip.mp4", "factory": "proxy"}] * count}

    def work() -> None:
        node.post("/v1/jobs:batch", body)
        kit.wait_until("the round ended", lambda: kit.all_ended(node, ended + count), 3600, every=0.1)

    cost = measured(work, [each.process.pid for each in array.nodes if each.process])
    assert node.status()["jobs"]["failed"] == 0, "a comparison of failures says nothing"
    return cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10, help="length of the clip")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, kit.array(Path(root)) as array:
        node = array.found("a", "--slots", "1")
        kit.wait_until("the encoders are proved", lambda: (node.root / "proved.json").exists(), 240)
        array.proved = node.root / "proved.json"
        for name in "bc":
            array.join(name, "--slots", "1")
        array.wait_mirror()
        node.post("/v1/factories", kit.PROXY)
        clip = kit.make_clip(array.san / "in" / "clip.mp4", options.seconds, "640x360")
        command = asyncio.run(same_command(clip))
        count = options.jobs // options.rounds
        rivals = {
            "xargs -P 3": lambda: through_xargs(command, Path(root, "x"), count, SLOTS),
            "fa, 3 nodes": lambda: through_fa(array, count),
        }
        show(in_turns(rivals, options.rounds), count * options.rounds)


if __name__ == "__main__":
    main()
