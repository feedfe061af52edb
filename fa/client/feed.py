"""What the live stream gives, as values; apart from the client, so that whoever only reads them loads no HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from fa.client.sse import ServerEvent


@dataclass(frozen=True, slots=True)
class Live:
    """The stream is open; ``node`` answers. What follows is complete from the id that was resumed from."""

    node: str


@dataclass(frozen=True, slots=True)
class Stale:
    """Nothing is heard at the moment: what is shown may be old. The stream is being opened elsewhere."""

    why: str


@dataclass(frozen=True, slots=True)
class Relist:
    """Events were missed (too old to resume, or too slow a reader): list again; the stream goes on from now."""


Feed = Live | Stale | Relist | ServerEvent
