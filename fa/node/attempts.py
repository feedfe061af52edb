"""The attempts that run on this node, as the effects of the worker ask for them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
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
    def __init__(self, shop: Workshop, post: Callable[[Any], None]) -> None:
        self._shop = shop
        self._post = post
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._orders: dict[Key, Order] = {}
        self._others: set[asyncio.Task[None]] = set()

    @property
    def orders(self) -> tuple[Order, ...]:
        """Of the attempts that may write a part now."""
        return tuple(self._orders.values())

    def start(self, effect: w.StartAttempt) -> None:
        key = (effect.order.task, effect.order.attempt)
        self._orders[key] = effect.order
        self._tasks[key] = asyncio.create_task(self._run(effect), name=f"attempt-{key[0]}-{key[1]}")

    async def _run(self, effect: w.StartAttempt) -> None:
        order = effect.order
        key = (order.task, order.attempt)
        try:
            self._post(await carry_out(self._shop, order, self._show))
        except asyncio.CancelledError:
            self._post(w.AttemptStopped(*key))
        except Exception as trouble:  # a bug in fa must not take the slot for ever
            log.exception("attempt %s of task %s", order.attempt, order.task)
            self._post(w.AttemptFailed(*key, f"fa failed: {trouble}", False))
        finally:
            self._tasks.pop(key, None)
            self._orders.pop(key, None)

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
            result, error = await asyncio.to_thread(publish, self._shop.volumes, effect, _digest)
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
