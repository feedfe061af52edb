"""`/v1/volumes/{name}/files`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fa.node.api.render import stamp
from fa.node.gateway import VolumeStatus
from tests.node.api.fake import Site, member


@pytest.fixture
def files(one: Site) -> Path:
    """The folder that volume `san` is."""
    one.node.seen_volumes[:] = [VolumeStatus("san", "a", "/mnt/san", "healthy")]
    one.node.logs.mkdir(exist_ok=True)
    return one.node.logs


async def test_a_folder_of_a_volume(one: Site, files: Path) -> None:
    (files / "in").mkdir()
    (files / "in" / "a.mxf").write_bytes(b"123")
    Path(os.fsdecode(os.fsencode(files / "in") + b"/b\xff.mxf")).touch()
    status, told = await one.get("/v1/volumes/san/files?path=in/")
    assert (status, told["volume"], told["path"], told["node"], told["next"]) == (200, "san", "in", "a", None)
    first, second = told["items"]
    assert (first["name"], first["kind"], first["place"], first["bytes"]) == ("a.mxf", "file", "san:in/a.mxf", 3)
    assert first["exact"] and not second["exact"] and second["name"] == "b\\xff.mxf"
    _, root = await one.get("/v1/volumes/san/files")
    assert [(item["place"], item["kind"], item["bytes"]) for item in root["items"]] == [("san:in", "folder", None)]


@pytest.mark.parametrize(
    ("at_ms", "shown"),
    [
        (2**53, "9999-12-31T23:59:59.999Z"),
        (-(2**53), "0001-01-01T00:00:00.000Z"),
        (-62_000_000_000_001, "0005-04-19T09:46:39.999Z"),
        (0, "1970-01-01T00:00:00.000Z"),
    ],
)
def test_a_file_may_bear_any_time(at_ms: int, shown: str) -> None:
    """Servers of shares give out times that no calendar has; the folder is listed all the same."""
    assert stamp(at_ms) == shown


async def test_pages(one: Site, files: Path) -> None:
    for name in "abc":
        (files / name).touch()
    _, first = await one.get("/v1/volumes/san/files?limit=2")
    _, second = await one.get(f"/v1/volumes/san/files?limit=2&after={first['next']}")
    assert [item["name"] for item in first["items"] + second["items"]] == ["a", "b", "c"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ("san/files?path=../..", 400, "'..'"),
        ("san/files?path=/etc", 400, "absolute"),
        ("san/files?path=nowhere", 404, "There is no folder san:nowhere"),
        ("nas/files", 404, "There is no volume nas"),
        ("a%2e%2e/files", 400, "names no volume"),
        ("san/files?limit=0", 400, "limit"),
        ("san/files?after=!", 400, "cursor"),
    ],
)
async def test_what_is_not_there(one: Site, files: Path, asked: str, status: int, words: str) -> None:
    told, problem = await one.get(f"/v1/volumes/{asked}")
    assert told == status and words in problem["detail"]


async def test_only_nodes_that_can_read_it_are_asked(one: Site, files: Path) -> None:
    one.node.members[:] = [member("a", state="lost")]
    status, problem = await one.get("/v1/volumes/san/files")
    assert status == 504 and "No node of the array can read volume san" in problem["detail"]
    assert (await one.get("/v1/peer/volumes/san/files"))[0] == 403, "for other nodes"


async def test_who_only_looks_sees_no_names_of_files(one: Site, files: Path) -> None:
    for role, expected in (("viewer", 403), ("operator", 200)):
        async with one.remote.get(f"{one.url}/v1/volumes/san/files", headers=one.bearer(role)) as answer:
            assert answer.status == expected
