"""Three nodes share the work; a worker dies, the coordinator dies, a third is stopped and wakes: it all gets done, and
what ran elsewhere at each of these moments goes on."""

from __future__ import annotations

import functools
import os
import signal
import time

from tests.e2e import kit

JOBS = int(os.environ.get("FA_CLIPS", "12"))
SLEEP = 10.0  # seconds
URGENT = kit.PROXY.replace('name = "proxy"', 'name = "urgent"\npriority = "high"', 1).replace(
    "{product}", "{product}-u"
)

Ran = tuple[int, int, str]  # job, number of the attempt, node


def test_a_worker_then_the_coordinator_die_and_a_third_sleeps(array: kit.Array) -> None:
    for name in "abc":
        (array.found if name == "a" else array.join)(name, "--slots", "1")
    array.wait_whole()
    leader = array.coordinator()
    leader.post("/v1/factories", kit.PROXY)
    leader.post("/v1/factories", URGENT)
    for n in range(JOBS):
        kit.make_clip(array.san / "in" / f"clip{n}.mp4", 5.0)

    _submit(array, range(JOBS // 3))
    worker = next(node for node in array.nodes if node is not leader)
    untouched = _while_all_run(array, worker)
    worker.kill()
    kit.wait_until("its loss is noticed", lambda: array.state_of(worker.name) == "lost")
    _check_went_on(array, untouched)
    worker.start()
    array.wait_whole()

    leader = array.coordinator()
    _submit(array, range(JOBS // 3, 2 * JOBS // 3))
    untouched = _while_all_run(array, leader)
    leader.kill()
    second = array.coordinator()
    _check_went_on(array, untouched)
    leader.start()
    array.wait_whole()

    _submit(array, range(2 * JOBS // 3, JOBS))
    second = array.coordinator()
    third = next(node for node in array.nodes if node is not second)
    untouched = _while_all_run(array, third)
    _stop_and_wake(array, third)
    _check_went_on(array, untouched)

    kit.wait_until("all jobs ended", lambda: kit.all_ended(array.coordinator(), JOBS), 300)
    _check(array, array.coordinator())


def _submit(array: kit.Array, numbers: range) -> None:
    """All at once, when every clip is there: on a fast machine one alone is done before the next is made."""
    for n in numbers:
        body = {"source": f"san:in/clip{n}.mp4", "factory": "urgent" if n % 3 == 0 else "proxy"}
        array.coordinator().post("/v1/jobs", body)


def _running(array: kit.Array) -> set[Ran]:
    node = array.coordinator()
    details = [node.get(f"/v1/jobs/{job['id']}") for job in node.jobs("state:running")]
    tries = [(job["id"], each) for job in details for each in job["attempts"]]
    return {(job, each["number"], each["node"]) for job, each in tries if each["state"] == "running"}


def _while_all_run(array: kit.Array, victim: kit.Node) -> set[Ran]:
    """What runs on the others at a moment when each node runs something; the victim is about to be hit."""

    def busy() -> set[Ran]:
        found = _running(array)
        return found if {node for _, _, node in found} == {node.name for node in array.nodes} else set()

    return {ran for ran in kit.wait_until("each node runs something", busy) if ran[2] != victim.name}


def _check_went_on(array: kit.Array, untouched: set[Ran]) -> None:
    """None of these was begun again: each ends well itself."""
    for ran in untouched:
        ended = kit.wait_until(f"{ran} ended", functools.partial(_end_of, array, ran))
        assert ended == "succeeded", f"{ran} was left alone, and {ended}"


def _end_of(array: kit.Array, ran: Ran) -> str:
    """How that attempt ended; empty while it has not."""
    attempts = array.coordinator().get(f"/v1/jobs/{ran[0]}")["attempts"]
    state = next(str(each["state"]) for each in attempts if each["number"] == ran[1])
    return "" if state in ("running", "publishing") else state


def _stop_and_wake(array: kit.Array, third: kit.Node) -> None:
    """SIGSTOP until its work was given away, then SIGCONT: it wakes with attempts that do not count any more."""
    began = time.monotonic()
    third.signal(signal.SIGSTOP)
    try:
        kit.wait_until("the sleeper is lost", lambda: _state(array, third) == "lost")
        kit.wait_until("it slept for long", lambda: time.monotonic() - began >= SLEEP)
    finally:
        third.signal(signal.SIGCONT)


def _state(array: kit.Array, asleep: kit.Node) -> str:
    nodes = array.coordinator(besides=[asleep.name]).get("/v1/nodes")["items"]
    return next(str(node["state"]) for node in nodes if node["name"] == asleep.name)


def _check(array: kit.Array, node: kit.Node) -> None:
    names = []
    for job in node.jobs():
        assert job["state"] == "succeeded", job
        attempts = node.get(f"/v1/jobs/{job['id']}")["attempts"]
        assert [each["state"] for each in attempts].count("succeeded") == 1, attempts
        output = job["tasks"][0]["output"]
        path = array.san / output["path"].removeprefix("san:")
        assert (path.stat().st_size, kit.sha256_of(path)) == (output["bytes"], output["sha256"])
        names.append(path.name)
    assert len(names) == JOBS
    assert sorted(path.name for path in (array.san / "out").iterdir()) == sorted(names)
    kit.wait_until("no part is left", lambda: not list((array.san / ".fa" / "part").iterdir()), 150)
