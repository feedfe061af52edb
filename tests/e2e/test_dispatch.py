"""Who gets the next slot, behind a long queue, on nodes that keep slots or serve only some."""

from __future__ import annotations

from typing import Any

from tests.e2e import kit
from tests.e2e.held import Holder, factory

QUEUED = 500


def test_behind_500_jobs(array: kit.Array) -> None:
    """What is urgent starts at once in a slot that is kept for it, else in the next that opens; a node that is
    dedicated runs nothing else."""
    held = Holder(array)
    held.allow("a", node={"reserve": [{"min_priority": 75, "slots": 1}]})
    held.allow("b", node={"only_factories": ["news"]})
    held.allow("c", node={"only_tags": ["gpu"], "tags": ["gpu"]})
    node = array.found("a", "--slots", "2")
    array.join("b", "--slots", "1")
    array.join("c", "--slots", "1")
    for name in ("long", "news"):
        node.post("/v1/factories", factory(name))
    for tag in ("gpu", "odd"):
        node.post("/v1/factories", factory(tag, f'requires = ["tag:{tag}"]'))

    body = [{"source": held.source(f"{n}.txt"), "factory": "long"} for n in range(QUEUED)]
    first, *others = [job["id"] for job in node.post("/v1/jobs:batch", {"jobs": body})["items"]]
    kit.wait_until("the oldest runs", lambda: _runs(node, first))
    urgent = [_submit(node, held.source(f"urgent{n}.txt"), "long", "high") for n in range(2)]
    kit.wait_until("one runs in the slot that is kept", lambda: _runs(node, urgent[0]))
    assert _runs(node, first), "it started beside the one that ran"
    assert node.job(urgent[1])["state"] == "queued"

    short = held.source("short.txt", go=True)
    few = [_submit(node, short, name) for name in ("news", "gpu", "gpu", "news")]
    kit.wait_until("the dedicated nodes did theirs", lambda: all(_over(node, job) for job in few))
    assert [_task(node, job)["node"] for job in few] == ["b", "c", "c", "b"]

    held.let_go("0.txt")
    kit.wait_until("the other has the slot that opened", lambda: _runs(node, urgent[1]))
    assert {job["id"] for job in node.jobs() if job["tasks"][0]["attempt"]} == {first, *urgent, *few}
    held.let_go("urgent0.txt")
    held.let_go("1.txt")
    kit.wait_until("it is the turn of the next oldest", lambda: _over(node, others[0]))
    assert {_task(node, job)["node"] for job in (first, *urgent, others[0])} == {"a"}
    _check_why(node, others[-1], _submit(node, "san:in/0.txt", "odd"))


def _check_why(node: kit.Node, waits: int, never: int) -> None:
    """Each node has its own reason; and it is said when no waiting helps."""
    why = node.get(f"/v1/jobs/{waits}/why")
    assert not why["never"]
    assert {told["node"]: told["why"] for told in why["tasks"][0]["nodes"]} == {
        "a": "busy", "b": "dedicated", "c": "dedicated",
    }  # fmt: skip
    why = node.get(f"/v1/jobs/{never}/why")
    assert why["never"]
    assert "can never run" in why["text"]
    assert "a has no tag:odd" in why["text"]


def _submit(node: kit.Node, source: str, name: str, priority: str = "normal") -> int:
    return int(node.post("/v1/jobs", {"source": source, "factory": name, "priority": priority})["id"])


def _task(node: kit.Node, job: int) -> Any:
    return node.job(job)["tasks"][0]


def _runs(node: kit.Node, job: int) -> bool:
    return bool(_task(node, job)["state"] == "running")


def _over(node: kit.Node, job: int) -> bool:
    return bool(node.job(job)["state"] == "succeeded")
