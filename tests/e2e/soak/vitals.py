"""Memory, descriptors and threads of the nodes, looked at all along: none of them grows without bound."""

from __future__ import annotations

import statistics
import threading
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil

from tests.e2e import kit

EVERY = 3.0  # seconds
LONG = 60  # looks at one life from which its growth is judged
RSS_MAX, DESCRIPTORS_MAX, THREADS_MAX = 500 << 20, 400, 80  # 256 segments are open while they are compacted
GROWTH, GROWTH_FREE = 1.5, 32 << 20  # of the last third of a life over the second


class Look(NamedTuple):
    rss: int
    descriptors: int
    threads: int


@dataclass
class Vitals:
    array: kit.Array
    lives: dict[tuple[str, int], list[Look]] = field(default_factory=dict)  # by node and process

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY):
            self.look()

    def look(self) -> None:
        for node in list(self.array.nodes):
            if node.process is None:
                continue
            try:
                process = psutil.Process(node.process.pid)
                with process.oneshot():
                    seen = Look(process.memory_info().rss, process.num_fds(), process.num_threads())
            except psutil.Error:
                continue
            self.lives.setdefault((node.name, node.process.pid), []).append(seen)

    def most(self) -> Look:
        every = [look for life in self.lives.values() for look in life]
        return Look(*(max(values) for values in zip(*every, strict=True)))

    def wrong(self) -> list[str]:
        found = []
        most = self.most()
        if most.rss > RSS_MAX or most.descriptors > DESCRIPTORS_MAX or most.threads > THREADS_MAX:
            found.append(f"a node took more than it should: {most}")
        for (name, pid), life in self.lives.items():
            if len(life) < LONG:
                continue
            third = len(life) // 3
            before, after = _median(life[third : 2 * third]), _median(life[2 * third :])
            if after.rss > before.rss * GROWTH + GROWTH_FREE:
                found.append(f"{name} ({pid}) grows: {before} -> {after}")
            if after.descriptors > before.descriptors * GROWTH + 20 or after.threads > before.threads * GROWTH + 10:
                found.append(f"{name} ({pid}) grows: {before} -> {after}")
        return found


def _median(looks: list[Look]) -> Look:
    return Look(*(int(statistics.median(values)) for values in zip(*looks, strict=True)))
