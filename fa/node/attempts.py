"""The attempts that run on this node, as the effects of the worker ask for them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fa.core import work as w
from fa.core.commands import Order
from fa.core.places import parse_place
from fa.core.work import Key, PublishResult
from fa.errors import FaError
from fa.node.attempt import Workshop, carry_out, discard
from fa.node.publish import publish
from fa.transcode.digest import digest

log = logging.getLogger(__name__)


class Attempts:
    def __init__(self, shop: Workshop, post: Callable[[Any], None], node: str) -> None:
        self._shop = shop
        self._node = node
        self._post = post
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._tasks: dict[Key, asyncio.Task[w.Encoded | w.AttemptFailed]] = {}
        self._orders: dict[Key, Order] = {}
        self._others: set[asyncio.Task[None]] = set()

    @property
    def orders(self) -> tuple[Order, ...]:
        """Of the attempts that may write a part now."""
        return tuple(self._orders.values())

    def start(self, effect: w.StartAttempt) -> None:
        key = (effect.order.task, effect.order.attempt)
        self._orders[key] = effect.order
        task = asyncio.create_task(carry_out(self._shop, effect.order, self._show), name=f"attempt-{key[0]}-{key[1]}")
        self._tasks[key] = task
        task.add_done_callback(partial(self._ended, key))

    def _ended(self, key: Key, task: asyncio.Task[w.Encoded | w.AttemptFailed]) -> None:
        """Whatever ended it: a task that is cancelled before its first step runs nothing of itself, and its slot would
        be taken until the node restarts."""
        del self._tasks[key], self._orders[key]
        if task.cancelled():
            self._post(w.AttemptStopped(*key))
        elif trouble := task.exception():  # a bug in fa must not take the slot for ever
            log.error("attempt %s of task %s", key[1], key[0], exc_info=trouble)
            self._post(w.AttemptFailed(*key, f"fa failed: {trouble}", False))
        else:
            self._post(task.result())

    def _show(self, running: w.Running) -> None:
        """From the loop, or from the thread that copies."""
        if threading.get_ident() == self._thread:
            self._post(w.Progressed(running))
        else:
            self._loop.call_soon_threadsafe(self._post, w.Progressed(running))

    def stop(self, effect: w.StopAttempt) -> None:
        task = self._tasks.get((effect.task, effect.attempt))
        if task is None:
            self._post(w.AttemptStopped(effect.task, effect.attempt))
        else:
            task.cancel()

    def publish(self, effect: w.Publish) -> None:
        self._later(self._publish(effect))

    async def _publish(self, effect: w.Publish) -> None:
        key = (effect.task, effect.attempt)
        try:
            result, error = await asyncio.to_thread(publish, self._shop.volumes, effect, _digest, self._node)
        except (FaError, OSError) as trouble:
            result, error = PublishResult.TROUBLE, str(trouble)
        if error:
            log.warning("publishing %s: %s", effect.output.path, error)
        self._post(w.PublishEnded(*key, result, error))

    def discard(self, effect: w.Discard) -> None:
        self._later(self._discard(effect.part))

    async def _discard(self, part: str) -> None:
        place = parse_place(part)
        try:
            await asyncio.to_thread(discard, self._shop.volumes, place)
        except (FaError, OSError) as trouble:
            log.warning("the part %s could not be removed: %s; the sweep does it", part, trouble)

    async def close(self) -> None:
        """Kill everything and wait until it is gone."""
        tasks = [*self._tasks.values(), *self._others]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)


def _digest(path: Path) -> tuple[int, str]:
    made = digest(path)
    return made.bytes, made.sha256
