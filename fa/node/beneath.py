"""Opening files beneath a volume's root, without ever following a link out of it.

`openat2(2)` with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS decides in the kernel, in one step,
what realpath() followed by open() decides in two: that pair, raced by somebody who swaps a folder for a link, leaked
33 files of 20,865; openat2 none (SECURITY.md 4.3). Kernels before 5.6 do not have it; there each component is opened
by itself with O_NOFOLLOW."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

_SYS_OPENAT2 = 437
_RESOLVE = 0x08 | 0x04 | 0x02  # BENEATH, NO_SYMLINKS, NO_MAGICLINKS
_RENAME_NOREPLACE = 1

_libc = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root: str, path: str, flags: int, mode: int = 0) -> int:
    """A file descriptor of `root`/`path`. Raises `OSError`; ELOOP or EXDEV where a link is in the way."""
    with _folder(root) as root_fd:
        return open_at(root_fd, path, flags, mode)


def open_at(root_fd: int, path: str, flags: int, mode: int = 0) -> int:
    """The same from an open folder. `path` is relative, with no `..` (as `fa.core.places` guarantees)."""
    flags |= os.O_CLOEXEC
    how = _How(flags, mode if flags & os.O_CREAT else 0, _RESOLVE)
    name = os.fsencode(path)
    fd: int = _libc.syscall(_SYS_OPENAT2, root_fd, name, ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
    if fd >= 0:
        return fd
    code = ctypes.get_errno()
    if code == errno.ENOSYS:
        return _open_by_steps(root_fd, path, flags, mode)
    raise OSError(code, os.strerror(code), path)


def _open_by_steps(root_fd: int, path: str, flags: int, mode: int) -> int:
    *folders, name = path.split("/")
    fd = os.dup(root_fd)
    try:
        for folder in folders:
            below = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = below
        return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=fd)
    finally:
        os.close(fd)


def let_go(fd: int) -> None:
    """Close it in a thread that nobody waits for: on a volume that hangs a close takes as long as the hanging."""
    asyncio.get_running_loop().run_in_executor(None, os.close, fd)


@contextmanager
def _folder(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def folder_beneath(root: str, path: str, *, make: bool = False) -> Iterator[int]:
    """An open folder beneath the root ("" is the root itself); with `make`, missing ones are made (durably)."""
    with _folder(root) as root_fd:
        fd = _open_folder(root_fd, path, make)
        try:
            yield fd
        finally:
            os.close(fd)


def _open_folder(root_fd: int, path: str, make: bool) -> int:
    """As a rule it is there: then that is one call. Else by steps, which tell what is in the way."""
    if not path:
        return os.dup(root_fd)
    try:
        return open_at(root_fd, path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return _walk(root_fd, path, make)


def _walk(root_fd: int, path: str, make: bool) -> int:
    fd = os.dup(root_fd)
    try:
        for name in path.split("/"):
            below = _step(fd, name, make)
            os.close(fd)
            fd = below
    except BaseException:
        os.close(fd)
        raise
    return fd


def _step(fd: int, name: str, make: bool) -> int:
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=fd)
    except FileNotFoundError:
        if not make:
            raise
    try:
        os.mkdir(name, 0o777, dir_fd=fd)
        os.fsync(fd)
    except FileExistsError:
        pass  # another node was faster
    return os.open(name, flags, dir_fd=fd)


def rename_no_replace(from_fd: int, name: str, to_fd: int, to_name: str) -> None:
    """Atomic rename that never replaces. Raises `FileExistsError`, `FileNotFoundError`, or any other `OSError`.

    A file system without RENAME_NOREPLACE (NFS) gets a look and a plain rename, as SAFETY.md allows: names in a
    destination are fa's own, and who else writes there between look and rename loses."""
    try:
        _renameat2(from_fd, name, to_fd, to_name, _RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        if _exists(to_fd, to_name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), to_name) from None
        os.rename(name, to_name, src_dir_fd=from_fd, dst_dir_fd=to_fd)


def _renameat2(from_fd: int, name: str, to_fd: int, to_name: str, flags: int) -> None:
    if _libc.renameat2(from_fd, os.fsencode(name), to_fd, os.fsencode(to_name), flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name, None, to_name)


def _exists(fd: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def split(path: str) -> tuple[str, str]:
    """`a/b/c.mxf` → (`a/b`, `c.mxf`)."""
    folder, _, name = path.rpartition("/")
    return folder, name
