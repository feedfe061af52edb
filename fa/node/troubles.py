"""What is wrong with this node, and with the array while it leads: kept here until the coordinator has it in the store.

Whoever watches something says what stands (`stands`, all that it sees, each time it looks) or what happened
(`happened`, once). The whole of it is told again whenever it changes, to whoever leads, and the store makes alerts of
it: so nothing is lost when the coordinator is, and nothing has to be cleared by hand."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from fa.core.alarms import Trouble

REPEAT_AFTER = 600.0  # seconds until the same thing that happens again and again is told again
MOMENTS_KEPT = 32  # that are not told yet; the oldest go
NUMBERS = 1 << 20  # moments that a life of a node, or an epoch, has numbers for


class TroubleBook:
    """One scope: ``node/NAME`` or ``array``. `now`: monotonic seconds."""

    def __init__(self, scope: str, now: Callable[[], float]) -> None:
        self.scope = scope
        self.changed = asyncio.Event()
        self._now = now
        self._standing: dict[str, tuple[Trouble, ...]] = {}
        self._moments: deque[Trouble] = deque(maxlen=MOMENTS_KEPT)
        self._said: dict[tuple[str, str], float] = {}
        self._count = 0

    def stands(self, source: str, troubles: Iterable[Trouble]) -> None:
        """All that `source` sees wrong now; nothing = all is well."""
        found = tuple(troubles)
        if found != self._standing.get(source, ()):
            self._standing[source] = found
            self.changed.set()

    def happened(self, kind: str, text: str, life: int) -> None:
        """`life`: boots of the node or epoch of the coordinator, so that numbers grow over restarts."""
        now = self._now()
        self._said = {key: at for key, at in self._said.items() if now - at < REPEAT_AFTER}
        if (kind, text) in self._said:
            return
        self._said[kind, text] = now
        self._count += 1
        self._moments.append(Trouble(kind, self.scope, text, life * NUMBERS + self._count))
        self.changed.set()

    def all(self) -> tuple[Trouble, ...]:
        standing = [trouble for source in sorted(self._standing) for trouble in self._standing[source]]
        return (*standing, *self._moments)

    def told(self, troubles: Iterable[Trouble]) -> None:
        """These are in the store: what happened need not be told again."""
        numbers = {trouble.number for trouble in troubles}
        self._moments = deque((one for one in self._moments if one.number not in numbers), maxlen=MOMENTS_KEPT)
