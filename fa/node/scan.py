"""One look at a watch folder, beneath its volume's root and without following a link; blocking, in a helper process.

Size and times are asked of the file server: opening a file makes the clients of network file systems drop what they
have cached of its attributes (close-to-open consistency), so what is taken is looked at once more through an open file.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from fa.core.intake import Stamp
from fa.core.intake_rules import Rules
from fa.core.monitor import End, Monitor
from fa.node.beneath import open_at
from fa.node.volume_probe import IDENTITY, IDENTITY_BYTES_MAX

_FLOCK = "@hhqqi0q"  # struct flock
PIECE = 64 << 10  # bytes of head and of tail that are hashed
LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "overlay"})
"""File systems on which a lease tells whether somebody has a file open for writing; elsewhere it tells nothing."""


class Shown(Protocol):
    """What a walk shows files to: `fa.core.intake.Intake`, or a preview of it."""

    @property
    def rules(self) -> Rules: ...
    def place(self, path: str) -> str: ...
    def mark(self, path: str) -> None: ...
    def knows(self, path: str) -> bool: ...
    def see(self, path: str, stamp: Stamp) -> None: ...


class Gone(Exception):
    """The folder cannot be looked at now: its volume or itself is not there."""


class Denied(Exception):
    """The folder is there and may not be read."""


class NotReady(Exception):
    """The file is not to be taken now. `hopeless`: only a person can change that."""

    def __init__(self, why: str, hopeless: bool = False) -> None:
        self.why = why
        self.hopeless = hopeless
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a volume is mounted here, and whose it must be."""

    root: str
    array_id: str


@dataclass(slots=True)
class Walked:
    """`whole`: nothing was left out. `unseen`: or these folders and nothing else. `trouble`: why something was."""

    whole: bool = True
    unseen: list[str] = field(default_factory=list)
    trouble: str = ""
    count: int = 0

    def leave_out(self, folder: str, why: str) -> None:
        self.whole, self.trouble = False, why
        self.unseen.append(folder)


