"""A disk that fails on demand: a FUSE file system over a folder, whose faults are switched while it runs.

    python -m tests.e2e.fuse_disk BACKING MOUNTPOINT CONTROL

CONTROL is a JSON file: ``{"errors": {"fsync": 5}, "capacity": 1048576, "hang": true, "lose": 7}``. ``errors`` gives the
errno for an operation, ``capacity`` is how many bytes there is room for, ``hang`` keeps every operation (or those that
are listed) until it is taken back, ``lose`` (a seed) takes back, when the disk is unmounted, what was not fsynced: of a
file all of it or any 512-byte sectors, of names (create, rename, unlink) the last ones."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import mfusepy  # type: ignore[import-untyped]

SECTOR = 512
LOOK_EVERY = 0.02  # seconds, while it hangs


@dataclass(slots=True)
class _Written:
    """What was at `offset` before a write that is not synced yet, and how long the file was."""

    offset: int
    old: bytes
    length: int
    size: int


@dataclass(slots=True)
class _Dirty:
    """A file with writes that are not synced; `fd` keeps it reachable."""

    fd: int
    writes: list[_Written] = field(default_factory=list)

    def lose(self, rng: Random) -> None:
        """Take the writes back, the last first: all of them, or any of their sectors."""
        torn = rng.random() < 0.5
        for write in reversed(self.writes):
            old = write.old.ljust(write.length, b"\0")
            for start in range(0, write.length, SECTOR):
                if not torn or rng.random() < 0.5:
                    os.pwrite(self.fd, old[start : start + SECTOR], write.offset + start)
        if not torn and self.writes:
            os.ftruncate(self.fd, self.writes[0].size)


class Faults:
    """The control file, read again whenever it was written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = -1
        self._now: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        stamp = self._path.stat().st_mtime_ns
        if stamp != self._seen:
            self._now, self._seen = json.loads(self._path.read_bytes()), stamp
        return self._now.get(name)

    def strike(self, operation: str) -> None:
        """Wait as long as the disk hangs; raise what this operation is to fail with."""
        while (hang := self.get("hang")) is True or (hang and operation in hang):
            time.sleep(LOOK_EVERY)
        number = (self.get("errors") or {}).get(operation)
        if number:
            raise mfusepy.FuseOSError(number)


