"""Every step of an attempt at which a node can die, and what must hold afterwards."""

from __future__ import annotations

import contextlib
from http.client import HTTPException

from tests.e2e import kit

JOB = {"source": "san:in/clip.mp4", "factory": "proxy"}
POINTS = (
    "before Commit Dispatch",
    "after Commit Dispatch",
    "before Tell Order",
    "after Tell Order",
    "before StartAttempt",
    "after StartAttempt",
    "part written",
    "part durable",
    "before KeepReport wants-publish",
    "after KeepReport wants-publish",
    "before Tell Report",
    "after Tell Report",
    "before Commit AskPublish",
    "after Commit AskPublish",
    "before Tell Grant",
    "after Tell Grant",
    "before DropReport",
    "after DropReport",
    "before Publish",
    "after Publish",
    "publish ready",
    "publish renamed",
    "publish half synced",
    "publish synced",
    "before Tell Report 2",
    "after Tell Report 2",
    "before Commit FinishAttempt",
    "after Commit FinishAttempt",
    "before Tell Heard",
    "after Tell Heard",
)


def die_and_recover(node: kit.Node, point: str, number: int) -> None:
    """Run one job on a node that dies at this point; start it again, unarmed; wait until the job has ended."""
    node.stop()
    node.start({"FA_FAILPOINT": point})
    kit.wait_until(f"{node.name} leads", lambda: not node.alive or node.leads())
    if node.alive:
        with contextlib.suppress(OSError, HTTPException):  # it may die while it answers
            node.request("POST", "/v1/jobs", JOB, key=f"{point}-{number}")
    kit.wait_until(f"it died at {point!r}", lambda: not node.alive)
    node.start()
    kit.wait_until(f"{node.name} leads", node.leads)
    # the same request again: whether or not it got through, there is one job
    made = node.post("/v1/jobs", JOB, key=f"{point}-{number}")
    kit.wait_until(f"the job ended after {point!r}", lambda: _over(node, made))


def _over(node: kit.Node, made: dict[str, int]) -> bool:
    return node.job(made["id"])["state"] in ("succeeded", "failed", "cancelled")


def check_finals(array: kit.Array, node: kit.Node, count: int) -> None:
    """Exactly one final file for each job, with the hash that was granted, and nothing else."""
    jobs = node.jobs()
    assert len(jobs) == count
    names = []
    for job in jobs:
        assert job["state"] == "succeeded", job
        output = job["tasks"][0]["output"]
        path = array.san / output["path"].removeprefix("san:")
        assert (path.stat().st_size, kit.sha256_of(path)) == (output["bytes"], output["sha256"])
        names.append(path.name)
    assert sorted(path.name for path in (array.san / "out").iterdir()) == sorted(names)
