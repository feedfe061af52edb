"""Looking into folders of a volume: pages, hostile names, links, a mount that hangs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from fa.core.places import BadPlace, Place
from fa.errors import Invalid, NotFound
from fa.node.browse import Browser, VolumeSilent, look, place_of


def ask(root: Path, path: str = "", after: str = "", limit: int = 100) -> dict[str, Any]:
    return look({"root": str(root), "path": path, "after": after, "limit": limit})


def names(told: dict[str, Any]) -> list[str]:
    return [item["name"] for item in told["items"]]


def test_a_folder_shows_what_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / ".fa").mkdir()
    (tmp_path / "a.mxf").write_bytes(b"12345")
    os.utime(tmp_path / "a.mxf", ns=(0, 1_700_000_000_123_456_789))
    told = ask(tmp_path)
    assert told["next"] is None
    assert told["items"][0] == {"name": "a.mxf", "kind": "file", "mtime_ms": 1_700_000_000_123, "bytes": 5}
    assert [(item["name"], item["kind"]) for item in told["items"]] == [("a.mxf", "file"), ("in", "folder")]
    (tmp_path / "in" / ".fa").mkdir()
    assert names(ask(tmp_path, "in")) == [".fa"], "only at the root is it ours"


async def test_pages_lead_through_a_folder_of_any_size(tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"clip-{number:02}.mxf").touch()
    browser, seen, cursor = Browser(), [], ""
    while cursor is not None:
        told = await browser.look(str(tmp_path), Place("san", ""), cursor, 10)
        seen += names(dict(told))
        cursor = told["next"]
        assert len(told["items"]) <= 10
    assert seen == [f"clip-{number:02}.mxf" for number in range(25)]
    with pytest.raises(Invalid):
        await browser.look(str(tmp_path), Place("san", ""), "é", 10)


async def test_hostile_names(tmp_path: Path) -> None:
    nasty = [b"\xff\xfe.mxf", "\u202egnp.mxf".encode(), b"new\nline", b"'; --", "映画.mxf".encode(), b"\x1b[2J"]
    for name in nasty:
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).touch()
    browser, seen, cursor = Browser(), [], ""
    while cursor is not None:
        told = await browser.look(str(tmp_path), Place("san", ""), cursor, 1)
        seen += [os.fsencode(name) for name in names(dict(told))]
        cursor = told["next"]
    assert seen == sorted(nasty)


@pytest.mark.parametrize("path", ["out", "out/etc", "in/up", "clip.mxf", "nowhere", "pipe"])
async def test_nothing_outside_is_seen(tmp_path: Path, path: str) -> None:
    root = tmp_path / "san"
    (root / "in").mkdir(parents=True)
    (root / "clip.mxf").touch()
    (root / "out").symlink_to("/")
    (root / "in" / "up").symlink_to("..")
    os.mkfifo(root / "pipe")
    kinds = {item["name"]: item["kind"] for item in ask(root)["items"]}
    assert kinds == {"in": "folder", "clip.mxf": "file", "out": "other", "pipe": "other"}
    with pytest.raises(NotFound):
        await Browser().look(str(root), Place("san", path), "", 10)


@pytest.mark.parametrize("path", ["..", "in/../..", "/etc", "a//b", "./in", "a\0b", "x" * 5000])
def test_a_path_is_beneath_the_root(path: str) -> None:
    with pytest.raises(BadPlace):
        place_of("san", path)


def test_the_root_and_a_slash_at_the_end() -> None:
    assert place_of("san", "") == place_of("san", "/") == Place("san", "")
    assert place_of("san", "in/") == Place("san", "in")
    with pytest.raises(BadPlace):
        place_of("../etc", "")


async def test_a_mount_that_hangs_is_asked_once(tmp_path: Path) -> None:
    """The first look ends in time; the next ones at once, until the first was answered."""
    go, log = tmp_path / "go", tmp_path / "log"
    os.mkfifo(go)
    script = (
        f"import sys; open({str(log)!r}, 'a').write('started\\n'); [open({str(go)!r}).read() or "
        'print(\'{"items": [], "next": null}\', flush=True) for _ in sys.stdin]'
    )
    browser = Browser([sys.executable, "-c", script], timeout=5.0)
    browser._timeout = 0.2
    for words in ("did not answer within", "has not answered an earlier look"):
        with pytest.raises(VolumeSilent, match=words):
            await browser.look("/mnt", Place("san", ""), "", 10)
    go.write_text("")
    helper = browser._helpers["san"]
    assert helper._answer is not None
    await helper._answer
    browser._timeout = 30.0
    looking = browser.look("/mnt", Place("san", ""), "", 10)
    assert (await _while_opened(go, looking))["items"] == []
    assert log.read_text().count("started") == 1
    await browser.stop()


async def _while_opened(fifo: Path, looking: Any) -> Any:
    import asyncio

    task = asyncio.create_task(looking)
    await asyncio.to_thread(fifo.write_text, "")
    return await task
