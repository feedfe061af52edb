"""Servers that are let in and do not come, and those that are not let in: they cost the array no vote, the operator no
token, and no output goes to a mount point on which nothing is mounted."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from fa.node.volume_probe import IDENTITY
from tests.e2e import kit


def test_servers_that_join_and_never_come(array: kit.Array) -> None:
    """Two servers and a vote on a volume survive the loss of one, however many others joined and were never started.
    c is refused for its volume, then joins with the same token, then once more, and is started at last."""
    a = array.found("a", "--slots", "1", "--witness", "volume:san")
    b = array.join("b", "--slots", "1")
    array.wait_mirror()
    voters = ["a", "volume:san", "b"]
    kit.wait_until("the volume votes", lambda: sorted(a.get("/v1/mirror")["voters"]) == sorted(voters))

    empty, foreign = array.root / "empty", array.root / "foreign"
    empty.mkdir()
    (foreign / ".fa").mkdir(parents=True)
    (foreign / IDENTITY).write_text(json.dumps({"array_id": "z", "volume": "san"}))
    token, c = _token(a), array.make("c")
    for mount, said in ((foreign, "of another array"), (empty, "is it mounted?"), (array.root / "no", "no folder")):
        refusal = _join(array, c, token, mount)
        assert said in refusal and str(mount) in refusal, refusal
    assert list(empty.iterdir()) == []
    assert not (c.root / "fa.toml").exists()
    assert [node["name"] for node in a.get("/v1/nodes")["items"]] == ["a", "b"]
    assert _join(array, c, token, array.san) == ""
    assert "already" in _join(array, b, _token(a), array.san, folder="b2")
    (c.root / "fa.toml").unlink()
    assert _join(array, c, _token(a), array.san) == "", "nobody came under that name"
    assert _join(array, array.make("d"), _token(a), array.san) == ""

    a.kill()
    kit.wait_until("b leads", b.leads)
    assert sorted(b.get("/v1/mirror")["voters"]) == sorted(voters)
    array.nodes.append(c)
    c.start()
    kit.wait_until("c votes", lambda: "c" in b.get("/v1/mirror")["voters"])
    assert "d" not in b.get("/v1/mirror")["voters"]
    c.stop()
    assert "already" in _join(array, array.make("c"), _token(b), array.san, folder="c2"), "c did come"


def _token(node: kit.Node) -> str:
    return kit.fa("token", "create", "--dir", str(node.root), "--role", "node").strip()


def _join(array: kit.Array, node: kit.Node, token: str, san: Path, folder: str = "") -> str:
    """What `fa join` says on standard error; empty when it went well. The node is not started."""
    file = array.root / f"{node.name}.token"
    file.write_text(token)
    place = array.root / (folder or node.name)
    words = ["join", f"https://{array.coordinator().listen}", "--token-file", str(file), "--dir", str(place)]
    words += ["--node", node.name, "--listen", node.listen, "--volume", f"san={san}"]
    ran = subprocess.run([*kit.FA, *words], capture_output=True, text=True, check=False)
    return ran.stderr if ran.returncode else ""
