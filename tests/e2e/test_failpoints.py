"""kill -9 at every step between an order and its visible file: exactly one final file, always."""

from __future__ import annotations

import os

from tests.e2e import kit
from tests.e2e.failpoints import POINTS, check_finals, die_and_recover

ROUNDS = int(os.environ.get("FA_ROUNDS", "1"))


def test_a_node_dies_at_every_step(array: kit.Array) -> None:
    node = array.found("a", "--slots", "1")
    node.post("/v1/factories", kit.PROXY)
    kit.make_clip(array.san / "in" / "clip.mp4", 0.4, "128x72")
    for number, point in enumerate(POINTS * ROUNDS):
        die_and_recover(node, point, number)
        check_finals(array, node, number + 1)
