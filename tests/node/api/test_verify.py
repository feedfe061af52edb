"""The coordinator has every complete copy looked at, its own and those of others, and says what is wrong with which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fa.errors import Unavailable
from fa.node.api.forward import Forwarder
from tests.node.api.fake import Site, member

AT = {"txid": 34, "checksum": "b7ac8bf9dca2b929"}
GOOD = {**AT, "pages": 52, "files": 40, "litestream": "identical", "problems": []}
COPIES = [
    {"node": "a", "role": "coordinator", "state": "complete"},
    {"node": "b", "role": "secondary", "state": "in-sync"},
    {"node": "c", "role": "learner", "state": "syncing"},
]


class Array:
    """What each node finds, and who was asked what."""

    def __init__(self, one: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: dict[str, Mapping[str, Any] | Exception] = {"a": GOOD, "b": GOOD}
        self.asked: list[tuple[str, Any]] = []
        one.node.members = [member("a"), member("b", "https://b.example:1")]
        monkeypatch.setattr(one.node, "mirror", self._mirror)
        monkeypatch.setattr(Forwarder, "ask_node", self._ask)

    async def _mirror(self, action: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if action == "status":
            return {**AT, "copies": COPIES}
        assert action == "examine"
        return self._answer("a", arguments)

    async def _ask(self, call: Any, node: str, url: str, body: Any, patience_seconds: float) -> Any:
        assert url == f"https://{node}.example:1/v1/peer/examine"
        return self._answer(node, body)

    def _answer(self, node: str, at: Any) -> Mapping[str, Any]:
        self.asked.append((node, at))
        found = self.found[node]
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def array(one: Site, monkeypatch: pytest.MonkeyPatch) -> Array:
    return Array(one, monkeypatch)


async def test_all_complete_copies_are_held_against_one_position(one: Site, array: Array) -> None:
    status, told = await one.post("/v1/mirror/verify")
    assert (status, told["ok"]) == (200, True)
    assert sorted(array.asked) == [("a", AT), ("b", AT)], "the copy of c is not complete yet"
    assert [node["role"] for node in told["nodes"]] == ["coordinator", "secondary"]
    assert told["words"][1] == (
        "b (secondary): well. 52 pages of the store and 40 segment files were read; transaction 34 was restored by fa "
        "and by litestream, with the same bytes."
    )


async def test_one_that_is_not_well_is_named(one: Site, array: Array) -> None:
    array.found["b"] = {**GOOD, "problems": ["It rots.", "The copies differ."]}
    _, told = await one.post("/v1/mirror/verify")
    assert not told["ok"]
    assert [node["ok"] for node in told["nodes"]] == [True, False]
    assert told["words"][1] == "b (secondary): NOT well. It rots. The copies differ."


@pytest.mark.parametrize("name", ["a", "b"])
async def test_one_that_does_not_answer_is_not_well(one: Site, array: Array, name: str) -> None:
    array.found[name] = Unavailable(f"Node {name} did not answer.")
    _, told = await one.post("/v1/mirror/verify")
    assert not told["ok"]
    assert [node["node"] for node in told["nodes"] if not node["ok"]] == [name]


async def test_one_node_alone(one: Site, array: Array) -> None:
    array.found["a"] = {**GOOD, "problems": ["It rots."]}
    _, told = await one.post("/v1/mirror/verify?node=b")
    assert told["ok"]
    assert array.asked == [("b", AT)]
    for name in ("c", "z"):
        status, problem = await one.post(f"/v1/mirror/verify?node={name}")
        assert status == 404
        assert "no complete copy of the store; a, b do" in problem["detail"]


async def test_only_nodes_may_ask_a_node(one: Site) -> None:
    assert (await one.post("/v1/peer/examine", json=AT))[0] == 403
