"""A newer fa beside older ones in one array (SAFETY.md 16)."""

from __future__ import annotations

import shutil
from pathlib import Path

import fa
from tests.e2e import kit
from tests.e2e.test_failover import BODY, WAITS


def newer(root: Path) -> list[str]:
    """What runs the commands of a node of the next release, whose store has one table more."""
    program = root / "newer"
    shutil.copytree(Path(fa.__file__).parent, program / "fa", ignore=shutil.ignore_patterns("__pycache__"))
    (program / "fa/store/schema/9999_later.sql").write_text("CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT;\n")
    return ["env", "-C", str(program)]


def upgrade(node: kit.Node, inside: list[str]) -> None:
    node.stop()
    node.inside = inside
    node.start()


def test_servers_are_upgraded_one_by_one(array: kit.Array) -> None:
    """The older one leads while there is one; a store that the newer one wrote is followed by an older one, which does
    not lead with it, says why, and is as good as before once it is upgraded."""
    a = array.found("a", "--slots", "1")
    b, c = (array.join(name, "--slots", "1") for name in "bc")
    array.wait_whole()
    a.post("/v1/factories", WAITS)
    a.post("/v1/jobs", BODY)
    inside = newer(array.root)

    upgrade(b, inside)
    array.wait_whole()
    a.kill()
    kit.wait_until("c leads, though b comes before it by name", c.leads)
    c.post("/v1/jobs", BODY)

    c.kill()
    kit.wait_until("nobody else is left: two of three voters are gone", lambda: b.status()["coordinator"] is None)
    a.start()
    kit.wait_until("the newer one leads", b.leads)
    array.wait_mirror()
    b.post("/v1/jobs", BODY)
    c.start()
    array.wait_whole()

    b.kill()
    kit.wait_until("it says why it does not lead", lambda: "written by a newer fa" in a.status()["why"])
    assert a.status()["health"] == "down" and not a.leads() and not c.leads()

    upgrade(a, inside)
    kit.wait_until("a leads", a.leads)
    array.wait_mirror()
    assert len(a.jobs()) == 3