class Disk(mfusepy.Operations):  # type: ignore[misc]
    """Operations on `backing`; what they change before a sync is kept so that it can be lost."""

    use_ns = True

    def __init__(self, backing: Path, control: Path) -> None:
        self._root = str(backing)
        self._graves = backing.with_name(f"{backing.name}.graves-{control.parent.name}")  # another mount has its own
        shutil.rmtree(self._graves, ignore_errors=True)
        self._graves.mkdir()
        self.faults = Faults(control)
        self._lock = threading.RLock()
        self._dirty: dict[int, _Dirty] = {}
        self._names: list[tuple[set[str], Callable[[], object]]] = []
        self._buried = 0

    def lose(self, seed: int) -> None:
        """The power was cut."""
        rng = Random(seed)
        for number in sorted(self._dirty):
            self._dirty[number].lose(rng)
        survived = rng.randint(0, len(self._names))
        for _, undo in reversed(self._names[survived:]):
            with contextlib.suppress(FileNotFoundError, FileExistsError, OSError):
                undo()

    def _at(self, path: str) -> str:
        return self._root + path

    # --- looking ---

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        self.faults.strike("getattr")
        found = os.fstat(fh) if fh else os.lstat(self._at(path))
        names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_blocks", "st_ino")
        times = {name: getattr(found, f"{name}_ns") for name in ("st_atime", "st_mtime", "st_ctime")}
        return {name: getattr(found, name) for name in names} | times

    def readdir(self, path: str, fh: int) -> list[str]:
        self.faults.strike("readdir")
        return [".", "..", *os.listdir(self._at(path))]

    def statfs(self, path: str) -> dict[str, int]:
        self.faults.strike("statfs")
        found = os.statvfs(self._at(path))
        names = (
            "f_bsize",
            "f_frsize",
            "f_blocks",
            "f_bfree",
            "f_bavail",
            "f_files",
            "f_ffree",
            "f_favail",
            "f_namemax",
        )
        told = {name: getattr(found, name) for name in names}
        room = self._room()
        blocks = told["f_bavail"] if room is None else max(0, room) // told["f_frsize"]
        return told | {"f_bfree": blocks, "f_bavail": blocks}

    def _room(self) -> int | None:
        """Bytes until the disk is full; None: only the real one has a limit."""
        capacity = self.faults.get("capacity")
        return None if capacity is None else int(capacity) - used(Path(self._root))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self.faults.strike("read")
        return os.pread(fh, size, offset)

    # --- files ---

    def open(self, path: str, flags: int) -> int:
        self.faults.strike("open")
        fd = os.open(self._at(path), os.O_RDWR)  # whoever writes needs what was there before
        if flags & os.O_TRUNC:
            self._truncate(fd, 0)
        return fd

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self.faults.strike("create")
        full = self._at(path)
        with self._lock:
            fd = os.open(full, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)
            self._named(lambda: os.unlink(full), path)
        return fd

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self.faults.strike("write")
        with self._lock:
            size = os.fstat(fh).st_size
            more = offset + len(data) - size
            room = self._room() if more > 0 else None
            if room is not None and more > room:
                raise mfusepy.FuseOSError(errno.ENOSPC)
            self._before(fh, offset, len(data), size)
            return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self.faults.strike("truncate")
        fd = fh or os.open(self._at(path), os.O_RDWR)
        try:
            self._truncate(fd, length)
        finally:
            if not fh:
                os.close(fd)
        return 0

    def _truncate(self, fd: int, length: int) -> None:
        with self._lock:
            size = os.fstat(fd).st_size
            self._before(fd, min(length, size), max(0, size - length), size)
            os.ftruncate(fd, length)

    def _before(self, fd: int, offset: int, length: int, size: int) -> None:
        number = os.fstat(fd).st_ino
        dirty = self._dirty.get(number) or self._dirty.setdefault(number, _Dirty(os.dup(fd)))
        dirty.writes.append(_Written(offset, os.pread(fd, length, offset), length, size))

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self.faults.strike("fsync")
        with self._lock:
            dirty = self._dirty.pop(os.fstat(fh).st_ino, None)
            if dirty:
                os.close(dirty.fd)
        return 0

    def flush(self, path: str, fh: int) -> int:
        self.faults.strike("flush")
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    # --- names ---

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self.faults.strike("fsync")
        with self._lock:
            self._names = [(folders, undo) for folders, undo in self._names if path not in folders]
        return 0

    def unlink(self, path: str) -> None:
        self.faults.strike("unlink")
        with self._lock:
            restore = self._bury(path)
            os.unlink(self._at(path))
            self._named(restore, path)

    def rename(self, old: str, new: str) -> None:
        self.faults.strike("rename")
        source, target = self._at(old), self._at(new)
        with self._lock:
            restore = self._bury(new) if os.path.exists(target) else None
            os.rename(source, target)

            def undo() -> None:
                os.rename(target, source)
                if restore:
                    restore()

            self._named(undo, old, new)

    def link(self, target: str, source: str) -> None:
        self.faults.strike("link")
        full = self._at(target)
        with self._lock:
            os.link(self._at(source), full)
            self._named(lambda: os.unlink(full), target)

    def mkdir(self, path: str, mode: int) -> None:
        self.faults.strike("mkdir")
        full = self._at(path)
        with self._lock:
            os.mkdir(full, mode)
            self._named(lambda: os.rmdir(full), path)

    def rmdir(self, path: str) -> None:
        self.faults.strike("rmdir")
        full = self._at(path)
        with self._lock:
            os.rmdir(full)
            self._named(lambda: os.mkdir(full), path)

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self._at(path), mode)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        self.faults.strike("utimens")
        os.utime(self._at(path), ns=times or (time.time_ns(),) * 2)
        return 0

    def _bury(self, path: str) -> Callable[[], object]:
        """Keep what has this name now; the way to give it the name again."""
        self._buried += 1
        grave, full = self._graves / str(self._buried), self._at(path)
        os.link(full, grave)
        return lambda: os.link(grave, full)

    def _named(self, undo: Callable[[], object], *paths: str) -> None:
        self._names.append(({os.path.dirname(path) for path in paths}, undo))


def used(folder: Path) -> int:
    """Bytes in the files below a folder."""
    return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names)


def main(backing: str, mountpoint: str, control: str) -> None:
    disk = Disk(Path(backing), Path(control))
    mfusepy.FUSE(disk, mountpoint, foreground=True, fsname="fa-test", hard_remove=True)
    seed = disk.faults.get("lose")
    if seed is not None:
        disk.lose(int(seed))


if __name__ == "__main__":
    main(*sys.argv[1:])
