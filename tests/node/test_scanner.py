"""The helper that watches a folder, on a real file system, with what else may lie in one."""

from __future__ import annotations

import base64
import errno
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from fa.core.arrivals import pack_keys, stat_key
from fa.core.ticket import BYTES_MAX
from fa.core.watch_messages import AfterOrder
from fa.node import scan, scanner
from fa.node.beneath import open_at
from fa.node.preview import look as preview
from fa.node.scanner import Scanner
from fa.node.volume_probe import adopt

QUESTION = {"scan": True, "give": 100, "heard": [], "refused": [], "unready": []}
ARRAY = "0f3a9c11-0000-4000-8000-000000000001"


class Site:
    """A volume with a watch folder. Time is what the test says."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.folder = root / "watch/in"
        self.folder.mkdir(parents=True)
        assert adopt(str(root), ARRAY, "san") == ""
        self.now = 1000.0
        monkeypatch.setattr(scanner, "monotonic", lambda: self.now)
        self.begin()

    def begin(self, **settings: Any) -> None:
        given = {"name": "m", "folder": "san:watch/in", "factories": ["one"], "poll": "2s", "quiet": "5s"} | settings
        self.text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items())
        self.scanner = Scanner({"begin": self.text, "root": str(self.root), "array_id": ARRAY})

    def write(self, name: str, content: bytes = b"x" * 100) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def look(self, seconds: float = 0.0, **also: Any) -> dict[str, Any]:
        self.now += seconds
        return self.scanner.look({**QUESTION, **also})

    def settle(self) -> list[dict[str, Any]]:
        """What is ready after the quiet time."""
        self.look()
        ready: list[dict[str, Any]] = self.look(6.0)["ready"]
        return ready

    def ready(self) -> list[str]:
        return [found["path"] for found in self.settle()]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    yield Site(tmp_path / "san", monkeypatch)


def test_a_settled_file_is_given_out_once(site: Site) -> None:
    site.write("clip.mxf")
    assert site.look()["settling"] == 1
    told = site.look(6.0)
    (found,) = told["ready"]
    assert (found["path"], found["stamp"][0], len(found["digest"]), found["probe"]) == ("clip.mxf", 100, 32, True)
    assert (told["state"], told["seen"], told["more"]) == ("watching", 1, False)
    assert site.look(6.0)["ready"] == []
    told = site.look(heard=[("clip.mxf", found["stamp"])])
    assert (told["seen"], told["settling"]) == (1, 0)
    site.write("clip.mxf", b"y" * 100)
    assert site.settle()[0]["digest"] != found["digest"]


def test_what_is_known_is_not_given_out(site: Site) -> None:
    status = site.write("a.mxf").stat()
    key = stat_key("watch/in/a.mxf", status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    site.scanner.learn({"learn": base64.b64encode(pack_keys([key])).decode()})
    assert site.ready() == [] and site.look()["seen"] == 1


def test_no_more_than_asked_for_is_given_out(site: Site) -> None:
    for number in range(5):
        site.write(f"{number}.mxf")
    site.look()
    told = site.look(6.0, give=3)
    assert ([each["path"] for each in told["ready"]], told["more"]) == (["0.mxf", "1.mxf", "2.mxf"], True)
    told = site.look(scan=False)
    assert [each["path"] for each in told["ready"]] == ["3.mxf", "4.mxf"]


def test_what_somebody_has_open_for_writing_is_left_alone(site: Site) -> None:
    if not scan.is_local(str(site.root)):
        pytest.skip("needs a file system on which leases tell who writes (ext4, xfs, tmpfs, …)")
    path = site.write("a.mxf")
    with path.open("ab") as file:
        assert site.ready() == []
        file.write(b"more")
    assert site.ready() == ["a.mxf"]


LOCKER = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_respected(site: Site) -> None:
    """Of another process: a process does not conflict with itself."""
    path = site.write("a.mxf")
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", LOCKER, str(path)], stdin=pipe, stdout=pipe) as locker:
        assert locker.stdout and locker.stdout.readline() == b"locked\n"
        assert site.ready() == []
        locker.communicate(b"")
    assert [each["path"] for each in site.look(60.0)["ready"]] == ["a.mxf"]


def test_an_empty_file_waits(site: Site) -> None:
    site.write("a.mxf", b"")
    assert site.ready() == [] and site.look()["settling"] == 1


def test_only_regular_files_inside_the_folder_arrive(site: Site, tmp_path: Path) -> None:
    (tmp_path / "secret.mxf").write_bytes(b"secret")
    os.mkfifo(site.folder / "pipe.mxf")
    (site.folder / "link.mxf").symlink_to(tmp_path / "secret.mxf")
    (site.folder / "inner.mxf").symlink_to(site.write("real.mxf"))
    (site.folder / "folder.mxf").mkdir()
    (site.folder / "outside").symlink_to(tmp_path, target_is_directory=True)
    (site.folder / "device.mxf").symlink_to("/dev/zero")
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(site.folder)
    try:
        server.bind("socket.mxf")
    finally:
        os.chdir(here)
    site.begin(recursive=True)
    assert site.ready() == ["real.mxf"]
    server.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root (mknod)")
def test_a_device_is_nothing_that_arrives(site: Site) -> None:
    """A real node of a device, not a link to one."""
    for name, kind in (("null.mxf", stat.S_IFCHR), ("disk.mxf", stat.S_IFBLK)):
        try:
            os.mknod(site.folder / name, kind | 0o666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("needs the right to make device nodes (CAP_MKNOD)")
    site.write("real.mxf")
    assert site.ready() == ["real.mxf"]
    assert (site.look()["state"], site.look()["seen"]) == ("watching", 1)


def test_a_file_that_became_a_pipe_keeps_nobody_waiting(site: Site) -> None:
    """Between the walk and the close look: opening a pipe waits for its other end."""
    path = site.write("a.mxf")
    stamp = scan.stamp_of(path.stat())
    path.unlink()
    os.mkfifo(path)
    with (
        scan.folder_of(scan.Site(str(site.root), ARRAY), site.scanner._monitor) as folder,
        pytest.raises(scan.NotReady, match="it changed"),
        scan.opened(folder, "a.mxf", stamp, local=False),
    ):
        raise AssertionError("it was opened")


def test_a_file_that_became_a_link_is_not_followed(site: Site, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 100)
    path = site.write("a.mxf")
    stamp = scan.stamp_of(path.stat())
    path.unlink()
    path.symlink_to(secret)
    where = scan.Site(str(site.root), ARRAY), site.scanner._monitor
    with (
        scan.folder_of(*where) as folder,
        pytest.raises(scan.NotReady),
        scan.opened(folder, "a.mxf", stamp, local=False),
    ):
        raise AssertionError("it was opened")


@pytest.mark.parametrize(
    "name", ["-rf.mxf", "a\nb.mxf", "%d'\".mxf", "🎬 ünï.mxf", "\udcff\udc80.mxf", "x" * 251 + ".mxf", "\\x41.mxf"]
)
def test_hostile_names_arrive_as_they_are(site: Site, name: str) -> None:
    site.write(name)
    (found,) = json.loads(json.dumps(site.settle()))
    assert found["path"] == name


def test_an_unreadable_file_is_named_and_holds_no_other_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Denied by the test: root may read everything."""

    def guarded(root_fd: int, path: str, flags: int, mode: int = 0) -> int:
        if path == "a.mxf":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open_at(root_fd, path, flags, mode)

    site.write("a.mxf")
    site.write("b.mxf")
    with monkeypatch.context() as denied:
        denied.setattr(scan, "open_at", guarded)
        assert site.ready() == ["b.mxf"]
        told = site.look()
    assert told["state"] == "error" and "watch/in/a.mxf: it may not be read by fa" in told["why"]
    assert [each["path"] for each in site.look(60.0)["ready"]] == ["a.mxf"]


