"""Copies of sources on local disk, one for each attempt that wants one. Several nodes may be given the same folder, so
each name tells whose it is: what an earlier life of this node left goes when it starts, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fa.core.commands import Order
from fa.errors import FaError
from fa.transcode.progress import Progress
from fa.transcode.stall import StallWatch

log = logging.getLogger(__name__)

CHUNK = 8 << 20


class CopyStalled(FaError):
    """The copy of a source came no further; its volume is slow or hangs. It will be tried again."""

    code = "copy-stalled"


class BecameShorter(Exception):
    """The source ended before all of it was copied."""


def copy_for(scratch: Path, order: Order) -> Path:
    return scratch / f"{order.task}-{order.attempt}~{order.node}"


def clear(scratch: Path, node: str) -> None:
    """Before this node runs anything. Trouble with it is none of the start. Blocking."""
    ours = re.compile(rf"\d+-\d+~{re.escape(node)}")
    try:
        for path in scratch.iterdir() if scratch.is_dir() else ():
            if ours.fullmatch(path.name):
                path.unlink()
                log.info("removed %s, the copy of an attempt that died with this node", path)
    except OSError as error:
        log.warning("scratch could not be cleared: %s", error)


async def copy(fd: int, size: int, to: Path, stall_after: float, tell: Callable[[float], None]) -> None:
    """Copy an open source; `tell` hears, in the thread that copies, which share is done. Raises `CopyStalled` when no
    byte came for `stall_after` seconds, `BecameShorter`, `OSError`.

    What hangs in the kernel cannot be ended: it is left alone with a thread that nobody else uses, which ends at its
    next chunk."""
    stop, thread, loop = threading.Event(), ThreadPoolExecutor(1, "copy"), asyncio.get_running_loop()
    copying = loop.run_in_executor(thread, _copy, fd, size, to, tell, stop)
    watch = StallWatch(stall_after, loop.time())
    try:
        while not (await asyncio.wait((copying,), timeout=watch.period))[0]:
            here = await asyncio.to_thread(_size_of, to)
            if watch.stuck(Progress(size=here), 0.0, loop.time()):
                raise CopyStalled
        await copying
    finally:
        stop.set()
        copying.cancel()
        thread.shutdown(wait=False)


def _copy(fd: int, size: int, to: Path, tell: Callable[[float], None], stop: threading.Event) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("wb") as file:
        done = 0
        while done < size and not stop.is_set():
            sent = os.sendfile(file.fileno(), fd, done, CHUNK)
            if sent == 0:
                raise BecameShorter
            done += sent
            tell(done / size)


def _size_of(path: Path) -> int:
    """What is there of it: a chunk may take a while, but its bytes come one after the other."""
    return path.stat().st_size if path.exists() else 0
