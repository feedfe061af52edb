"""A watch folder on a real mount that hangs, and on one that is unmounted: no file is lost, halved or taken twice."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import disks, kit
from tests.e2e.arrivals import taken
from tests.e2e.disks import Disk, Disks
from tests.e2e.test_monitors import HOLD, alerts, in_state, monitor

MISSING = disks.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

QUICK = {"timing": {"volume_timeout": 1.0}}
WATCH = 'name = "in"\nfolder = "san:watch/in"\nfactories = ["hold"]\npoll = "300ms"\nquiet = "3s"\n'
"""What the mount says of a file may be a second old, as on a network share: `quiet` is longer than that."""
PIECE = b"p" * 1000
HANG = "ab" if "FA_HUNG" in os.environ else "a"
"""The nodes whose mounts hang for good, one after the other; a is the coordinator."""


@pytest.fixture
def one(tmp_path: Path, proved: Path) -> Iterator[tuple[kit.Array, Disks]]:
    with disks.failing(tmp_path, proved) as made:
        yield made


def begin(array: kit.Array, folder: Path, names: str = "a") -> kit.Node:
    """Nodes, of which the first watches `folder`, which is on its volume."""
    folder.mkdir(parents=True)
    for name in names:
        array.settings.setdefault(name, {}).update(QUICK)
    node = array.found(names[0])
    for name in names[1:]:
        array.join(name)
    node.post("/v1/factories", HOLD)
    node.post("/v1/monitors", WATCH)
    kit.wait_until("it watches", lambda: monitor(array)["owner"])
    return node


class Writer(threading.Thread):
    """A client that writes one file piece by piece until it is told to finish."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path, self._enough = path, threading.Event()
        self.size = 0

    def run(self) -> None:
        with self._path.open("wb", buffering=0) as file:
            while not self._enough.wait(0.1):
                self.size += file.write(PIECE)

    def finish(self) -> None:
        self._enough.set()
        self.join()


def jobs_by_source(node: kit.Node) -> Counter[str]:
    return Counter(str(job["source"]) for job in node.jobs())


def test_a_mount_that_hangs_while_files_arrive(one: tuple[kit.Array, Disks]) -> None:
    """For this node, and for a client on the same mount; another client of the same share writes on."""
    array, made = one
    disk = made.for_volume(array)
    here, there = array.san / "watch/in", disk.backing / "watch/in"
    node = begin(array, here)
    (there / "before.dat").write_bytes(PIECE)
    held, free = Writer(here / "held.dat"), Writer(there / "free.dat")
    held.start()
    free.start()
    kit.wait_until("it grows", lambda: held.size and free.size and monitor(array)["seen"] == 3)
    disk.set(hang=True)
    for number in range(20):
        (there / f"{number}.dat").write_bytes(PIECE * (number + 1))
    kit.wait_until("it is disconnected", lambda: in_state(array, "disconnected"))
    slowest = max(_time_of(node) for _ in range(20))
    disk.set()
    kit.wait_until("it watches again", lambda: in_state(array, "watching"))
    at_last = held.size
    kit.wait_until("the held one grows on", lambda: held.size > at_last)
    kit.wait_until("those that stand still are taken", lambda: len(node.jobs()) == 21)
    for writer in (held, free):
        writer.finish()
    kit.wait_until("all are taken", lambda: monitor(array)["submitted"] == 23)
    kit.wait_until("nothing settles", lambda: (monitor(array)["seen"], monitor(array)["settling"]) == (23, 0))
    assert set(jobs_by_source(node).values()) == {1} and len(node.jobs()) == 23
    assert [size for _, size, _ in sorted(taken(node.root / "store/fa.db"))] == sizes(there)
    assert slowest < 2.0, "the node waits for no mount"


def sizes(folder: Path) -> list[int]:
    """Of its files, by name."""
    return [path.stat().st_size for path in sorted(folder.iterdir())]


def _time_of(node: kit.Node) -> float:
    began = time.monotonic()
    monitors = node.get("/v1/monitors")["items"]
    assert monitors and node.status()["health"]
    return time.monotonic() - began


def test_owners_whose_mounts_hang_for_good(one: tuple[kit.Array, Disks]) -> None:
    """Another one takes what arrives, once. When the mount is back and its node watches again, nothing comes twice."""
    array, made = one
    mounts = {name: made.over(array.san, name) for name in HANG}
    for name, disk in mounts.items():
        array.settings[name] = {**QUICK, "volumes": {"san": str(disk.mountpoint)}}
    folder = array.san / "watch/in"
    node = begin(array, folder, "abc")
    kit.wait_until("all can watch", lambda: all("volume:san" in _offers(node, name) for name in "abc"))
    writers = [_hang_owner(array, mounts[owner], folder, owner) for owner in HANG]
    count = 20 * len(HANG)
    kit.wait_until("those that stand still are taken", lambda: monitor(array)["submitted"] == count)
    for writer in writers:
        writer.finish()
    for disk in mounts.values():
        disk.set()
    kit.wait_until("the mounts are back", lambda: all("volume:san" in _offers(node, name) for name in HANG))
    node.post(f"/v1/nodes/{monitor(array)['owner']}/drain")
    kit.wait_until("a watches again", lambda: monitor(array)["owner"] == "a")
    _drop(folder, "back")
    count += len(HANG) + 10
    kit.wait_until("all are taken", lambda: monitor(array)["submitted"] == count)
    kit.wait_until("nothing settles", lambda: (monitor(array)["seen"], monitor(array)["settling"]) == (count, 0))
    assert set(jobs_by_source(node).values()) == {1} and len(node.jobs()) == count
    assert [size for _, size, _ in sorted(taken(node.root / "store/fa.db"))] == sizes(folder)


