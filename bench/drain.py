"""What fa costs beside the encodes: the same ffmpeg commands through a node and under `xargs -P`, in turns.

    python -m bench.drain [--jobs 200] [--rounds 10] [--slots 2] [--seconds 60]

Prints CPU seconds (the node with all its children; xargs with all of its) and wall seconds of each round, and the
ratio of the sums. The clip must cost some CPU seconds: the own cost of a job (two ffprobe starts, hashing) is fixed."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import tempfile
from pathlib import Path

from bench.rounds import Cost, measured, xargs
from fa.core.recipe import parse_factory
from fa.transcode.plan import encode_step
from fa.transcode.presets import presets
from fa.transcode.probe import probe
from fa.transcode.sandbox import find_sandbox
from fa.transcode.target import decide
from fa.transcode.tools import find_tools
from tests.e2e import kit


def through_fa(node: kit.Node, count: int) -> Cost:
    assert node.process is not None, "it was started"
    body = {"jobs": [{"source": "san:in/clip.mp4", "factory": "proxy"} for _ in range(count)]}
    ended = sum(node.status()["jobs"][state] for state in ("succeeded", "failed", "cancelled"))

    def work() -> None:
        node.post("/v1/jobs:batch", body)
        kit.wait_until("the round ended", lambda: kit.all_ended(node, ended + count), 3600, every=0.5)

    cost = measured(work, [node.process.pid])
    assert node.status()["jobs"]["failed"] == 0, "a comparison of failures says nothing"
    return cost


def through_xargs(command: list[str], out: Path, count: int, slots: int) -> Cost:
    out.mkdir(exist_ok=True)
    script = " ".join(map(shlex.quote, command)).replace("OUTPUT", f"{out}/$0.mp4") + " >/dev/null 2>&1"
    cost = measured(lambda: xargs(script, [str(number) for number in range(count)], slots))
    for path in out.iterdir():
        path.unlink()
    return cost


async def same_command(clip: Path) -> list[str]:
    """The very command that fa makes of the recipe, with OUTPUT where its part would be."""
    tools, sandbox = find_tools(), find_sandbox()
    product = parse_factory(kit.PROXY).products[0]
    info = await probe(tools, sandbox, str(clip))
    target = decide(product, presets()[product.preset], info)
    return list(encode_step(tools.ffmpeg, target, info, str(clip), "OUTPUT").argv)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60, help="length of the clip")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, kit.array(Path(root)) as array:
        node = array.found("a", "--slots", str(options.slots))
        node.post("/v1/factories", kit.PROXY)
        clip = kit.make_clip(array.san / "in" / "clip.mp4", options.seconds, "640x360")
        command = asyncio.run(same_command(clip))
        kit.wait_until("the encoders are proved", lambda: (node.root / "proved.json").exists())
        count = options.jobs // options.rounds
        ours, theirs = [], []
        for number in range(options.rounds):
            turns = [lambda: ours.append(through_fa(node, count))]
            turns.insert(
                number % 2, lambda: theirs.append(through_xargs(command, Path(root, "x"), count, options.slots))
            )
            for turn in turns:
                turn()
            mine, other = ours[-1], theirs[-1]
            print(
                f"{number + 1:3}  fa {mine.cpu:7.2f} CPU s {mine.wall:6.1f} s   "
                f"xargs {other.cpu:7.2f} CPU s {other.wall:6.1f} s   ratio {mine.cpu / other.cpu:.3f}",
                flush=True,
            )
        cpu = sum(cost.cpu for cost in ours) / sum(cost.cpu for cost in theirs)
        wall = sum(cost.wall for cost in ours) / sum(cost.wall for cost in theirs)
        print(f"{count * options.rounds} jobs each: CPU ratio {cpu:.3f}, wall ratio {wall:.3f}")


if __name__ == "__main__":
    main()