def test_folders_below(site: Site) -> None:
    for name in ("a.mxf", "x/b.mxf", "x/y/c.mxf", "x/y/z/d.mxf", "done/e.mxf", ".hidden/f.mxf"):
        site.write(name)
    assert site.ready() == ["a.mxf"]
    site.begin(recursive=True, depth=2, after="move:done")
    assert site.ready() == ["a.mxf", "x/b.mxf", "x/y/c.mxf"]


def test_too_many_files_are_said_to_be(site: Site) -> None:
    site.begin(limit=3)
    for number in range(5):
        site.write(f"{number}.mxf")
    told = site.look()
    assert told["state"] == "error" and "more than 3 files" in told["why"]


# --- a folder that is not there ---


def test_a_vanished_mount_is_disconnected_and_forgets_nothing(site: Site) -> None:
    site.write("a.mxf")
    (found,) = site.settle()
    site.look(heard=[("a.mxf", found["stamp"])])
    site.root.rename(site.root.with_name("away"))
    site.root.mkdir()
    told = site.look(6.0)
    assert told["state"] == "disconnected" and "not mounted" in told["why"]
    site.folder.mkdir(parents=True)
    site.write("of-another-share.mxf")
    assert site.look(6.0)["state"] == "disconnected", "a folder of that name on an empty mount point is another one"
    site.root.rename(site.root.with_name("other"))
    assert site.look(6.0)["state"] == "disconnected"
    site.root.with_name("away").rename(site.root)
    told = site.look(6.0)
    assert (told["state"], told["seen"], told["ready"]) == ("watching", 1, [])


