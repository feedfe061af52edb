"""One watched folder: its helper process asked again and again, what it found told to the core, and what became of that
told to the helper.

The helper may be lost at any time; it begins anew with all that is known, which is kept here as 8 bytes a file."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from fa.core import work as w
from fa.core.arrivals import Sighting, Ticket, pack_keys, stat_key
from fa.core.intake import Stamp
from fa.core.monitor import Monitor
from fa.core.places import Place
from fa.core.watch_messages import AfterOrder, Growing, WatchOrder, WatchStatus
from fa.errors import FaError
from fa.node.clock import monotonic
from fa.node.helper import Helper, HelperEnded
from fa.node.index_probe import IndexProbe
from fa.node.volumes import Volumes

log = logging.getLogger(__name__)

Post = Callable[[Any], None]
SCAN_TIMEOUT = 30.0  # seconds; 100,000 files take one or two
KEYS_APART_MAX = 1024
GIVEN_MAX = 256  # files that nobody has heard of yet, of one monitor
NOT_WATCHED = "this node does not watch that folder any more"
REST = 3.0  # scans that take a second are followed by three of rest at least, whatever `poll` says


class Watch:
    """One monitor, until :meth:`end`."""

    def __init__(
        self,
        order: WatchOrder,
        monitor: Monitor,
        helper: Helper,
        volumes: Volumes,
        array_id: str,
        probe: IndexProbe,
        post: Post,
    ) -> None:
        self._order = order
        self._monitor = monitor
        self._helper = helper
        self._volumes = volumes
        self._array_id = array_id
        self._probe = probe
        self._post = post
        self._status = WatchStatus(order.monitor, order.version)
        self._keys: list[bytes] = []  # all that is submitted, for a helper that has to begin anew
        self._knows_all = asyncio.Event()
        self._begun = False
        self._heard: list[tuple[str, Sequence[int]]] = []
        self._refused: list[tuple[str, Sequence[int], str]] = []
        self._unready: list[tuple[str, Sequence[int], str]] = []
        self._given: dict[Sighting, Sequence[int]] = {}  # what is on its way to the coordinator, with its stamp
        self._afters: deque[AfterOrder] = deque()
        self._due = True  # a scan is
        self._next_at = 0.0  # the next one
        self._took = 0.0  # seconds, the last one
        self._more = False  # has settled than was given out
        self._wake = asyncio.Event()
        self._probing: set[asyncio.Task[None]] = set()
        self.task: asyncio.Task[None] | None = None

    # --- what it is told ---

    def begin(self) -> None:
        self.task = asyncio.create_task(self._run(), name=f"monitor-{self._monitor.name}")

    def end(self) -> None:
        for task in (self.task, *self._probing):
            if task:
                task.cancel()
        self._helper.kill()
        for order in self._afters:
            self._post(w.AfterEnded(order, "", NOT_WATCHED))

    def learn(self, keys: bytes, whole: bool) -> None:
        self._keys.append(keys)
        if whole:
            self._knows_all.set()

    def heard(self, files: Sequence[Sighting], refused: Sequence[str]) -> None:
        for seen, why in zip(files, refused, strict=True):
            stamp = self._given.pop(seen, None)  # None: given out by an earlier helper
            if not why:
                self._keys.append(pack_keys([stat_key(seen.path, seen.size, seen.mtime_ns, seen.ctime_ns)]))
            if stamp is not None and why:
                self._refused.append((self._below(seen.path), stamp, why))
            elif stamp is not None:
                self._heard.append((self._below(seen.path), stamp))
        if len(self._keys) > KEYS_APART_MAX:
            self._keys = [b"".join(self._keys)]
        if len(self._given) < GIVEN_MAX // 2 or self._refused:
            self._wake.set()

    def after(self, order: AfterOrder) -> None:
        self._afters.append(order)
        self._wake.set()

    def _below(self, path: str) -> str:
        return path.removeprefix(f"{self._monitor.folder.path}/")

    # --- the loop ---

    async def _run(self) -> None:
        await self._knows_all.wait()
        while True:
            try:
                wait = await self._round()
            except FaError as error:
                self._say(state="disconnected", why=str(error))
                self._begun, wait = False, self._monitor.poll  # who writes there cannot either: none stands still
            except HelperEnded:
                self._say(state="error", why="the process that looks at the folder ended; it begins anew")
                self._begun, wait = False, self._monitor.poll
            except Exception as trouble:  # a bug in fa must not end the watch
                log.exception("monitor %s", self._monitor.name)
                self._say(state="error", why=f"fa failed: {trouble!r}")
                self._begun, wait = False, self._monitor.poll
            if wait > 0:
                await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        """Until then, or until there is something to pass on."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            self._due = True
        self._wake.clear()

    async def _round(self) -> float:
        """Do what is to be done; seconds until there is more. Raises `VolumeGone`, `HelperEnded`."""
        root = self._volumes.root(self._monitor.folder.volume, write=self._monitor.writes)
        if not self._begun:
            await self._begin(root)
        while self._afters:
            await self._do_after(self._afters[0])
        scans, began = self._due, monotonic()
        answer = await self._look(scans)
        if scans:
            self._due = False
            took, before = monotonic() - began, self._took
            self._took = took
            self._next_at = began + max(self._monitor.poll, took + REST * min(took, before))  # it may have hung once
        self._take(root, answer)
        return 0.0 if self._more and len(self._given) < GIVEN_MAX else max(0.001, self._next_at - monotonic())

    async def _begin(self, root: str) -> None:
        self._given.clear()
        self._heard, self._refused, self._unready = [], [], []
        await self._ask({"begin": self._order.text, "root": root, "array_id": self._array_id})
        self._keys = [b"".join(self._keys)]
        await self._ask({"learn": base64.b64encode(self._keys[0]).decode()})
        self._begun, self._due = True, True

    async def _look(self, scans: bool) -> Mapping[str, Any]:
        question = {
            "scan": scans,
            "give": max(0, GIVEN_MAX - len(self._given)),
            "heard": self._heard,
            "refused": self._refused,
            "unready": self._unready,
        }
        self._heard, self._refused, self._unready = [], [], []
        return await self._ask(question)

    async def _ask(self, question: Any) -> Mapping[str, Any]:
        """Wait for the answer as long as it takes, saying so when it takes long."""
        while True:
            try:
                answer = await self._helper.ask(question, SCAN_TIMEOUT)
            except TimeoutError:
                self._say(state="disconnected", why=f"the folder has not answered for {SCAN_TIMEOUT:g} s")
                continue
            if answer.get("lost"):
                raise HelperEnded
            return dict(answer)

    # --- what comes of it ---

    def _take(self, root: str, answer: Mapping[str, Any]) -> None:
        self._more = bool(answer["more"])
        files = []
        for found in answer["ready"]:
            seen = self._sighting(found)
            self._given[seen] = found["stamp"]
            if found["probe"]:
                self._later(self._try_index(root, seen, found["stamp"]))
            else:
                files.append(seen)
        status = WatchStatus(
            self._order.monitor, self._order.version, answer["state"], answer["why"], answer["seen"],
            answer["settling"], answer["refused"], answer["scan_ms"],
            tuple(Growing(**growing) for growing in answer["growing"]),
        )  # fmt: skip
        self._status = status
        self._post(w.Scanned(status, tuple(files)))

    def _sighting(self, found: Mapping[str, Any]) -> Sighting:
        size, mtime_ns, ctime_ns, _ = found["stamp"]
        path = f"{self._monitor.folder.path}/{found['path']}"
        given = found.get("ticket")
        ticket = Ticket(**{**given, "factories": tuple(given["factories"])}) if given else None
        return Sighting(path, size, mtime_ns, ctime_ns, found["digest"], ticket, found.get("ticket_error", ""))

    async def _try_index(self, root: str, seen: Sighting, stamp: Sequence[int]) -> None:
        try:
            why = await self._probe.why_not(root, Place(self._monitor.folder.volume, seen.path), Stamp(*stamp))
        except Exception as trouble:  # a bug in fa, or no room for a child: it would be on its way for ever
            log.exception("monitor %s: %s", self._monitor.name, seen.path)
            why = f"fa failed: {trouble!r}"
        if not why:
            self._post(w.Scanned(self._status, (seen,)))
        elif self._given.pop(seen, None) is not None:
            self._unready.append((self._below(seen.path), stamp, why))
            self._wake.set()

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._probing.add(task)
        task.add_done_callback(self._probing.discard)

    async def _do_after(self, order: AfterOrder) -> None:
        answer = await self._ask({"after": asdict(order)})
        self._afters.popleft()
        self._post(w.AfterEnded(order, answer["path"], answer["error"]))

    def _say(self, *, state: str, why: str) -> None:
        self._status = replace(self._status, state=state, why=why, growing=())
        self._post(w.Scanned(self._status))
