"""Whether a container that is closed at its end has been closed: asked of ffprobe, a few at a time for each mount, so
that one that hangs keeps only its own files waiting."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fa.core.intake import Stamp
from fa.core.places import Place
from fa.errors import FaError
from fa.node.beneath import let_go, open_beneath
from fa.node.scan import stamp_of
from fa.transcode.errors import Transient
from fa.transcode.probe import probe
from fa.transcode.sandbox import Sandbox
from fa.transcode.tools import Tools

AT_ONCE = 2
TIMEOUT = 30.0  # seconds


class _Lane:
    """Of one mount. When it hangs, its threads hang with it, for as long."""

    def __init__(self) -> None:
        self.room = asyncio.Semaphore(AT_ONCE)
        self.threads = ThreadPoolExecutor(AT_ONCE, "index-probe")


class IndexProbe:
    def __init__(self, tools: Tools, sandbox: Sandbox) -> None:
        self._tools = tools
        self._sandbox = sandbox
        self._lanes: dict[str, _Lane] = {}  # by the volume's root

    async def why_not(self, root: str, place: Place, stamp: Stamp) -> str:
        """Why the file is not to be taken yet, in ffmpeg's own words; "" when it opens, and still is the one that
        settled: it may have waited for its turn."""
        lane = self._lanes.setdefault(root, _Lane())
        async with lane.room:
            try:
                async with asyncio.timeout(TIMEOUT):
                    return await self._try(root, place, stamp, lane.threads)
            except TimeoutError:
                return f"ffprobe did not come to an end within {TIMEOUT:g} s"

    async def _try(self, root: str, place: Place, stamp: Stamp, threads: ThreadPoolExecutor) -> str:
        try:
            opening = partial(open_beneath, root, place.path, os.O_RDONLY | os.O_NONBLOCK)
            loop = asyncio.get_running_loop()
            fd = await loop.run_in_executor(threads, opening)
        except OSError as error:
            return f"it cannot be opened: {error.strerror}"
        try:
            if stamp_of(await loop.run_in_executor(threads, os.fstat, fd)) != stamp:
                return "it changed"
            await probe(self._tools, self._sandbox, f"/proc/self/fd/{fd}", (fd,))
            if stamp_of(await loop.run_in_executor(threads, os.fstat, fd)) != stamp:
                return "it changed"
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
        except Transient as error:
            return error.detail
        except FaError as error:
            return f"it is not complete, or no media: {error.detail}"
        finally:
            let_go(fd)
        return ""
