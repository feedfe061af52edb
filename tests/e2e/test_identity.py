"""Who does not belong is refused with a sentence, somebody is told, and nothing is lost (SAFETY.md 15 to 17)."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import msgspec

from fa.core.array_messages import Append, Beat, BeatOk, Nack, Stored, Unable
from fa.core.position import EMPTY, Position
from fa.core.view import View
from fa.node.settings import StateDir, load
from fa.node.tokens import make_join_token, read_join_token
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope
from tests.e2e import kit, rogue
from tests.e2e.rogue import Rogue
from tests.e2e.test_failover import BODY, WAITS

OTHER_ARRAY = "6ba7b810-9dad-11d1-80b4-00c04fd430c9"
REFUSALS_MAX = 3  # after which a copy gives up its place (fa.core.array_follower)


def test_a_clone_and_other_versions(array: kit.Array) -> None:
    """Two processes with one name and one incarnation: the one that is linked stays, the other is told why it is not
    let in. So is a node that speaks an older or a newer language, or comes from another array."""
    array.found("a", "--slots", "1", "--witness", "volume:san")
    b = array.join("b", "--slots", "1")
    array.wait_mirror()
    kit.wait_until("the volume votes", lambda: len(array["a"].get("/v1/mirror")["voters"]) == 3)
    b.post("/v1/factories", WAITS)
    array["a"].stop()
    clone = _clone(array, array["a"])
    array["a"].start()
    array.wait_mirror()
    assert b.leads()
    epoch = b.status()["epoch"]

    clone.start()
    kit.wait_until("the clone is told why", lambda: "is a clone" in clone.tail())
    kit.wait_until("somebody is told", lambda: _alert(b, "second process runs as a"))
    assert (b.status()["epoch"], b.status()["mirror"]["state"]) == (epoch, "lock-step")
    assert clone.status()["coordinator"] is None
    assert b.post("/v1/jobs", BODY)["durability"] == "mirrored"
    clone.kill()

    array["a"].kill()
    kit.wait_until("b is alone", lambda: b.status()["secondaries"] == [])
    for version in (0, 2):
        told = rogue.as_node(array["a"].root, b, Rogue.refused, protocol=version)
        assert f"version {version}" in told and "same version of fa" in told, told
        kit.wait_until("somebody is told", lambda said=f"version {version}": _alert(b, said))  # type: ignore[misc]
    assert "not node a" in rogue.as_node(array["a"].root, b, Rogue.refused, array_id=OTHER_ARRAY)
    array["a"].start()
    array.wait_mirror()
    assert len(b.jobs()) == 1


def test_a_clone_of_the_one_that_decides(array: kit.Array) -> None:
    """Two servers without a third vote: the clone of the one whose vote decides does not lead beside it."""
    a = array.found("a", "--slots", "1", "--witness", "none")
    b = array.join("b", "--slots", "1")
    array.wait_mirror()
    a.stop()
    clone = _clone(array, a)
    a.start()
    array.wait_mirror()
    clone.start()
    kit.wait_until("the clone says why it does not lead", lambda: "does not take this node" in clone.status()["why"])
    kit.wait_until("somebody is told", lambda: _alert(a, "second process runs as a"))
    assert clone.request("POST", "/v1/factories", WAITS)[0] == 503
    assert clone.status()["coordinator"] is None
    assert a.leads() or b.leads()  # b, when it was in step as a stopped
    assert a.status()["mirror"]["state"] == "lock-step"


def test_bad_segments(array: kit.Array) -> None:
    """A flipped bit, a gap, an epoch that is over, another array: the copy stays as it is, and takes the right one."""
    a = array.found("a", "--slots", "1", "--witness", "none")
    b = array.join("b", "--slots", "1")
    array.wait_mirror()
    a.post("/v1/factories", WAITS)
    b.kill()
    for _ in range(3):
        a.post("/v1/jobs", BODY)
    a.kill()
    b.start()
    kit.wait_until("b answers", lambda: b.request("GET", "/healthz")[0] == 200)

    rogue.as_node(a.root, b, lambda peer: _bad_segments(peer, a))

    a.start()
    array.wait_mirror()
    kit.wait_until("somebody is told", lambda: _alert(a, "a segment was refused"))
    assert len(a.jobs()) == 3


async def _bad_segments(peer: Rogue, a: kit.Node) -> None:
    view = msgspec.convert(_record(a, "ballot")["accepted"], View)
    await peer.say(Beat(view, 1, EMPTY, False))
    at = (await peer.hear(BeatOk)).stored
    directory = ReplicaDirectory(a.root / "replica", read_only=True)
    (first, ltx), (second, after) = list(directory.segments(at, at.txid + 2, peer.hello.array_id, 1))

    async def ship(envelope: Envelope, ltx: bytes, epoch: int = view.epoch) -> None:
        append = Append(epoch, envelope.before, envelope.after, envelope.epoch, EMPTY)
        await peer.say(append, envelope.pack(ltx))

    flipped = bytearray(ltx)
    flipped[len(ltx) // 2] ^= 1
    for _ in range(REFUSALS_MAX - 1):
        await ship(first, bytes(flipped))
        await _stays(peer, at)
    await ship(first, bytes(flipped))
    assert "checksum" in (await peer.hear(Unable)).reason
    await ship(second, after)
    await _stays(peer, at)
    await ship(first, ltx, epoch=view.epoch - 1)
    assert (await peer.hear(Nack)).epoch == view.epoch
    await ship(replace(first, array_id=OTHER_ARRAY), ltx)
    assert "another array" in (await peer.hear(Unable)).reason
    await ship(first, ltx)
    assert (await peer.hear(Stored)).stored == first.after


async def _stays(peer: Rogue, at: Position) -> None:
    assert (await peer.hear(Stored)).stored == at


def test_join_tokens(array: kit.Array) -> None:
    """Mistyped, unknown, of another array, used, expired: each is refused in words, and no server becomes a node."""
    a = array.found("a", "--slots", "1")
    used, soon = _token(a, "1h"), _token(a, "1s")
    assert _join(array, "b", used) == ""
    array_id, pin = _array_id(a), read_join_token(used).pin
    bad = {
        used: "wrong, used or expired",
        soon: "wrong, used or expired",
        make_join_token(array_id, pin, 0, expires_at=None)[0]: "wrong, used or expired",
        make_join_token(array_id, bytes(32), 0, expires_at=None)[0]: "not the one that made the token",
        used[:-1] + ("A" if used[-1] != "A" else "B"): "not a join token",
    }
    kit.wait_some(1.1)  # the life of one of them
    for number, (token, said) in enumerate(bad.items()):
        refusal = _join(array, f"c{number}", token)
        assert said in refusal, refusal
        assert not (array.root / f"c{number}" / "fa.toml").exists()
        if said == "wrong, used or expired":
            kit.wait_until("somebody is told", lambda name=f"c{number}": _alert(a, f"calls itself {name} was refused"))  # type: ignore[misc]
    assert [node["name"] for node in a.get("/v1/nodes")["items"]] == ["a", "b"]


def _clone(array: kit.Array, node: kit.Node) -> kit.Node:
    """A copy of its state directory, which listens elsewhere."""
    clone = kit.Node(node.name, array.root / "clone")
    shutil.copytree(node.root, clone.root, ignore=shutil.ignore_patterns("fa.sock"))
    settings = clone.root / "fa.toml"
    settings.write_text(settings.read_text().replace(node.listen, clone.listen))
    array.nodes.append(clone)
    return clone


def _alert(node: kit.Node, text: str) -> bool:
    return any(text in alert["text"] for alert in node.get("/v1/alerts?all=true")["items"])


def _array_id(node: kit.Node) -> str:
    return load(StateDir(node.root)).array.id


def _record(node: kit.Node, name: str) -> Any:
    return json.loads((node.root / "vote" / f"{name}.json").read_text().splitlines()[0])


def _token(node: kit.Node, ttl: str) -> str:
    return kit.fa("token", "create", "--dir", str(node.root), "--role", "node", "--ttl", ttl).strip()


def _join(array: kit.Array, name: str, token: str) -> str:
    """What `fa join` says on standard error; empty when it went well."""
    node = array.make(name)
    file = array.root / f"{name}.token"
    file.write_text(token)
    words = ["join", f"https://{array['a'].listen}", "--token-file", str(file), "--dir", str(node.root)]
    ran = subprocess.run(
        [*kit.FA, *words, "--node", name, "--listen", node.listen], capture_output=True, text=True, check=False
    )
    return ran.stderr if ran.returncode else ""
