"""kill -9 at every step between an order and its visible file: exactly one final file, always."""

from __future__ import annotations

import os
from random import Random

from fa.node.replacing import OVER
from tests.e2e import kit
from tests.e2e.deaths import ALL, Bench, die
from tests.e2e.failpoints import POINTS, check_finals, die_and_recover
from tests.e2e.held import Holder

ROUNDS = int(os.environ.get("FA_ROUNDS", "1"))
SEED = int(os.environ.get("FA_SEED", "0")) or Random().randrange(1, 10**6)
AT_ONCE = 8  # of the other ends, in one run without FA_ROUNDS


def test_a_node_dies_at_every_step(array: kit.Array) -> None:
    node = array.found("a", "--slots", "1")
    node.post("/v1/factories", kit.PROXY)
    kit.make_clip(array.san / "in" / "clip.mp4", 0.4, "128x72")
    for number, point in enumerate(POINTS * ROUNDS):
        die_and_recover(node, point, number)
        check_finals(array, node, number + 1)


def test_a_node_dies_at_other_ends(array: kit.Array) -> None:
    """All of them with FA_ROUNDS, else a few by chance; FA_SEED has the same ones again."""
    print(f"FA_SEED={SEED}")
    chosen = ALL if "FA_ROUNDS" in os.environ else Random(SEED).sample(ALL, AT_ONCE)
    bench = Bench(array, Holder(array))
    bench.begin()
    for story, point in chosen:
        print(f"{story}: {point}")
        die(bench, story, point)
    kit.wait_until("no part is left", lambda: not bench.parts())
    kit.wait_until("the grave is empty", lambda: not list((array.san / ".fa").glob("grave/*")))
    assert {path.name for path in (array.san / ".fa").glob("aside/*/*")} <= {OVER}
