"""Clients that submit without end, each request with a key of its own, and retry what may be retried."""

from __future__ import annotations

import http.client
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.e2e.kit import Array, Node, wait_until

RETRIED = frozenset({503})
GIVE_UP_AFTER = 120.0  # seconds for one request


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """`began` and `ended` in monotonic seconds; `job` the id that the array gave."""

    key: str
    job: int
    began: float
    ended: float


@dataclass(slots=True)
class Load:
    """`refused`: answers that no client should ever see; `retries`: 503 and broken connections."""

    array: Array
    body: dict[str, Any]
    clients: int = 8
    retried: frozenset[int] = RETRIED
    timeout: float = 30.0  # seconds until a client gives up an answer and asks another node
    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)
    retries: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._client, args=(n,)) for n in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def first_after(self, moment: float) -> Acknowledged | None:
        """The first request that began after `moment` and was acknowledged."""
        with self._lock:
            later = [ack for ack in self.acknowledged if ack.began >= moment]
        return min(later, key=lambda ack: ack.ended, default=None)

    def _client(self, number: int) -> None:
        rng = Random(number)
        count = 0
        while not self._stop.is_set():
            key = f"client-{number}-{count}"
            began = time.monotonic()
            job = self._submit(rng, key)
            if job is None:
                return
            with self._lock:
                self.acknowledged.append(Acknowledged(key, job, began, time.monotonic()))
            count += 1

    def _submit(self, rng: Random, key: str) -> int | None:
        """Until it is acknowledged; None when told to stop, or refused."""
        end = time.monotonic() + GIVE_UP_AFTER
        while time.monotonic() < end:
            node = rng.choice(self.array.nodes)
            try:
                status, body = node.request("POST", "/v1/jobs", self.body, key=key, timeout=self.timeout)
            except (OSError, http.client.HTTPException):
                status, body = 503, None
            if status == 201:
                return int(body["id"])
            if status not in self.retried:
                with self._lock:
                    self.refused.append((key, status, body))
                return None
            with self._lock:
                self.retries += 1
            if self._stop.is_set():
                return None
            time.sleep(0.02)
        with self._lock:
            self.refused.append((key, "no answer in time", None))
        return None


def check_exactly_once(load: Load, node: Node) -> None:
    """Every acknowledged job is there, once, and in order: what was asked for after another was acknowledged, whoever
    asked, comes after it."""
    assert not load.refused, load.refused[:5]
    there = {job["id"]: job for job in node.jobs()}
    acknowledged = [ack.job for ack in load.acknowledged]
    assert len(set(acknowledged)) == len(acknowledged), "two requests were given one job"
    missing = sorted(set(acknowledged) - there.keys())
    assert not missing, f"acknowledged jobs are gone: {missing[:10]}"
    extra = len(there) - len(acknowledged)
    assert extra <= load.clients, f"{extra} jobs that nobody was told of: more than one request in flight a client"
    _check_order(load.acknowledged)


def _check_order(acknowledged: Sequence[Acknowledged]) -> None:
    by_end = deque(sorted(acknowledged, key=lambda ack: ack.ended))
    newest = 0
    for asked in sorted(acknowledged, key=lambda ack: ack.began):
        while by_end[0].ended < asked.began:  # it ends at the one that is looked at
            newest = max(newest, by_end.popleft().job)
        assert asked.job > newest, f"job {newest} was acknowledged before {asked.key} asked for job {asked.job}"


def kill_coordinators(
    array: Array, load: Load, times: int, settled: Callable[[], None], tell: Callable[[str], None] = lambda text: None
) -> Sequence[float]:
    """kill -9 the coordinator `times` times; seconds from each kill to the next acknowledged write. The dead node is
    started again, and `settled` waited for, before the next one."""
    outages = []
    for number in range(times):
        victim = array.coordinator()
        killed_at = time.monotonic()
        victim.kill()
        ack = wait_until("a write after the kill", lambda at=killed_at: load.first_after(at))  # type: ignore[misc]
        outages.append(ack.ended - killed_at)
        tell(f"{number + 1:3}  {victim.name} killed, next acknowledged write after {outages[-1]:.2f} s")
        victim.start()
        settled()
    return outages
