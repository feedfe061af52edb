"""What `/v1/mirror` says, read with patience: where a field is missing the screen shows "-", never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fa.client.problems import BadAnswer
from fa.tui.values import Shape, read


class Copy(Shape, frozen=True):
    """One copy of the job store and how far it is."""

    node: str = ""
    role: str = ""
    state: str = ""
    txid: int = 0
    lag_ms: float = 0.0
    lag_txids: int = 0
    rtt_ms: float | None = None


class Mirror(Shape, frozen=True):
    state: str = ""
    epoch: int = 0
    coordinator: str | None = None
    secondaries: tuple[str, ...] = ()
    voters: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()
    txid: int = 0
    checksum: str = ""
    lag_ms: float = 0.0
    commit_ms: float = 0.0
    commits_per_second: float | None = None
    why: str = ""


class TakeOver(Shape, frozen=True):
    """One change of the view: who led before and after, why, and for how long nothing was acknowledged."""

    at: str | int = ""
    until: str | None = None
    epoch: int = 0
    kind: str = ""
    before: str | None = None
    after: str | None = None
    coordinator: str | None = None
    by: str | None = None
    why: str | None = None
    outage_seconds: float | None = None


def read_mirror(told: Any) -> Mirror:
    if not isinstance(told, Mapping):
        raise BadAnswer("The answer about the mirror is not an object.")
    return read(Mirror, told)


def read_history(told: Any) -> tuple[TakeOver, ...]:
    """Newest first."""
    items = told.get("items", ()) if isinstance(told, Mapping) else told
    if not isinstance(items, list | tuple):
        raise BadAnswer("The answer about the history of the mirror is not a list.")
    found = (read(TakeOver, item) for item in items)
    return tuple(sorted(found, key=lambda item: (item.epoch, str(item.at)), reverse=True))
