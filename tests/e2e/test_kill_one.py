"""One server, killed again and again: nothing acknowledged is lost, nothing half-written is seen."""

from __future__ import annotations

from random import Random

from tests.e2e import kit

JOBS = 30
KILLS = 20


def test_twenty_kills_during_thirty_jobs(array: kit.Array) -> None:
    """kill -9 at random moments, restarted each time: every job succeeds once, every file matches its sha256."""
    node = array.found("a", "--slots", "2")
    node.post("/v1/factories", kit.PROXY)
    kit.make_clip(array.san / "in" / "clip.mp4", 1.0)
    numbers = [
        node.post("/v1/jobs", {"source": "san:in/clip.mp4", "factory": "proxy"}, key=f"k{n}")["id"] for n in range(JOBS)
    ]
    rng = Random(7)
    for _ in range(KILLS):
        moment = rng.uniform(0.0, 1.5)
        kit.wait_some(moment)
        node.kill()
        node.start()
        kit.wait_until("it leads again", node.leads)
    kit.wait_until("all jobs ended", lambda: kit.all_ended(node, JOBS), 240)
    _check(array, node, numbers)


def _check(array: kit.Array, node: kit.Node, numbers: list[int]) -> None:
    jobs = node.jobs()
    assert [job["id"] for job in jobs] == numbers
    expected = {}
    for job in jobs:
        assert job["state"] == "succeeded", job
        output = job["tasks"][0]["output"]
        path = array.san / output["path"].removeprefix("san:")
        assert (path.stat().st_size, kit.sha256_of(path)) == (output["bytes"], output["sha256"])
        expected[path.name] = job["id"]
    assert sorted(path.name for path in (array.san / "out").iterdir()) == sorted(expected)
    kit.wait_until("no part is left over", lambda: not list((array.san / ".fa" / "part").iterdir()))
