"""Three nodes share the work; a worker dies, the coordinator dies, a third is stopped and wakes: it all gets done."""

from __future__ import annotations

import os
import signal

from tests.e2e import kit

JOBS = int(os.environ.get("FA_CLIPS", "12"))
URGENT = kit.PROXY.replace('name = "proxy"', 'name = "urgent"\npriority = "high"', 1).replace(
    "{product}", "{product}-u"
)


def test_a_worker_then_the_coordinator_die_and_a_third_sleeps(array: kit.Array) -> None:
    for name in "abc":
        (array.found if name == "a" else array.join)(name, "--slots", "1")
    array.wait_mirror()
    leader = array.coordinator()
    leader.post("/v1/factories", kit.PROXY)
    leader.post("/v1/factories", URGENT)
    for n in range(JOBS):
        kit.make_clip(array.san / "in" / f"clip{n}.mp4", 3.0)
    # All at once, when every clip is there: on a fast machine one alone is done before the next is made.
    for n in range(JOBS):
        leader.post("/v1/jobs", {"source": f"san:in/clip{n}.mp4", "factory": "urgent" if n % 3 == 0 else "proxy"})
    worker = _some_worker(array)
    _wait_running(array, worker.name)
    worker.kill()
    kit.wait_until("its loss is noticed", lambda: array.state_of(worker.name) == "lost")
    worker.start()
    leader = array.coordinator()
    kit.wait_until("the worker is back", lambda: array.state_of(worker.name) == "up")
    array.wait_mirror()
    leader.kill()
    second = array.coordinator()
    leader.start()
    _stop_and_wake(array, next(n for n in array.nodes if n not in (second, leader)))
    kit.wait_until("all jobs ended", lambda: kit.all_ended(array.coordinator(), JOBS), 300)
    _check(array, array.coordinator())


def _some_worker(array: kit.Array) -> kit.Node:
    return next(node for node in array.nodes if node is not array.coordinator())


def _running(array: kit.Array) -> list[str]:
    return [task["node"] for job in array.coordinator().jobs("state:running") for task in job["tasks"] if task["node"]]


def _wait_running(array: kit.Array, name: str) -> None:
    kit.wait_until(f"{name} runs something", lambda: name in _running(array))


def _stop_and_wake(array: kit.Array, third: kit.Node) -> None:
    """SIGSTOP until its work was given away, then SIGCONT: it wakes with attempts that do not count any more."""
    third.signal(signal.SIGSTOP)
    try:
        kit.wait_until("the sleeper is lost", lambda: _state(array, third) == "lost")
    finally:
        third.signal(signal.SIGCONT)


def _state(array: kit.Array, asleep: kit.Node) -> str:
    nodes = array.coordinator(besides=[asleep.name]).get("/v1/nodes")["items"]
    return next(str(node["state"]) for node in nodes if node["name"] == asleep.name)


def _check(array: kit.Array, node: kit.Node) -> None:
    names = []
    for job in node.jobs():
        assert job["state"] == "succeeded", job
        output = job["tasks"][0]["output"]
        path = array.san / output["path"].removeprefix("san:")
        assert (path.stat().st_size, kit.sha256_of(path)) == (output["bytes"], output["sha256"])
        names.append(path.name)
    assert len(names) == JOBS
    assert sorted(path.name for path in (array.san / "out").iterdir()) == sorted(names)
    kit.wait_until("no part is left", lambda: not list((array.san / ".fa" / "part").iterdir()), 150)