def test_a_folder_that_hangs_on_a_volume_that_is_well(one: tuple[kit.Array, Disks]) -> None:
    """Only looks into folders do not return. Another node takes over, and the alert is over."""
    array, made = one
    disk = made.over(array.san, "a")
    array.settings["a"] = {**QUICK, "volumes": {"san": str(disk.mountpoint)}}
    folder = array.san / "watch/in"
    node = begin(array, folder, "ab")
    disk.set(hang=["readdir"])
    _drop(folder, "in")
    kit.wait_until("b watches", lambda: monitor(array)["owner"] == "b")
    assert "volume:san" in _offers(node, "a"), "by all that is known of the volume"
    kit.wait_until("all are taken", lambda: monitor(array)["submitted"] == 10)
    kit.wait_until("the alert is over", lambda: "monitor.disconnected" not in alerts(node))
    disk.set()
    node.post("/v1/nodes/b/drain")
    kit.wait_until("a watches", lambda: monitor(array)["owner"] == "a")
    _drop(folder, "back")
    kit.wait_until("all are taken", lambda: monitor(array)["submitted"] == 20)
    assert set(jobs_by_source(node).values()) == {1} and len(node.jobs()) == 20


def _hang_owner(array: kit.Array, disk: Disk, folder: Path, owner: str) -> Writer:
    """Files arrive before and after; the one that is returned grows all the while."""
    kit.wait_until(f"{owner} watches", lambda: monitor(array)["owner"] == owner)
    writer = Writer(folder / f"{owner}-grows.dat")
    writer.start()
    _drop(folder, f"{owner}-before")
    kit.wait_until(f"{owner} sees them", lambda: int(str(monitor(array)["settling"])) > 10)
    disk.set(hang=True)
    _drop(folder, f"{owner}-after")
    kit.wait_until(f"{owner} watches no more", lambda: monitor(array)["owner"] not in ("", None, owner))
    return writer


def _drop(folder: Path, name: str) -> None:
    for number in range(10):
        (folder / f"{name}-{number}.dat").write_bytes(PIECE * (number + 1))


def _offers(node: kit.Node, name: str) -> list[str]:
    return next(list(each["offers"]) for each in node.get("/v1/nodes")["items"] if each["name"] == name)


class Share:
    """What another server has, mounted in the place of the array's volume."""

    def __init__(self, folder: Path, mountpoint: Path) -> None:
        self.folder, self.mountpoint = folder, mountpoint
        self._mounted = False
        (folder / "in").mkdir(parents=True)
        for left in mountpoint.iterdir():
            left.rmdir()

    def mount(self) -> None:
        subprocess.run(["mount", "--bind", str(self.folder), str(self.mountpoint)], check=True, timeout=kit.DEADLINE)
        self._mounted = True

    def unmount(self) -> None:
        """Unless it is already; tried again while somebody has just looked into it."""
        if not self._mounted:
            return

        def tried() -> bool:
            return subprocess.run(["umount", str(self.mountpoint)], capture_output=True, check=False).returncode == 0

        kit.wait_until("the share is unmounted", tried)
        self._mounted = False


def test_a_share_that_is_unmounted_and_mounted_again(tmp_path: Path, proved: Path) -> None:
    """Its mount point is empty meanwhile: nothing is forgotten, and nothing is submitted again."""
    with kit.array(tmp_path / "array", proved) as array:
        share = Share(tmp_path / "share", array.san)
        share.mount()
        try:
            node = begin(array, array.san / "watch/in")
            for number in range(20):
                (array.san / f"watch/in/{number}.dat").write_bytes(PIECE)
            kit.wait_until("all are submitted", lambda: monitor(array)["submitted"] == 20)
            share.unmount()
            assert not list(array.san.iterdir())
            kit.wait_until("it is disconnected", lambda: in_state(array, "disconnected"))
            assert monitor(array)["submitted"] == 20 and not list(array.san.iterdir())
            (share.folder / "watch/in/new.dat").write_bytes(PIECE)
            share.mount()
            kit.wait_until("the new one is submitted", lambda: monitor(array)["submitted"] == 21)
            kit.wait_until("all are known", lambda: (monitor(array)["seen"], monitor(array)["settling"]) == (21, 0))
            wanted = {f"san:watch/in/{name}.dat": 1 for name in (*map(str, range(20)), "new")}
            assert monitor(array)["state"] == "watching" and jobs_by_source(node) == wanted
        finally:
            array.close()
            share.unmount()