@pytest.mark.parametrize("there", ["share", "no folder", "empty mount"])
def test_what_is_mounted_while_a_file_is_moved_changes_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    """It is moved on the volume that was looked at; and while its folder is not there it is not gone."""
    path = site.write("a.mxf", b"clip")
    found, away = path.stat(), site.root.with_name("away")
    order = asdict(AfterOrder(1, 1, "watch/in/a.mxf", found.st_size, found.st_mtime_ns, "done", "{}"))
    if there == "no folder":
        site.folder.rename(site.root / "elsewhere")
    elif there == "empty mount":
        site.root.rename(away)
        site.root.mkdir()
    else:
        honest = scan.open_folder

        def remounted(*given: Any) -> int:
            site.root.rename(away)
            (site.root / "watch/in").mkdir(parents=True)
            os.utime(site.write("a.mxf", b"film"), ns=(0, found.st_mtime_ns))
            return honest(*given)

        monkeypatch.setattr(scan, "open_folder", remounted)
    told = site.scanner.after({"after": order})
    if there != "share":
        assert told["error"] and not told["path"]
        return
    assert told == {"path": "watch/in/done/a.mxf", "error": ""}
    assert (away / "watch/in/done/a.mxf").read_bytes() == b"clip"
    assert sorted(each.name for each in site.folder.rglob("*")) == ["a.mxf"], "the other share is as it was"


def test_another_share_is_disconnected(site: Site) -> None:
    (site.root / ".fa/volume.json").write_text(json.dumps({"array_id": "x", "volume": "san"}))
    assert "is not volume san of this array" in site.look()["why"]


def test_a_missing_folder_is_disconnected(site: Site) -> None:
    site.folder.rename(site.root / "elsewhere")
    told = site.look()
    assert told["state"] == "disconnected" and "there is no folder san:watch/in" in told["why"]


def test_a_folder_that_is_a_link_is_not_followed(site: Site, tmp_path: Path) -> None:
    site.folder.rename(tmp_path / "elsewhere")
    site.folder.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert site.look()["state"] == "disconnected"


