"""The monitors of this node: one helper process each (`fa.node.scanner`), asked again and again, never twice at once.

A folder that does not answer makes its monitor `disconnected` until it does; the node itself never waits for it, and no
second scan is started on top of one that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fa.core import work as w
from fa.core.monitor import MonitorError, parse_monitor
from fa.core.watch_messages import WatchStatus
from fa.node.attempt import Workshop
from fa.node.helper import Helper, helper_command
from fa.node.index_probe import IndexProbe
from fa.node.watch import NOT_WATCHED, Post, Watch


class Monitors:
    """Carries out what the watcher (`fa.core.watcher`) asks for."""

    def __init__(self, shop: Workshop, array_id: str, post: Post) -> None:
        self._volumes = shop.volumes
        self._array_id = array_id
        self._probe = IndexProbe(shop.tools, shop.sandbox)
        self._post = post
        self._watches: dict[int, Watch] = {}
        self._helpers: dict[int, Helper] = {}

    def routes(self) -> dict[type, Callable[[Any], None]]:
        return {
            w.StartWatch: self.start,
            w.StopWatch: self.stop,
            w.Learn: self.learn,
            w.FilesHeard: self.heard,
            w.DoAfter: self.after,
        }

    def start(self, effect: w.StartWatch) -> None:
        order = effect.order
        self.stop(w.StopWatch(order.monitor))
        try:
            monitor = parse_monitor(order.text)
        except MonitorError as error:  # it was saved by a newer fa
            self._post(w.Scanned(WatchStatus(order.monitor, order.version, "error", str(error))))
            return
        helper = self._helpers.setdefault(order.monitor, Helper(helper_command("scanner")))
        watch = Watch(order, monitor, helper, self._volumes, self._array_id, self._probe, self._post)
        self._watches[order.monitor] = watch
        watch.begin()

    def stop(self, effect: w.StopWatch) -> None:
        watch = self._watches.pop(effect.monitor, None)
        if watch:
            watch.end()

    def learn(self, effect: w.Learn) -> None:
        if watch := self._watches.get(effect.monitor):
            watch.learn(effect.keys, effect.whole)

    def heard(self, effect: w.FilesHeard) -> None:
        if watch := self._watches.get(effect.monitor):
            watch.heard(effect.files, effect.refused)

    def after(self, effect: w.DoAfter) -> None:
        watch = self._watches.get(effect.order.monitor)
        if watch:
            watch.after(effect.order)
        else:
            self._post(w.AfterEnded(effect.order, "", NOT_WATCHED))

    async def close(self) -> None:
        tasks = [watch.task for watch in self._watches.values() if watch.task]
        for monitor in list(self._watches):
            self.stop(w.StopWatch(monitor))
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(helper.close() for helper in self._helpers.values()))
