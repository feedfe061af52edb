"""A copy that rotted on its disk is noticed, not believed, and made equal again; one that is gone is made anew."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from fa.core.trust import Mark
from fa.node.identity import VoteFiles
from fa.replication.state import Marker
from tests.e2e import kit
from tests.e2e.test_failover import BODY, WAITS

JOBS = 300


@pytest.mark.parametrize(("damage", "how"), [("rot", "by diff"), ("loss", "by snapshot")])
def test_a_damaged_copy_is_made_equal(array: kit.Array, damage: str, how: str) -> None:
    array.found("a", "--slots", "1")
    b = array.join("b", "--slots", "1")
    array.wait_mirror()
    a = array.coordinator()
    assert a.name == "a"
    a.post("/v1/factories", WAITS)
    a.post("/v1/jobs:batch", {"jobs": [BODY] * JOBS})
    _settle(a, b)
    b.stop()
    kit.wait_until("b says goodbye", lambda: "b leaves the in-sync set: its process is gone" in a.tail(200))
    _hurt(b, damage)
    a.post("/v1/jobs:batch", {"jobs": [BODY] * JOBS})
    b.start()
    array.wait_mirror()
    kit.wait_until("b says how", lambda: f"made equal to a {how}" in b.tail(200))
    a.post("/v1/mirror/switchover", {"node": "b"})
    kit.wait_until("b leads with what it was given", b.leads)
    assert len(b.jobs()) == 2 * JOBS


def test_a_rotten_segment_of_the_coordinator_keeps_nobody_out(array: kit.Array) -> None:
    """The store itself is whole, and a copy of it is given."""
    a = array.found("a", "--slots", "1", "--witness", "none")
    a.post("/v1/factories", WAITS)
    for _ in range(5):
        a.post("/v1/jobs", BODY)
    assert a.stop() == 0
    victim = sorted((a.root / "replica" / "ltx" / "0").iterdir())[2]
    victim.write_bytes(victim.read_bytes()[:-1])
    a.start()
    b = array.join("b", "--slots", "1")
    array.wait_mirror()
    assert f"{victim} was damaged" in a.tail(200)
    a.post("/v1/mirror/switchover", {"node": "b"})
    kit.wait_until("b leads with what it was given", b.leads)
    assert len(b.jobs()) == 5


def _settle(a: kit.Node, b: kit.Node) -> None:
    """Until b would not mend itself by writing segments over its file again."""
    everything = a.get("/v1/mirror")["txid"]
    kit.wait_until("b has settled", lambda: Marker(b.root / "store" / "fa.db").position.txid >= everything)


def _hurt(node: kit.Node, damage: str) -> None:
    database = node.root / "store" / "fa.db"
    if damage == "rot":
        raw = bytearray(database.read_bytes())
        raw[len(raw) // 2] ^= 0x10
        database.write_bytes(raw)
        for base in (node.root / "replica" / "ltx").glob("*/0000000000000001-*.ltx"):
            base.write_bytes(base.read_bytes()[:-1])  # else its own segments would make it whole: test_rot.py
    else:
        # As when the disk failed and was replaced. Without the mark, segments since the beginning would do.
        shutil.rmtree(node.root / "store")
        shutil.rmtree(node.root / "replica")
        votes = VoteFiles(node.root / "vote")
        votes.save_identity(replace(votes.identity(), mark=Mark.SUSPECT))
