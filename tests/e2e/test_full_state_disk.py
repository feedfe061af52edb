"""The whole state directory is on a disk that is full for a while: encodes go on, and what they came to is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import disks, kit
from tests.e2e.held import Holder, factory

MISSING = disks.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def test_a_node_without_room_for_its_reports(tmp_path: Path, proved: Path) -> None:
    with disks.failing(tmp_path, proved) as (array, made):
        held = Holder(array)
        held.allow("a")
        disk = made.for_node(array, "a")
        node = array.found("a", "--slots", "2")
        node.post("/v1/factories", factory("long"))
        jobs = [node.post("/v1/jobs", {"source": held.source(name), "factory": "long"})["id"] for name in "xy"]
        kit.wait_until("both run", lambda: len(node.jobs("state:running")) == 2)
        disk.fill()
        kit.wait_until("its reserve is used up", lambda: "the disk of the store is full" in node.log.read_text())
        disk.fill()
        held.let_go("x")
        kit.wait_until("it cannot be written down", lambda: "stays in memory" in node.log.read_text())
        disk.set()
        kit.wait_until("it is delivered", lambda: node.job(jobs[0])["state"] == "succeeded")
        held.let_go("y")
        kit.wait_until("the other one, too", lambda: node.job(jobs[1])["state"] == "succeeded")
        assert [job["attempts"][0]["number"] for job in map(node.job, jobs)] == [1, 1]
        assert node.alive
