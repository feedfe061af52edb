"""The disk of a coordinator gives other bytes than were written to it: nothing of it is acknowledged or shipped,
nothing acknowledged is lost, and the node is whole again after a restart, with a secondary and without."""

from __future__ import annotations

import http.client
import os
from typing import Any

import pytest

from fa.node.main import EXIT_STORE
from tests.e2e import kit
from tests.e2e.test_failover import BODY, WAITS

JOBS = 30


@pytest.mark.parametrize("alone", [True, False])
def test_rot_in_the_file_of_the_coordinator(array: kit.Array, alone: bool) -> None:
    a = array.found("a", "--slots", "1", "--witness", "none" if alone else "volume:san")
    if not alone:
        array.join("b", "--slots", "1")
        array.wait_mirror()
        kit.wait_until("the volume votes", lambda: len(a.get("/v1/mirror")["voters"]) == 3)
    a.post("/v1/factories", WAITS)
    for number in range(JOBS):
        a.post("/v1/jobs", {**BODY, "subject": _subject(number)})
    before = _jobs(a)
    _checkpoint(array, alone)

    _rot(a, _subject(JOBS // 2))
    with pytest.raises(http.client.RemoteDisconnected):  # its neighbour in the same page
        a.request("POST", f"/v1/jobs/{JOBS // 2}/cancel")
    assert a.process
    assert a.process.wait(kit.DEADLINE) == EXIT_STORE
    assert "the disk rots" in a.tail()
    if not alone:
        assert array.coordinator().name == "b"
    a.start()
    if not alone:
        array.wait_mirror()
    _wait_alert(array.coordinator(), "store-repaired")
    assert _jobs(array.coordinator()) == before
    assert b"#ROT#" not in (a.root / "store" / "fa.db").read_bytes()


def _subject(number: int) -> str:
    return f"{number:03}" * 60


def _checkpoint(array: kit.Array, alone: bool) -> None:
    """What is written is in the file of a, which leads then: it stopped leading in order, which checkpoints."""
    a = array["a"]
    if alone:
        a.stop()
        a.start()
        kit.wait_until("a leads", a.leads)
    for to in () if alone else ("b", "a"):
        array.coordinator().post("/v1/mirror/switchover", {"node": to})
        kit.wait_until(f"{to} leads", array[to].leads)
        array.wait_mirror()


def _rot(node: kit.Node, text: str) -> None:
    path = node.root / "store" / "fa.db"
    at = path.read_bytes().index(text.encode())
    descriptor = os.open(path, os.O_RDWR)
    os.pwrite(descriptor, b"#ROT#", at + 30)
    os.close(descriptor)


def _jobs(node: kit.Node) -> list[Any]:
    return [(job["id"], job["state"], job["subject"]) for job in node.jobs()]


def _wait_alert(node: kit.Node, kind: str) -> None:
    kit.wait_until(
        f"there is an alert {kind}", lambda: kind in {one["kind"] for one in node.get("/v1/alerts?all=true")["items"]}
    )
