"""A node that is killed while it works on a local copy of its source leaves none behind."""

from __future__ import annotations

from tests.e2e import kit
from tests.e2e.held import Holder, factory


def test_a_local_copy_does_not_outlive_its_node(array: kit.Array) -> None:
    held = Holder(array)
    held.allow("a")
    node = array.found("a", "--slots", "1")
    node.post("/v1/factories", factory("long", "localise = true"))
    job = node.post("/v1/jobs", {"source": held.source("x"), "factory": "long"})["id"]
    scratch = node.root / "scratch"

    def copies() -> list[str]:
        return [path.name for path in scratch.iterdir() if not path.name.endswith(".go")]

    kit.wait_until("it works on a copy", lambda: len(copies()) == 1 and any((array.san / ".fa" / "part").iterdir()))
    (first,) = copies()
    node.kill()
    node.start()
    kit.wait_until("it begins anew", lambda: node.job(job)["tasks"][0]["attempt"] == 2)
    (second,) = kit.wait_until("it works on another copy", copies)
    assert first != second
    (scratch / f"{second}.go").touch()
    kit.wait_until("it is done", lambda: node.job(job)["state"] == "succeeded")
    kit.wait_until("nothing is left", lambda: not copies())