def test_while_the_folder_does_not_answer_nothing_stands_still(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes there waits as well, and may go on later than the look does."""
    walk = scan.walk

    def hanging(*given: Any) -> scan.Walked:
        site.now += 60.0
        return walk(*given)

    site.write("a.mxf")
    site.look()
    with monkeypatch.context() as hangs:
        hangs.setattr(scan, "walk", hanging)
        assert site.look(2.0)["ready"] == []
    assert site.look(2.0)["ready"] == []
    assert [each["path"] for each in site.look(2.0)["ready"]] == ["a.mxf"]


def test_while_the_folder_is_away_nothing_stands_still(site: Site) -> None:
    site.write("a.mxf")
    site.look()
    away = site.root.with_name("away")
    site.root.rename(away)
    assert [site.look(60.0)["state"] for _ in range(2)] == ["disconnected"] * 2
    away.rename(site.root)
    assert [site.look(seconds)["ready"] for seconds in (2.0, 4.0)] == [[], []], "the quiet time is 5 s"
    assert [each["path"] for each in site.look(2.0)["ready"]] == ["a.mxf"]


# --- tickets ---


def test_a_ticket_is_read(site: Site) -> None:
    site.begin(tickets=True, include=["*.mxf"])
    site.write("t.xml", b"<ticket><source>clip.mxf</source><answer>true</answer></ticket>")
    (found,) = site.settle()
    assert found["ticket"]["source"] == "san:watch/in/clip.mxf" and found["ticket"]["answer"]


def test_hostile_tickets_are_refused_and_others_ignored(site: Site) -> None:
    site.begin(tickets=True)
    site.write("big.xml", b"<ticket>" + b" " * (10 << 20) + b"</ticket>")
    site.write("bomb.xml", b'<!DOCTYPE t [<!ENTITY a "aa">]><ticket>&a;</ticket>')
    site.write("other.xml", b"<metadata/>")
    found = {each["path"]: each["ticket_error"] for each in site.settle()}
    assert "larger" in found["big.xml"] and "entities" in found["bomb.xml"] and len(found) == 2
    assert site.look(60.0)["settling"] == 2, "what is no ticket is done with"
    assert BYTES_MAX < 10 << 20


# --- its loop, and a look without doing ---


def test_the_helper_speaks_json_lines(site: Site, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    site.write("a.mxf")
    questions = [
        QUESTION,
        {"begin": site.text, "root": str(site.root), "array_id": ARRAY},
        {"learn": ""},
        QUESTION,
    ]
    monkeypatch.setattr("sys.stdin", map(json.dumps, questions))
    assert scanner.main() == 0
    lost, begun, learnt, looked = map(json.loads, capsys.readouterr().out.splitlines())
    assert (lost, begun, learnt, looked["seen"]) == ({"lost": True}, {}, {}, 1)


def test_a_preview_says_what_would_be_done(site: Site) -> None:
    site.begin(include=["*.mxf", "*.ts"], end="done")
    for name in ("a.mxf", "a.mxf.done", "b.ts", "c.txt", ".d.mxf", "e.ts", "e.ts.done"):
        site.write(name)
    site.write("f.ts", b"")
    site.write("f.ts.done")
    told = preview({"begin": site.text, "root": str(site.root), "array_id": ARRAY})
    would = {file["path"].rpartition("/")[2]: (file["would"], file["why"]) for file in told["files"]}
    assert would["a.mxf"] == ("submit", "as soon as it stood still for 5 s, if ffprobe can open it")
    assert would["e.ts"] == ("submit", "as soon as it stood still for 5 s")
    assert would["b.ts"][0] == "wait" and would["f.ts"] == ("wait", "it is empty")
    assert would["c.txt"] == ("ignore", "not included") and would["a.mxf.done"] == ("ignore", "an end marker")
    assert told["counts"] == {"submit": 2, "wait": 2, "ignore": 5} and told["state"] == "watching"
    gone = preview({"begin": site.text, "root": str(site.root / "no"), "array_id": ARRAY})
    assert (gone["state"], gone["files"]) == ("disconnected", [])
