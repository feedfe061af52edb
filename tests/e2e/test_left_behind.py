"""Work that its node or its coordinator leaves behind: a granted publish is finished by whoever is there, and a node
that reaches no coordinator ends what it encodes."""

from __future__ import annotations

from pathlib import Path

from tests.e2e import kit
from tests.e2e.held import Holder, factory

OF_THE_NODE = ("before Publish", "publish ready", "publish renamed", "before Tell Report 2")
OF_THE_COORDINATOR = (
    "before Commit AskPublish",
    "before Tell Grant",
    "after Tell Grant",
    "before Commit FinishAttempt",
)


def _pair(array: kit.Array, held: Holder, *options: str, **sections: dict[str, object]) -> kit.Node:
    """Two servers, of which only b may start the tool."""
    held.allow("b", **sections)
    a = array.found("a", "--slots", "1", *options)
    array.join("b", "--slots", "1")
    array.wait_mirror()
    a.post("/v1/factories", factory("long"))
    return a


def _submit(node: kit.Node, source: str) -> int:
    return int(node.post("/v1/jobs", {"source": source, "factory": "long"})["id"])


def _parts(array: kit.Array) -> list[Path]:
    return list((array.san / ".fa").glob("part/*"))


def _check(array: kit.Array, job: int, words: str) -> None:
    """By its first attempt, with the file that was granted, and nothing beside it."""
    leader = array.coordinator()
    kit.wait_until("it succeeded", lambda: leader.job(job)["state"] == "succeeded")
    task = leader.job(job)["tasks"][0]
    assert (task["attempt"], task["node"]) == (1, "b"), leader.job(job)["attempts"]
    path = array.san / task["output"]["path"].removeprefix("san:")
    assert path.read_text() == words
    assert kit.sha256_of(path) == task["output"]["sha256"]
    assert len(list((array.san / "out").iterdir())) == job
    assert not _parts(array)


def test_the_publish_of_a_node_that_died_is_finished_by_another(array: kit.Array) -> None:
    """While it is dead; when it is back it changes nothing."""
    held = Holder(array)
    a = _pair(array, held)
    b = array["b"]
    for number, point in enumerate(OF_THE_NODE):
        b.stop()
        b.start({"FA_FAILPOINT": point})
        job = _submit(a, held.source(f"{number}.txt", go=True))
        kit.wait_until(f"b died {point}", lambda: not b.alive)
        _check(array, job, f"{number}.txt")
        b.start()
        kit.wait_until("b is back", lambda: array.state_of("b") == "up")
        _check(array, job, f"{number}.txt")


def test_what_a_coordinator_granted_or_did_not_is_done_by_the_next(array: kit.Array) -> None:
    """Its node goes on meanwhile, and does not encode again."""
    held = Holder(array)
    a = _pair(array, held, "--witness", "volume:san")
    b = array["b"]
    kit.wait_until("the volume votes", lambda: len(a.get("/v1/mirror")["voters"]) == 3)
    for number, point in enumerate(OF_THE_COORDINATOR):
        if a.alive:
            a.stop()
        a.start({"FA_FAILPOINT": point})
        array.wait_whole()
        b.post("/v1/mirror/switchover", {"node": "a"})
        kit.wait_until("a leads", a.leads)
        job = _submit(a, held.source(f"{number}.txt", go=True))
        kit.wait_until(f"a died {point}", lambda: not a.alive)
        _check(array, job, f"{number}.txt")


def test_nothing_is_given_to_a_node_that_stops_in_order(array: kit.Array) -> None:
    """It had nothing to do, and is not lost yet."""
    held = Holder(array)
    a = _pair(array, held)
    array["b"].stop()
    job = _submit(a, held.source("x.txt", go=True))
    assert a.job(job)["attempts"] == []
    array["b"].start()
    _check(array, job, "x.txt")


def test_a_node_that_reaches_no_coordinator_ends_what_it_encodes(array: kit.Array) -> None:
    held = Holder(array)
    a = _pair(array, held, "--witness", "none", timing={"orphan_after": 3.0})
    job = _submit(a, held.source("x.txt"))
    kit.wait_until("b works on it", lambda: _parts(array) and held.running())
    a.kill()
    kit.wait_until("it was ended", lambda: not _parts(array) and not held.running())
    assert array["b"].status()["coordinator"] is None
    a.start()
    array.wait_whole()
    held.let_go("x.txt")
    kit.wait_until("it is done again", lambda: a.job(job)["state"] == "succeeded")
    first, second = a.job(job)["attempts"]
    assert (first["state"], first["error"], second["state"]) == ("lost", "b stopped it", "succeeded")
