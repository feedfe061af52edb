"""`fa mirror verify` looks at every copy, whichever node it is asked on: what rotted on the secondary is found."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from tests.e2e import kit
from tests.e2e.test_failover import BODY, WAITS


def test_what_rotted_on_the_secondary_is_found_from_any_node(array: kit.Array) -> None:
    a = array.found("a", "--slots", "1", "--witness", "none")
    b = array.join("b", "--slots", "1")
    array.wait_mirror()
    a.post("/v1/factories", WAITS)
    for number in range(20):
        a.post("/v1/jobs", {**BODY, "subject": f"{number:03}" * 100})
    for node in (a, b):
        code, told = _verify(node)
        assert code == 0, told
        assert [(each["node"], each["ok"], each["litestream"]) for each in told["nodes"]] == [
            ("a", True, "identical"),
            ("b", True, "identical"),
        ]

    damaged = max(b.root.glob("replica/ltx/0/*.ltx"), key=lambda path: path.name)
    raw = bytearray(damaged.read_bytes())
    raw[len(raw) // 2] ^= 1
    damaged.write_bytes(raw)
    store = os.open(b.root / "store" / "fa.db", os.O_RDWR)
    os.pwrite(store, b"#ROT#", os.fstat(store).st_size - 2000)
    os.close(store)
    for node in (a, b):
        code, told = _verify(node)
        assert code == 1
        well, ill = told["nodes"]
        assert well["ok"]
        assert (ill["node"], ill["ok"], len(ill["rotten"])) == ("b", False, 1)
        assert ill["damaged"] == [str(damaged.relative_to(b.root / "replica"))]
    assert _verify(b, "--node", "a")[0] == 0
    words = subprocess.run([*kit.FA, "mirror", "verify", "--dir", str(a.root)], capture_output=True, text=True)
    assert "a (coordinator): well." in words.stdout
    assert "b (secondary): NOT well. 1 page is not what was written" in words.stdout


def _verify(node: kit.Node, *words: str) -> tuple[int, Any]:
    command = [*kit.FA, "mirror", "verify", "-o", "json", *words, "--dir", str(node.root)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return ran.returncode, json.loads(ran.stdout or "null")
