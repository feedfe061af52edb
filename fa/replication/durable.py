"""Small files that survive a power cut: written aside, fsynced, renamed, and the folder fsynced too."""

from __future__ import annotations

import ctypes
import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastcrc.crc64 import go_iso

from fa.replication.errors import CopyDamaged

FSYNC_EACH_BELOW = 32
"""Up to this many files are fsynced one by one; more are cheaper with one ``syncfs`` of their file system."""

_libc = ctypes.CDLL(None, use_errno=True)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """``os.write`` until everything is written (it may stop early when the disk fills)."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def pwrite_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """``os.pwrite`` until everything is written."""
    written = os.pwrite(fd, data, offset)
    while written < len(data):
        written += os.pwrite(fd, memoryview(data)[written:], offset + written)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in ``folder`` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def syncing() -> Iterator[None]:
    """Around syncs of what is not written anew when they fail: whatever they raise is told as EIO. The kernel may have
    dropped what it could not write, and would report success the next time; so want of room, which is borne and tried
    again, is no smaller failure here. Without a file handle no sync was begun."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        raise OSError(errno.EIO, f"A sync failed: {error.strerror}") from error


Pieces = Iterable[bytes | memoryview]


Rename = Callable[[Path, Path], object]


def place(
    path: Path, pieces: Pieces, *, mtime_ms: int | None = None, sync: bool = True, rename: Rename = Path.replace
) -> None:
    """Write ``pieces`` beside ``path`` and rename it into place; the file is there whole or not at all.

    ``mtime_ms`` is set before the fsync, so that it is durable with the data. The folder is *not* synced: see
    ``write_durably`` and ``sync_folder``. On any error nothing is left behind and it goes on (``OSError``, or what
    ``pieces`` or ``rename`` raised).
    """
    aside = path.with_name(path.name + ".tmp")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        try:
            for piece in pieces:
                write_all(fd, piece)
            if mtime_ms is not None:
                os.utime(fd, ns=(mtime_ms * 1_000_000, mtime_ms * 1_000_000))
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        rename(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def stamp_durably(path: Path, mtime_ms: int) -> None:
    """Set a file's mtime and fsync the file."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.utime(fd, ns=(mtime_ms * 1_000_000, mtime_ms * 1_000_000))
        os.fsync(fd)
    finally:
        os.close(fd)


def write_durably(path: Path, data: bytes | memoryview) -> None:
    """``place`` with everything fsynced when it returns."""
    place(path, (data,))
    sync_folder(path.parent)


def write_record(path: Path, record: Mapping[str, Any], *, sync: bool = True) -> None:
    """Write a JSON object with a checksum line, durably unless ``sync`` is False; ``read_record`` reads it."""
    data = pack_record(record)
    if sync:
        write_durably(path, data)
    else:
        place(path, (data,), sync=False)


def pack_record(record: Mapping[str, Any]) -> bytes:
    """The bytes that ``write_record`` writes."""
    body = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    return b"%s\n%016x\n" % (body, go_iso(body))


def read_record(path: Path) -> dict[str, Any] | None:
    """The object that ``write_record`` wrote; None without a file. Raises ``CopyDamaged`` for a wrong checksum."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    return parse_record(raw, path.name)


def parse_record(raw: bytes, name: str) -> dict[str, Any]:
    """The object in the bytes of the record ``name``. Raises ``CopyDamaged`` for a wrong checksum."""
    body, _, line = raw.partition(b"\n")
    if line != b"%016x\n" % go_iso(body):
        raise CopyDamaged(
            f"The record {name!r} is damaged: its checksum does not fit.", hint="Resynchronise this node."
        )
    record: dict[str, Any] = json.loads(body)
    return record


def sync_files(paths: Iterable[Path], folder: Path) -> None:
    """Make files that were placed without ``sync`` durable, and their folder with them. Missing ones are skipped."""
    paths = list(paths)
    if len(paths) > FSYNC_EACH_BELOW and not _is_fuse(folder):
        _sync_file_system(folder)
        return
    for path in paths:
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    sync_folder(folder)


def _sync_file_system(folder: Path) -> None:
    """``syncfs(2)``: everything on the file system that ``folder`` is on, and no other (a hung NAS cannot hang it)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(fd):
            number = ctypes.get_errno() or errno.EIO
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(fd)


def _is_fuse(folder: Path) -> bool:
    """Whether ``folder`` is on a FUSE mount: those need not pass ``syncfs`` on."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
        fields = line.split(" ")
        if fields[2] == wanted:
            return fields[fields.index("-") + 1].startswith("fuse")
    return False
