"""What sources were found to be, by the identity of the file: products of a job, and jobs of a source, share a probe.

An ffprobe start costs about 0.07 s of CPU, which is much of what fa costs beside a short encode."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict

from fa.transcode.media import MediaInfo
from fa.transcode.probe import probe
from fa.transcode.sandbox import Sandbox
from fa.transcode.tools import Tools

KEPT = 256

Identity = tuple[int, int, int, int, int]


class Probes:
    def __init__(self) -> None:
        self._known: OrderedDict[Identity, MediaInfo] = OrderedDict()

    async def of(self, fd: int, path: str, tools: Tools, sandbox: Sandbox) -> MediaInfo:
        """The streams of an open source, which the child reads as `path`. Raises as `probe` does; that is not kept."""
        identity = await asyncio.to_thread(_identity, fd)
        if identity not in self._known:
            self._known[identity] = await probe(tools, sandbox, path, (fd,))
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(identity)
        return self._known[identity]


def _identity(fd: int) -> Identity:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
