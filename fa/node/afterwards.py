"""What is done to a source after its jobs are over, by the rules of source safety: it is moved by a rename that never
replaces anything, within its volume, and only while it still is the very file; an answer is a new file. Blocking, in a
helper process. Every step may be done again: what is found done counts as done."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress

from fa.core.monitor import Monitor
from fa.core.watch_messages import AfterOrder
from fa.node.beneath import folder_beneath, rename_no_replace, split
from fa.node.scan import stamp_of

NAMES_MAX = 1000  # tried, when there are files of the same name already
SUFFIX_MAX = 20  # bytes: what is longer after the last dot is part of the name


def carry_out(root: str, monitor: Monitor, order: AfterOrder) -> str:
    """Write the answer, then move. Where the file is now, on its volume; "" when it is gone or another one.

    Raises `OSError`, when it is to be tried again."""
    if order.answer:
        _answer(root, order)
    return _move(root, monitor, order) if order.move else order.path


def _answer(root: str, order: AfterOrder) -> None:
    """`clip.xml` → `clip.xml.answer.json`; where there is one that says something else, `clip.xml.answer-2.json`."""
    folder, name = split(order.path)
    content = order.answer.encode()
    with folder_beneath(root, folder) as fd:
        temporary = f".fa-{secrets.token_hex(8)}.tmp"
        try:
            _write(fd, temporary, content)
            for number in range(1, NAMES_MAX):
                wanted = f"{_short(name, 230)}.answer{f'-{number}' if number > 1 else ''}.json"
                if _take_name(fd, temporary, wanted, content):
                    return
            raise FileExistsError(errno.EEXIST, "there are too many answers of that name", name)
        finally:
            _remove(fd, temporary)


def _write(fd: int, name: str, content: bytes) -> None:
    with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=fd), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _take_name(fd: int, temporary: str, wanted: str, content: bytes) -> bool:
    try:
        rename_no_replace(fd, temporary, fd, wanted)
    except FileExistsError:
        return _reads(fd, wanted, len(content) + 1) == content
    os.fsync(fd)
    return True


def _reads(fd: int, name: str, limit: int) -> bytes:
    try:
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=fd), "rb") as file:
            return file.read(limit)
    except OSError:
        return b""


def _remove(fd: int, name: str) -> None:
    with suppress(FileNotFoundError):  # it was renamed
        os.unlink(name, dir_fd=fd)


def _move(root: str, monitor: Monitor, order: AfterOrder) -> str:
    folder, name = split(order.path)
    inner = f"{folder}/".removeprefix(f"{monitor.folder.path}/").strip("/")
    target = "/".join(part for part in (monitor.folder.path, order.move, inner) if part)
    try:
        with folder_beneath(root, folder) as from_fd:
            if not _is_it(from_fd, name, order):
                return ""
            with folder_beneath(root, target, make=True) as to_fd:
                moved = _move_between(from_fd, name, to_fd, order.arrival)
                os.fsync(to_fd)
                os.fsync(from_fd)
    except FileNotFoundError:
        return ""
    return f"{target}/{moved}"


def _is_it(fd: int, name: str, order: AfterOrder) -> bool:
    stamp = stamp_of(os.stat(name, dir_fd=fd, follow_symlinks=False))
    return (stamp.size, stamp.mtime_ns) == (order.size, order.mtime_ns)


def _move_between(from_fd: int, name: str, to_fd: int, arrival: int) -> str:
    """Under its own name, or with the number of the arrival where there is one of that name."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(os.fsencode(suffix)) > SUFFIX_MAX:
        stem, dot, suffix = name, "", ""
    other = f"{_short(stem, 200)}~{arrival}{dot}{suffix}"
    try:
        rename_no_replace(from_fd, name, to_fd, name)
        return name
    except FileExistsError:
        rename_no_replace(from_fd, name, to_fd, other)
        return other


def _short(name: str, limit: int) -> str:
    """That many bytes at most, and no character cut in two: there are file systems that take only UTF-8."""
    raw = os.fsencode(name)
    while limit < len(raw) and raw[limit] & 0xC0 == 0x80:
        limit -= 1
    return os.fsdecode(raw[:limit])
