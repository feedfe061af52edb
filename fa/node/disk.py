"""Is the disk of the store well? Looked at every two seconds, from a thread of its own, because a disk that hangs keeps
whoever asks (SAFETY.md scenarios 6 to 8).

*Full*: a reserve that was kept for this moment is given free, so that votes can still be saved while this node hands
over or leaves the in-sync set; full ends when there is room for the reserve and some more. *Stalled*: an fsync takes
longer than any disk should; a coordinator then lets others lead. *Failed*: nothing on it is believed any more."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fa.core import array_events as av
from fa.replication import connection
from fa.replication.durable import write_all
from fa.replication.errors import NeedsResync, StoreRotten, WriterError

log = logging.getLogger(__name__)

LOOK_EVERY = 2.0  # seconds
STALLED_AFTER = 10.0
RESERVE_BYTES = 8 << 20
FULL_BELOW = 1 << 20
ROOM_FROM = 2 * RESERVE_BYTES

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FAILED = frozenset(
    {errno.EIO, errno.EROFS, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.EUCLEAN, errno.EBADMSG, errno.ENODATA}
    | {errno.ENOLINK, errno.EREMOTEIO, errno.EBADE, errno.EILSEQ, errno.ENOMEDIUM}
)
"""Of file systems, and of the block devices beneath them."""
_OF_THIS_PROCESS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOENT, errno.EACCES, errno.EPERM})
_INDEX_OF_LOG = frozenset({sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP})
"""A file that holds nothing that must last; what SQLite says of it, for want of room or of handles, too."""


def is_full(error: OSError) -> bool:
    return error.errno in _FULL


def finds_no_room(error: OSError | sqlite3.Error) -> bool:
    """Also when SQLite finds none as it opens the store."""
    return connection.finds_no_room(error) or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHMSIZE


def is_failed(error: BaseException) -> bool:
    """Errors after which nobody knows what is on the disk. A failed fsync is never tried again: the kernel may have
    dropped the pages and report success the next time."""
    return isinstance(error, OSError) and error.errno in _FAILED


def is_in_doubt(trouble: BaseException) -> bool:
    """May the disk hold something else than was written, or the copy something else than the array, so that only a new
    copy may be trusted? Believed of every error of the system that is not known to be harmless."""
    if isinstance(trouble, sqlite3.Error):
        code = getattr(trouble, "sqlite_errorcode", 0)
        return code & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY) and code not in _INDEX_OF_LOG
    if isinstance(trouble, OSError):
        return trouble.errno is not None and trouble.errno not in _OF_THIS_PROCESS | _FULL
    return isinstance(trouble, WriterError | NeedsResync) and not isinstance(trouble, StoreRotten)


class DiskWatch:
    """`run` looks until it is cancelled; who meets a full disk meanwhile says so with `met_full`, from any thread."""

    def __init__(self, folder: Path, post: Callable[[Any], None]) -> None:
        self._probe = folder / "probe"
        self._reserve = folder / "reserve"
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "disk-watch")
        self.full = False

    async def run(self) -> None:
        while True:
            look = self._loop.run_in_executor(self._thread, self._look)
            await asyncio.wait({look}, timeout=STALLED_AFTER)
            if not look.done():
                await self._stalled(look)
            self._judge(look)
            await asyncio.sleep(LOOK_EVERY)

    def met_full(self) -> None:
        self._loop.call_soon_threadsafe(self._is_full)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _stalled(self, look: asyncio.Future[int]) -> None:
        log.error("the disk of the store has not answered for %g s", STALLED_AFTER)
        self._post(av.StoreStalled(True))
        await asyncio.wait({look})
        log.warning("the disk of the store answers again")
        self._post(av.StoreStalled(False))

    def _judge(self, look: asyncio.Future[int]) -> None:
        try:
            free = look.result()
        except OSError as error:
            self._troubled(error)
            return
        if free < FULL_BELOW or (self.full and free < ROOM_FROM):
            self._is_full()
        elif self.full:
            log.warning("the disk of the store has room again")
            self.full = False
            self._post(av.StoreFull(False))

    def _troubled(self, error: OSError) -> None:
        if is_full(error):
            self._is_full()
        elif is_failed(error):
            self._post(av.StoreFailed(str(error)))
        else:
            log.error("the disk of the store cannot be looked at: %s", error)

    def _is_full(self) -> None:
        """Said again at each look: a hand-over that did not come about is tried again."""
        if not self.full:
            log.error("the disk of the store is full: nothing new is taken")
            self.full = True
            self._reserve.unlink(missing_ok=True)
        self._post(av.StoreFull(True))

    def _look(self) -> int:
        """In the thread. Bytes that are free."""
        fd = os.open(self._probe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, b"probe", 0)
            os.fdatasync(fd)
        finally:
            os.close(fd)
        found = os.statvfs(self._probe)
        free = found.f_bavail * found.f_frsize
        if free >= ROOM_FROM and not self._reserve.exists():
            self._keep_reserve()
        return free

    def _keep_reserve(self) -> None:
        """Written, not only promised: some file systems promise nothing."""
        fd = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            write_all(fd, bytes(RESERVE_BYTES))
        finally:
            os.close(fd)
