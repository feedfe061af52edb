"""Removes parts that nobody will publish: those of this node's attempts that are over and could not clean up after
themselves, those of its earlier lives, and those of nodes that never came back.

A part that is, or may yet be, granted must not go (SAFETY.md R9). One of this life is referred to by its attempt while
that runs, then by its report until that was granted or refused, then by its publish until that is over: what none of
them names is an orphan. Of an earlier life only the coordinator knows: it repeats grants every two seconds to a node
that it hears, so what nothing here refers to, after the node has reported for some time, is one as well. Those of other
nodes are left alone until this node has seen them unchanged for a day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from fa.core.places import parse_place
from fa.core.worker import Worker
from fa.errors import FaError
from fa.node import parts
from fa.node.attempt import discard
from fa.node.attempts import Attempts
from fa.node.parts import Owner
from fa.node.replacing import sweep_aside
from fa.node.stillness import Stillness
from fa.node.volumes import Volumes

log = logging.getLogger(__name__)

EVERY = 10.0  # seconds; a part goes at the second look at which nothing refers to it
FOREIGN_AFTER = 24 * 3600.0  # seconds in which this process saw nothing written to it


class Sweeper:
    def __init__(self, me: Owner, volumes: Volumes, worker: Worker, attempts: Attempts) -> None:
        self._me = me
        self._volumes = volumes
        self._worker = worker
        self._attempts = attempts
        self._seen: set[str] = set()  # orphans at the last look, volume:path
        self._still: dict[str, Stillness] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.look()

    async def look(self) -> None:
        """Note what seems to be an orphan, and remove what seemed so before."""
        if self._worker.coordinator is None:
            self._seen.clear()
            return
        for volume in self._volumes.status():
            if volume.state in ("healthy", "full"):
                await self._sweep(volume.name)

    async def _sweep(self, volume: str) -> None:
        try:
            left = await asyncio.to_thread(self._list, volume)
            orphans = {f"{volume}:{path}" for path in self._orphans(left)} - self._worker.parts
            again, self._seen = orphans & self._seen, orphans | self._others(volume)
            for place in sorted(again):
                await asyncio.to_thread(discard, self._volumes, parse_place(place))
                log.info("removed the orphaned part %s", place)
        except (FaError, OSError) as error:
            log.warning("volume %s could not be swept: %s", volume, error)

    def _list(self, volume: str) -> list[str]:
        """Parts that would be orphans, if nothing here refers to them. What is over and done with goes at once.
        Blocking."""
        still = self._still.setdefault(volume, Stillness(FOREIGN_AFTER))
        with self._volumes.pinned(volume, room=False) as root:
            gone = parts.empty_grave(root) + sweep_aside(root, lambda path, mark: still.lasted(path, lambda: mark))
            if gone:
                log.info("removed from volume %s what was left of %s", volume, ", ".join(gone))
            left = [path for path in parts.list_parts(root) if self._is_left(root, path, still)]
        still.forget_others()
        return left

    def _others(self, volume: str) -> set[str]:
        return {place for place in self._seen if not place.startswith(f"{volume}:")}

    def _orphans(self, left: Iterable[str]) -> list[str]:
        busy = tuple(parts.beginning(order.job, order.product, order.attempt) for order in self._attempts.orders)
        return [path for path in left if not path.startswith(busy)]

    def _is_left(self, root: str, path: str, still: Stillness) -> bool:
        owner = parts.owner_of(path)
        if owner and owner.node == self._me.node and owner.boot <= self._me.boot:
            return True
        return still.lasted(path, lambda: parts.mark_of(root, path))
