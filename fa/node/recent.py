"""The last segments in memory, so that shipping them costs no read; those that arrived; and what is told of the latest
at a start."""

from __future__ import annotations

from collections import OrderedDict, deque

from fa.core.array_chain import WINDOW, Link
from fa.core.array_messages import Append
from fa.core.position import Position
from fa.replication.chain import Chain
from fa.replication.envelope import Envelope

RECENT_BYTES = 32 << 20

Segment = tuple[Envelope, bytes]


class RecentSegments:
    def __init__(self) -> None:
        self._kept: OrderedDict[int, Segment] = OrderedDict()
        self._bytes = 0

    def remember(self, envelope: Envelope, ltx: bytes) -> None:
        self._kept[envelope.max_txid] = (envelope, ltx)
        self._bytes += len(ltx)
        while self._bytes > RECENT_BYTES and len(self._kept) > 1:
            _, (_, old) = self._kept.popitem(last=False)
            self._bytes -= len(old)

    def ending_at(self, position: Position) -> Segment | None:
        found = self._kept.get(position.txid)
        return found if found and found[0].after == position else None

    def forget(self) -> None:
        """The history changed: what was kept may be of another."""
        self._kept.clear()
        self._bytes = 0


class Arrivals:
    """The bytes of segments that came, until the core takes them. It looks at each in the order in which they came, so
    those that came before one that is taken never will be: doubled ones, and those that do not fit."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Append, Segment]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, append: Append, segment: Segment) -> None:
        self._waiting.append((append, segment))

    def take(self, append: Append) -> Segment:
        """Of this very message: another that says the same may have come with other bytes."""
        while True:
            waiting, segment = self._waiting.popleft()
            if waiting is append:
                return segment

    def forget(self) -> None:
        self._waiting.clear()


def latest_links(chain: Chain, position: Position) -> tuple[Link, ...]:
    """The latest records without a hole: a power cut may have taken older ones that were not synced."""
    links: deque[Link] = deque()
    for txid in range(position.txid, max(0, position.txid - WINDOW) - 1, -1):
        at, epoch = chain.at(txid), chain.epoch(txid)
        if at is None:
            break
        links.appendleft(Link(at, epoch or 0))
    return tuple(links)