@contextmanager
def root_of(site: Site, monitor: Monitor) -> Iterator[int]:
    """The root of its volume, open. Raises `Gone`.

    The volume's identity is read through it, so that an empty mount point, or another share mounted there at this
    moment, is never taken for the volume."""
    try:
        root = os.open(site.root, os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Gone(f"{site.root}: {error.strerror}") from None
    try:
        _check_identity(root, site, monitor.folder.volume)
        yield root
    finally:
        os.close(root)


@contextmanager
def folder_of(site: Site, monitor: Monitor) -> Iterator[int]:
    """The watched folder, open. Raises `Gone`, `Denied`."""
    with root_of(site, monitor) as root:
        folder = open_folder(root, monitor)
    try:
        yield folder
    finally:
        os.close(folder)


def _check_identity(root: int, site: Site, volume: str) -> None:
    try:
        with os.fdopen(open_at(root, IDENTITY, os.O_RDONLY), "rb") as file:
            found = json.loads(file.read(IDENTITY_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        raise Gone(f"volume {volume} is not mounted at {site.root}: it has no identity file") from None
    if not isinstance(found, dict) or (found.get("array_id"), found.get("volume")) != (site.array_id, volume):
        raise Gone(f"what is mounted at {site.root} is not volume {volume} of this array")


def open_folder(root: int, monitor: Monitor) -> int:
    """The watched folder, beneath that root. Raises `Gone`, `Denied`."""
    try:
        return open_at(root, monitor.folder.path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        raise Denied(f"the folder {monitor.folder} may not be read by fa") from None
    except OSError as error:
        raise Gone(f"there is no folder {monitor.folder}: {error.strerror}") from None


def walk(folder: int, intake: Shown, monitor: Monitor) -> Walked:
    """Show every file to the intake."""
    walked = Walked()
    marks = monitor.end in (End.DONE, End.SIDECAR)
    waiting = [""]
    while waiting:
        path = waiting.pop()
        try:
            below = _look_into(folder, path, intake, marks, walked, monitor.limit)
        except (FileNotFoundError, NotADirectoryError):
            continue  # it was removed meanwhile, or a file took its place
        except PermissionError:
            walked.leave_out(path, f"the folder {intake.place(path)} may not be read by fa")
            if not path:
                raise Denied(f"the folder {monitor.folder} may not be read by fa") from None
            continue
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                walked.leave_out(path, f"the path of a folder is too long: {intake.place(path)[:200]}…")
            elif error.errno != errno.ELOOP:  # a link took its place; anything else is trouble of the whole share
                raise
            continue
        waiting += sorted(below, reverse=True)
        if walked.count > monitor.limit:
            walked.whole, walked.unseen = False, []
            walked.trouble = f"it holds more than {monitor.limit} files; raise `limit`, or move what is done away"
            break
    return walked


def _look_into(folder: int, path: str, intake: Shown, marks: bool, walked: Walked, limit: int) -> list[str]:
    """The folders to look into next. Links, devices, sockets and pipes are nothing that arrives."""
    prefix = f"{path}/" if path else ""
    below = []
    fd = open_at(folder, path or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                found = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if intake.rules.enters(found):
                        below.append(found)
                    continue
                if marks:
                    intake.mark(found)
                if entry.is_file(follow_symlinks=False) and (intake.knows(found) or not intake.rules.why_not(found)):
                    walked.count += 1
                    if walked.count > limit:
                        break
                    _see(entry, found, intake)
    finally:
        os.close(fd)
    return below


def _see(entry: os.DirEntry[str], path: str, intake: Shown) -> None:
    with suppress(FileNotFoundError):
        intake.see(path, stamp_of(entry.stat(follow_symlinks=False)))


def stamp_of(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, _in_64_bits(status.st_mtime_ns), _in_64_bits(status.st_ctime_ns), status.st_ino)


def _in_64_bits(ns: int) -> int:
    """A time as links and the store take it. Theirs end in 2262, those of file systems do not, and Windows shares give
    1601 for what was never set. It is only compared, so that other times need only be other numbers."""
    return (ns + (1 << 63)) % (1 << 64) - (1 << 63)


# --- a close look ---


@contextmanager
def opened(folder: int, path: str, stamp: Stamp, *, local: bool) -> Iterator[int]:
    """The file, open for reading, if it still is the one that settled. Raises `NotReady`."""
    if stamp.size == 0:
        raise NotReady("it is empty")
    try:
        fd = open_at(folder, path, os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError:
        raise NotReady("it may not be read by fa", hopeless=True) from None
    except OSError as error:
        raise NotReady(f"it cannot be opened: {error.strerror}") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or stamp_of(status) != stamp:
            raise NotReady("it changed")
        if is_held(fd, local=local):
            raise NotReady("somebody holds it open")
        yield fd
        if stamp_of(os.fstat(fd)) != stamp:
            raise NotReady("it changed")
    except OSError as error:
        raise NotReady(f"it cannot be read: {error.strerror}") from None
    finally:
        os.close(fd)


def is_held(fd: int, *, local: bool) -> bool:
    """Whether a writer is known to hold the file: by a lock (asked for, not taken: that could make the writer fail);
    on a local file system also by having it open: a lease is given only on a file that nobody writes to (fcntl(2),
    F_SETLEASE), and is given back at once."""
    with suppress(OSError):
        asked = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
        if struct.unpack(_FLOCK, asked)[0] != fcntl.F_UNLCK:
            return True
    if not local:
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False


def digest_of(fd: int, size: int) -> str:
    """128 bits of size, head and tail, hex."""
    made = hashlib.blake2b(str(size).encode(), digest_size=16)
    made.update(os.pread(fd, PIECE, 0))
    made.update(os.pread(fd, PIECE, max(0, size - PIECE)))
    return made.hexdigest()


def is_local(root: str) -> bool:
    """By the kernel's list of mounts: the longest mount point that holds the root."""
    best, kind = "", ""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:  # noqa: PTH123
        for line in mounts:
            head, _, tail = line.partition(" - ")
            point = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), head.split(" ")[4])
            if (root == point or root.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
                best, kind = point, tail.split()[0]
    return kind in LOCAL


def read_all(fd: int, limit: int) -> bytes:
    """From the beginning, at most `limit` bytes."""
    pieces, at = [], 0
    while at < limit and (piece := os.pread(fd, limit - at, at)):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)
