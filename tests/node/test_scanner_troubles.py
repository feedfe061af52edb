"""The helper that watches a folder, when one file in it is trouble: no other waits for that."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from fa.core.watch_messages import AfterOrder
from fa.node import scan
from fa.node.beneath import open_at
from fa.node.volume_probe import IDENTITY
from tests.node.test_scanner import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    yield Site(tmp_path / "san", monkeypatch)


@pytest.mark.parametrize("encoding", ["none-such", "shift_jis", "utf-7", "rot13", "idna", "undefined"])
def test_a_ticket_in_an_encoding_that_nobody_reads_is_refused(site: Site, encoding: str) -> None:
    site.begin(tickets=True)
    text = f'<?xml version="1.0" encoding="{encoding}"?><ticket><source>clip.mxf</source></ticket>'
    site.write("strange.xml", text.encode())
    site.write("well.xml", b"<ticket><source>clip.mxf</source></ticket>")
    found = {each["path"]: each.get("ticket_error", "") for each in site.settle()}
    assert "cannot be read" in found["strange.xml"] and found["well.xml"] == ""


def test_a_move_that_fails_does_not_stop_the_quiet_time_of_others(site: Site) -> None:
    site.begin(after="move:done")
    status = site.write("old.mxf").stat()
    for name in ("old.mxf", "old~7.mxf"):
        site.write(f"done/{name}")
    order = AfterOrder(7, 1, "watch/in/old.mxf", status.st_size, status.st_mtime_ns, "done", "")
    site.write("new.mxf")
    site.look()
    for _ in range(3):
        site.now += 2.0
        assert "cannot be moved" in site.scanner.after({"after": asdict(order)})["error"]
        ready = [found["path"] for found in site.look()["ready"]]
    assert "new.mxf" in ready, "it stood still for 6 s; 5 are asked for"


def test_a_path_that_is_too_long_holds_no_other_file_back(site: Site) -> None:
    site.begin(recursive=True, depth=64)
    site.write("a.mxf")
    site.write("z/b.mxf")
    here = os.open(site.folder, os.O_RDONLY)
    for _ in range(18):
        os.mkdir("n" * 250, dir_fd=here)
        below = os.open("n" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert site.ready() == ["a.mxf", "z/b.mxf"]
    told = site.look()
    assert told["state"] == "error" and "too long" in told["why"]


@pytest.mark.parametrize("becomes", ["link", "file", "nothing"])
def test_a_folder_that_is_replaced_during_a_look_holds_no_other_file_back(
    site: Site, monkeypatch: pytest.MonkeyPatch, becomes: str
) -> None:
    site.begin(recursive=True)
    site.write("z/b.mxf")
    site.write("x/a.mxf")

    def replaced(root: int, path: str, flags: int, mode: int = 0) -> int:
        if path == "x" and (site.folder / "x").is_dir():
            shutil.rmtree(site.folder / "x")
            if becomes == "link":
                (site.folder / "x").symlink_to("z", target_is_directory=True)
            elif becomes == "file":
                (site.folder / "x").write_bytes(b"")
        return open_at(root, path, flags, mode)

    monkeypatch.setattr(scan, "open_at", replaced)
    told = site.look()
    assert (told["state"], told["settling"] + told["seen"] > 0) == ("watching", True)
    assert [found["path"] for found in site.look(6.0)["ready"]] == ["z/b.mxf"]


def test_a_mount_point_of_any_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """On NFS a lease is given to nobody: a file there seemed to be held open for ever."""
    lines = [
        "21 1 8:1 / / rw - ext4 /dev/sda rw\n",
        "22 21 0:50 / /mnt/映像\\040one rw - nfs4 nas:/x rw\n",
        "23 21 0:51 / /mnt/b\\134x rw - cifs //nas/x rw\n",
    ]
    monkeypatch.setattr("builtins.open", lambda *_, **__: contextlib.nullcontext(lines))
    found = [scan.is_local(root) for root in ("/mnt/映像 one", "/mnt/映像 one/below", "/mnt/b\\x", "/srv")]
    assert found == [False, False, False, True]


def test_beside_a_folder_that_may_not_be_read_what_is_gone_is_forgotten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ten minutes it was named as what cannot be opened, for ever."""

    def guarded(root_fd: int, path: str, flags: int, mode: int = 0) -> int:
        if path == "locked":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open_at(root_fd, path, flags, mode)

    site.begin(recursive=True)
    site.write("locked/a.mxf")
    file = site.write("gone.mxf", b"")
    monkeypatch.setattr(scan, "open_at", guarded)
    assert site.ready() == [], "it is empty still"
    file.unlink()
    for _ in range(3):
        told = site.look(700.0)
    assert (told["state"], told["settling"], told["refused"]) == ("error", 0, 0)
    assert "locked" in told["why"] and "gone.mxf" not in told["why"]


def test_an_identity_that_nobody_can_read_is_none(site: Site) -> None:
    site.write("a.mxf")
    (site.root / IDENTITY).write_bytes(b"[" * 2000)
    told = site.look()
    assert told["state"] == "disconnected" and "identity" in told["why"]
