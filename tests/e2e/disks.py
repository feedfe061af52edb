"""Disks of nodes that fail on demand, see `fuse_disk`: mounted below a state directory, or as a volume."""

from __future__ import annotations

import errno
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fa.replication.durable import sync_folder
from tests.e2e import kit

ON_DISK = ("store", "replica", "vote", "reports")
EIO, EROFS = errno.EIO, errno.EROFS
LOOKS = ("getattr", "readdir", "statfs", "open", "read")
CHANGES = ("create", "write", "truncate", "unlink", "rename", "link", "mkdir", "utimens")


def missing() -> str:
    """What this machine lacks for such disks, for the reason of a skip; empty: nothing."""
    if os.geteuid() != 0:
        return "needs root (mount)"
    if not Path("/dev/fuse").exists():
        return "needs /dev/fuse"
    if shutil.which("fusermount3") is None:
        return "needs fusermount3 (package fuse3)"
    try:
        importlib.import_module("mfusepy")
    except (ImportError, OSError) as error:
        return f"needs mfusepy and libfuse3: {error}"
    return ""


class Disk:
    """One such disk. `set` replaces all faults at once; without arguments it is sound again."""

    def __init__(self, folder: Path, mountpoint: Path, backing: Path | None = None) -> None:
        self.mountpoint = mountpoint
        folder.mkdir(parents=True)
        self.backing, self._control = backing or folder / "backing", folder / "control.json"
        self.backing.mkdir(exist_ok=True)
        mountpoint.mkdir(parents=True, exist_ok=True)
        self._log = folder / "fuse.log"
        self.set()
        self._mount()

    def set(self, **faults: Any) -> None:
        aside = self._control.with_suffix(".new")
        aside.write_text(json.dumps(faults))
        aside.replace(self._control)

    def fill(self) -> None:
        """No room for one byte more."""
        files = (path for path in self.backing.rglob("*") if path.is_file())
        self.set(capacity=sum(path.stat().st_size for path in files))

    def hold(self, state: Path) -> None:
        """Let the store, its replica, the votes and the reports of a node that is yet to be made be on this disk."""
        state.mkdir()
        for name in ON_DISK:
            (self.mountpoint / name).mkdir()
            (state / name).symlink_to(self.mountpoint / name)
        sync_folder(self.mountpoint)  # who links to them has folders that outlive a power cut

    def cut_power(self, seed: int) -> None:
        """Lose what was not fsynced. Nobody may use the disk at this moment; its node was killed before."""
        self.set(lose=seed)
        self._unmount()
        self.set()
        self._mount()

    def close(self) -> None:
        self.set()
        subprocess.run(["fusermount3", "-uz", str(self.mountpoint)], capture_output=True, check=False)
        self._process.kill()
        self._process.wait()

    def _mount(self) -> None:
        words = [
            sys.executable,
            "-m",
            "tests.e2e.fuse_disk",
            *map(str, (self.backing, self.mountpoint, self._control)),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        kit.wait_until("the disk is mounted", self.mountpoint.is_mount)

    def _unmount(self) -> None:
        def tried() -> bool:
            words = ["fusermount3", "-u", str(self.mountpoint)]
            return subprocess.run(words, capture_output=True, check=False).returncode == 0

        kit.wait_until("the disk is unmounted", tried)
        self._process.wait(kit.DEADLINE)


class Disks:
    """The disks of one test, gone at its end."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: list[Disk] = []

    def for_node(self, array: kit.Array, name: str) -> Disk:
        """A disk for a node that is founded or joins next."""
        disk = self._add(name, self._root / f"disk-{name}" / "mount")
        disk.hold(array.root / name)
        return disk

    def for_volume(self, array: kit.Array) -> Disk:
        """A disk in the place of the array's volume, before it is used."""
        disk = self._add("san", array.san)
        (array.san / "in").mkdir()
        return disk

    def over(self, folder: Path, whose: str = "") -> Disk:
        """Another mount of what is in a folder, as of a share that several nodes have."""
        name = f"over-{folder.name}{whose}"
        return self._add(name, self._root / f"disk-{name}" / "mount", folder)

    def _add(self, name: str, mountpoint: Path, backing: Path | None = None) -> Disk:
        disk = Disk(self._root / f"disk-{name}", mountpoint, backing)
        self._made.append(disk)
        return disk

    def release(self) -> None:
        """Everything sound again: nobody can be killed who waits for a disk."""
        for disk in self._made:
            disk.set()

    def close(self) -> None:
        for disk in self._made:
            disk.close()


@contextmanager
def failing(root: Path, proved: Path | None) -> Iterator[tuple[kit.Array, Disks]]:
    """An array and disks for it; nothing stays mounted, whatever happens."""
    disks = Disks(root)
    try:
        with kit.closing(kit.Array(root, proved)) as array:
            try:
                yield array, disks
            finally:
                disks.release()
    finally:
        disks.close()
