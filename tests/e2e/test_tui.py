"""The dashboard on a real array while its coordinator dies: the screen goes on and says what happened."""

from __future__ import annotations

from pathlib import Path

from tests.e2e import kit
from tests.e2e.load import Load
from tests.e2e.screen import Screen

WAITS = kit.PROXY.replace('name = "proxy"', 'name = "waits"\nrequires = ["tag:nowhere"]', 1)


def test_a_folder_is_shown_by_a_node_that_has_it(array: kit.Array, tmp_path: Path) -> None:
    """The coordinator does not have the volume; a person asks it nevertheless."""
    (tmp_path / "nas" / "news").mkdir(parents=True)
    (tmp_path / "nas" / "news" / "late.mov").write_bytes(b"12345")
    a = array.found("a")
    array.join("b", "--volume", f"nas={tmp_path / 'nas'}")
    place = ["--dir", str(a.root)]

    def listed() -> bool:
        return "nas:news/late.mov" in a.fa("volume", "files", "nas:news", "-q", *place)

    kit.wait_until("b offers the volume", listed)
    assert a.fa("volume", "files", "nas", "-o", "json", *place).count('"folder"') == 1
    assert a.get("/v1/volumes/nas/files?path=news")["node"] == "b"


def test_the_screen_goes_on_when_the_coordinator_dies(array: kit.Array, tmp_path: Path) -> None:
    a = array.found("a", "--slots", "1")
    array.join("b", "--slots", "1")
    array.join("c", "--slots", "1")
    array.wait_mirror()
    a.post("/v1/factories", WAITS)
    token = tmp_path / "token"
    token.write_text(a.fa("token", "create", "--dir", str(a.root), "--role", "operator"))
    doors = ",".join(f"https://{node.listen}" for node in array.nodes)
    reach = ["--addr", doors, "--token-file", str(token), "--cacert", str(a.root / "tls" / "ca.pem")]
    screen = Screen([*kit.FA, "tui", *reach, "--refresh", "500ms"])
    with Load(array, {"source": "san:in/clip.mxf", "factory": "waits"}):
        screen.until(b"LOCK-STEP")
        leader = array.coordinator()
        leader.kill()
        screen.until(f"the lead moved from {leader.name} to ".encode())
    heir = array.coordinator()
    screen.press(b"6")
    screen.until(b"take-over ")  # the history, as the node tells it
    screen.press(b"2")
    heir.post("/v1/jobs", {"source": "san:in/after.mxf", "factory": "waits"})
    screen.until(b"in/after.mxf")
    screen.press(b"q")
    assert screen.over() == 0
