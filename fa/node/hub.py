"""What happens in the array, as it happens, for whoever watches: dashboards, `fa jobs -w`, scripts on `/v1/stream`.

A watcher lists first and then watches from the id that the list named, so nothing falls between. Ids are
``<epoch>-<seq>``: they count up inside an epoch and start anew with the next coordinator, whose hub cannot know what
the last one told. The ring is bounded; a watcher that asks for what is no longer in it is told to list again (as the
watch of Kubernetes does with 410). A slow watcher never makes anybody else wait: it loses ``progress`` first, then its
subscription.

All of it lives in one event loop: no locks, no threads.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fa.errors import FaError, Invalid
from fa.node.as_json import encode

TOPICS = ("job", "node", "mirror", "alert", "event", "progress")
RING = 8192  # messages that can be resumed from: minutes of a busy array, 2 MB or so
QUEUE = 1024  # messages a watcher may be behind

_ID = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)


class WatchExpired(FaError):
    """What came after that id is no longer kept here; list again and watch from the id that the list names."""

    code = "watch-expired"
    status = 410


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that happened. ``data`` is JSON; ``id`` is "" for what cannot be resumed from (progress)."""

    id: str
    topic: str
    data: bytes


class Subscription:
    """What one watcher has not read yet. Made by :meth:`Hub.subscribe`; give it back with :meth:`Hub.unsubscribe`."""

    def __init__(self, topics: frozenset[str], limit: int) -> None:
        self.topics = topics
        self.ended = ""  # why there will be nothing more: "overflow", "moved", "stopping"
        self._limit = limit
        self._waiting: deque[Message] = deque()
        self._wake = asyncio.Event()

    def offer(self, message: Message) -> None:
        """Queue a message; makes room by dropping progress, and ends the subscription when that is not enough."""
        if self.ended or message.topic not in self.topics:
            return
        if len(self._waiting) >= self._limit and not self._make_room(message):
            return
        self._waiting.append(message)
        self._wake.set()

    def _make_room(self, message: Message) -> bool:
        self._waiting = deque(m for m in self._waiting if m.topic != "progress")
        if len(self._waiting) < self._limit:
            return True
        if message.topic != "progress":
            self.end("overflow")
        return False

    def end(self, reason: str) -> None:
        """Nothing more will come. What is queued is still given out, so that the last id read is a true one."""
        self.ended = self.ended or reason
        self._wake.set()

    async def take(self, timeout_seconds: float) -> list[Message]:
        """All that waits; an empty list after ``timeout_seconds`` of silence, or when it ended and all was read."""
        if not self._waiting and not self.ended:
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._wake.wait()
            except TimeoutError:
                return []
        self._wake.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


class Hub:
    def __init__(self, epoch: int = 0, *, ring: int = RING, queue: int = QUEUE) -> None:
        self._epoch = epoch
        self._seq = 0
        self._ring: deque[Message] = deque(maxlen=ring)
        self._queue = queue
        self._watchers: list[Subscription] = []
        self._last_progress: dict[int, Any] = {}

    @property
    def head(self) -> str:
        """The id of the newest message: watching from here misses nothing that happens from now on."""
        return f"{self._epoch}-{self._seq}"

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    def begin_epoch(self, epoch: int) -> None:
        """A new coordinator began (here or elsewhere): older ids mean nothing now, watchers must come again."""
        self.end("moved")
        self._epoch, self._seq = epoch, 0
        self._ring.clear()
        self._last_progress = {}

    def publish(self, topic: str, data: Any) -> str:
        """Tell all watchers of ``topic``; ``data`` is anything that JSON can say. The id of the message."""
        assert topic in TOPICS and topic != "progress", f"{topic} is not a topic that is published"
        self._seq += 1
        message = Message(self.head, topic, encode(data))
        self._ring.append(message)
        self._tell(message)
        return message.id

    def sample(self, progress: Mapping[int, Any]) -> None:
        """Tell how far the running attempts are, by task id, when that changed. Meant to be called once a second:
        a hundred encodes that each report ten times a second are still one message."""
        if dict(progress) == self._last_progress:
            return
        self._last_progress = dict(progress)
        by_task = {str(task): value for task, value in progress.items()}
        self._tell(Message("", "progress", encode(by_task)))

    def _tell(self, message: Message) -> None:
        for watcher in self._watchers:
            watcher.offer(message)

    def subscribe(self, topics: frozenset[str] = frozenset(TOPICS), since: str = "") -> Subscription:
        """Watch from now on, or from just after the id ``since``.

        Raises `Invalid` for a topic or an id that cannot be, `WatchExpired` for an id that is no longer kept."""
        if unknown := sorted(topics - set(TOPICS)):
            raise Invalid(f"There is no topic {unknown[0]!r}.", hint=f"Topics are {', '.join(TOPICS)}.")
        subscription = Subscription(topics, self._queue)
        for message in self._after(since) if since else ():
            subscription.offer(message)
        self._watchers.append(subscription)
        return subscription

    def _after(self, since: str) -> list[Message]:
        match = _ID.fullmatch(since)
        if match is None:
            raise Invalid(f"{since!r} is not the id of a message.", hint="Ids look like 7-1042.")
        epoch, seq = int(match[1]), int(match[2])
        behind = self._seq - seq
        if epoch != self._epoch or not 0 <= behind <= len(self._ring):
            raise WatchExpired
        return list(self._ring)[len(self._ring) - behind :]

    def unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self._watchers:
            self._watchers.remove(subscription)

    def end(self, reason: str) -> None:
        """Every watcher reads what it has and is then told ``reason`` ("moved", "stopping")."""
        for watcher in self._watchers:
            watcher.end(reason)
        self._watchers = []
