"""The volumes of this node: where they are mounted, and whether they answer.

Each has a helper process (`volume_probe`) that is asked every `PERIOD`; one that does not answer in time makes the
volume `hung` until it does, and no second helper is started on top of it: what hangs in the kernel cannot be killed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from fa.core.outlook import Space
from fa.core.places import Place
from fa.core.work import VolumeHealth
from fa.errors import FaError
from fa.node.browse import Browser
from fa.node.helper import Helper, HelperEnded, helper_command
from fa.node.volume_probe import IDENTITY, NO_ROOM, identity

log = logging.getLogger(__name__)

PERIOD = 2.0  # seconds between looks
CRUMBS_BYTES, CRUMBS_SHARE = 64 << 20, 1000  # a volume with less free than that, and than one of so many, is full


class VolumeGone(FaError):
    """The volume is not usable on this node now."""

    code = "volume-gone"
    status = 503


class VolumeFull(VolumeGone):
    """The volume has no room. Make room there."""

    code = "volume-full"


class Volumes:
    def __init__(
        self, node: str, array_id: str, mounts: Mapping[str, str], *, timeout: float, space: Space | None = None
    ) -> None:
        self._node = node
        self._space = space or Space()
        self._low: dict[str, bool] = {}
        self._mounts = dict(sorted(mounts.items()))
        self._timeout = timeout
        self._status = {
            name: VolumeHealth(name, root, "disconnected", "not looked at yet") for name, root in self._mounts.items()
        }
        self._array_id = array_id
        self._changed: Callable[[], None] = lambda: None
        self._tasks: list[asyncio.Task[None]] = []
        self._browser = Browser()

    async def start(self, changed: Callable[[], None]) -> None:
        """Look at each once, bounded by the time-out, and go on looking; `changed` is called when a state changes."""
        self._changed = changed
        first = [asyncio.Event() for _ in self._mounts]
        for (name, root), looked in zip(self._mounts.items(), first, strict=True):
            self._tasks.append(asyncio.create_task(self._watch(name, root, looked), name=f"volume-{name}"))
        for looked in first:
            await looked.wait()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._browser.stop(), return_exceptions=True)

    def status(self) -> tuple[VolumeHealth, ...]:
        return tuple(self._status.values())

    def root(self, name: str, *, write: bool = True, room: bool = True) -> str:
        """Where a volume is mounted. Raises `VolumeGone` with a sentence when it is unknown or not healthy; one that is
        read-only is good enough for who does not `write`, and a full one for who needs no `room`: to remove something,
        to rename it."""
        status = self._status.get(name)
        if status is None:
            raise VolumeGone(f"Volume {name} is not set up on node {self._node}.")
        if status.state == "full":
            if write and room:
                raise VolumeFull(f"Volume {name} on node {self._node} is full: {status.why}.")
        elif status.state != "healthy" and (write or status.state != "read-only"):
            raise VolumeGone(f"Volume {name} on node {self._node} is {status.state}: {status.why}.")
        return status.path

    @contextmanager
    def pinned(self, name: str, **needs: bool) -> Iterator[str]:
        """As `root`, looked at now and held open: what is mounted there meanwhile, or is no more, changes nothing for
        who uses this path. Blocking. Raises `VolumeGone`."""
        with pin(self.root(name, **needs), self._array_id, name) as root:
            yield root

    async def files(self, folder: Place, after: str, limit: int) -> Mapping[str, Any]:
        """One page of what lies in a folder, see `fa.node.browse`. Raises `VolumeGone`, and what that raises."""
        return await self._browser.look(self.root(folder.volume, write=False), folder, after, limit)

    async def _watch(self, name: str, root: str, looked: asyncio.Event) -> None:
        prober = Helper(helper_command("volume-probe", root, self._array_id, name))
        try:
            while True:
                self._note(name, root, await _look(prober, self._timeout))
                looked.set()
                await asyncio.sleep(PERIOD)
        finally:
            prober.kill()

    def _note(self, name: str, root: str, answer: Mapping[str, Any]) -> None:
        before = self._status[name]
        state, why, free, total = answer["state"], answer["why"], answer.get("free"), answer.get("total")
        if state == "healthy" and _has_crumbs_only(free, total, before.state == "full"):
            state, why = "full", NO_ROOM
        status = VolumeHealth(name, root, str(state), str(why), free, total)
        self._status[name] = status
        changed = (before.state, before.why) != (status.state, status.why)
        if changed:
            log.info("volume %s is %s %s", name, status.state, status.why)
        if self._low_changed(status) or changed:
            self._changed()

    def _low_changed(self, status: VolumeHealth) -> bool:
        """Whether room begins to run out, or does no more: the coordinator is told."""
        was = self._low.get(status.name, False)
        self._low[status.name] = self._space.is_low(status.free, status.total, was)
        return self._low[status.name] is not was


@contextmanager
def pin(path: str, array_id: str, name: str) -> Iterator[str]:
    """A path that leads to the folder that is there now, if it is that volume. Raises `VolumeGone`: what was healthy at
    the last look may be an empty mount point, or another share, by now."""
    with ExitStack() as stack:
        try:
            fd = os.open(path, os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            root = f"/proc/self/fd/{fd}"
            found = identity(root)
        except FileNotFoundError:
            raise VolumeGone(f"Volume {name} is not mounted at {path}: there is no {IDENTITY}.") from None
        except OSError as error:
            raise VolumeGone(f"Volume {name} at {path} does not answer as it should: {error.strerror}.") from None
        if (found.get("array_id"), found.get("volume")) != (array_id, name):
            raise VolumeGone(f"At {path} another volume is mounted, not {name}.")
        yield root


def _has_crumbs_only(free: int | None, total: int | None, was_full: bool) -> bool:
    """So little that nothing would be done with it; twice as much once it was full, so that it does not flap."""
    if free is None or not total:
        return False
    return free < min(CRUMBS_BYTES, total // CRUMBS_SHARE) * (2 if was_full else 1)


async def _look(prober: Helper, timeout: float) -> Mapping[str, Any]:
    try:
        return dict(await prober.ask(None, timeout))
    except TimeoutError:
        return {"state": "hung", "why": f"the mount did not answer within {timeout:g} s"}
    except HelperEnded:
        return {"state": "disconnected", "why": "the helper process that looks at it ended"}
