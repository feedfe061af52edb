"""kill -9 at every step between an order and its visible file: exactly one final file, always."""

from __future__ import annotations

import os
from random import Random

import pytest

from fa.node.replacing import OVER
from tests.e2e import kit
from tests.e2e.deaths import ALL, Bench, die
from tests.e2e.failpoints import POINTS, check_finals, die_and_recover
from tests.e2e.held import Holder, factory

ROUNDS = int(os.environ.get("FA_ROUNDS", "1"))
SEED = int(os.environ.get("FA_SEED", "0")) or Random().randrange(1, 10**6)
pytestmark = pytest.mark.timeout(600 * ROUNDS)
STEPS_AT_ONCE, ENDS_AT_ONCE = 8, 3  # in one run without FA_ROUNDS: which ones is chance, all of CI sees them all


def test_a_node_dies_at_every_step(array: kit.Array) -> None:
    """All of them with FA_ROUNDS, else some by chance; FA_SEED has the same ones again."""
    node = array.found("a", "--slots", "1")
    node.post("/v1/factories", kit.PROXY)
    kit.make_clip(array.san / "in" / "clip.mp4", 0.4, "128x72")
    print(f"FA_SEED={SEED}")
    chosen = POINTS * ROUNDS if "FA_ROUNDS" in os.environ else Random(SEED).sample(POINTS, STEPS_AT_ONCE)
    for number, point in enumerate(chosen):
        die_and_recover(node, point, number)
        check_finals(array, node, number + 1)


def test_a_node_dies_at_other_ends(array: kit.Array) -> None:
    """The same."""
    print(f"FA_SEED={SEED}")
    chosen = ALL * ROUNDS if "FA_ROUNDS" in os.environ else Random(SEED).sample(ALL, ENDS_AT_ONCE)
    bench = Bench(array, Holder(array))
    bench.begin()
    for story, point in chosen:
        print(f"{story}: {point}")
        die(bench, story, point)
    kit.wait_until("no part is left", lambda: not bench.parts())
    kit.wait_until("the grave is empty", lambda: not list((array.san / ".fa").glob("grave/*")))
    assert {path.name for path in (array.san / ".fa").glob("aside/*/*")} <= {OVER}


def test_a_node_dies_as_it_discards_what_nobody_wants(array: kit.Array) -> None:
    """It died with a wish to publish, which others gave away; it comes back, and dies of the answer."""
    held = Holder(array)
    held.allow("b")
    a = array.found("a", "--slots", "1")
    array.join("b", "--slots", "1")
    array.wait_mirror()
    a.post("/v1/factories", factory("long"))
    for point in ("before Discard", "after Discard"):
        _discard(array, held, point)
    assert list((array.san / "out").iterdir()) == []


def _discard(array: kit.Array, held: Holder, point: str) -> None:
    a, b = array["a"], array["b"]
    b.stop()
    b.start({"FA_FAILPOINT": "after KeepReport wants-publish"})
    job = a.post("/v1/jobs", {"source": held.source(f"{point}.txt", go=True), "factory": "long"})["id"]
    kit.wait_until("it died with its wish", lambda: not b.alive)
    kit.wait_until("its loss is noticed", lambda: a.job(job)["state"] == "queued")
    a.post(f"/v1/jobs/{job}/cancel")
    b.start({"FA_FAILPOINT": point})
    kit.wait_until(f"it died {point}", lambda: not b.alive)
    b.start()
    kit.wait_until("b is back", lambda: array.state_of("b") == "up")
    kit.wait_until("no part is left", lambda: not list((array.san / ".fa" / "part").iterdir()))
    assert a.job(job)["state"] == "cancelled"
