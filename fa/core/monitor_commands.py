"""What the store can be asked to do about monitors and what arrives through them, and the facts that follow; a part of
`fa.core.commands`, by the same rules."""

from __future__ import annotations

from dataclasses import dataclass

from fa.core.arrivals import Arrival, MonitorRow, Sighting


@dataclass(frozen=True, slots=True)
class SaveMonitor:
    """Add or change. `expected` = the version that the caller saw (If-Match), 0 = none, None = whatever is there."""

    text: str
    at: int
    by: str = ""
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class EnableMonitor:
    name: str
    on: bool
    at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class RemoveMonitor:
    """What arrived through it is forgotten; its jobs stay."""

    name: str
    at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class AssignMonitor:
    """`owner` "" = no node can watch it now."""

    monitor: int
    owner: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class TakeArrival:
    """A file has settled: its identity and its jobs, in one change, once. Its value says whether it was new."""

    monitor: int
    seen: Sighting
    at: int


@dataclass(frozen=True, slots=True)
class RefuseArrival:
    """A ticket that cannot be carried out, and why: it gets no job, now or ever."""

    monitor: int
    seen: Sighting
    error: str
    at: int


@dataclass(frozen=True, slots=True)
class EndArrival:
    """What was to be done about it is done; `path`: where the file is now."""

    arrival: int
    path: str
    at: int


MonitorCommand = SaveMonitor | EnableMonitor | RemoveMonitor | AssignMonitor | TakeArrival | RefuseArrival | EndArrival


# --- facts ---


@dataclass(frozen=True, slots=True)
class MonitorChanged:
    """It was added, changed, enabled, assigned, or submitted something: this is its row now."""

    row: MonitorRow


@dataclass(frozen=True, slots=True)
class MonitorGone:
    monitor: int
    name: str


@dataclass(frozen=True, slots=True)
class AfterDue:
    """The jobs of a file are over, and something is to be done about it."""

    arrival: Arrival


MonitorFact = MonitorChanged | MonitorGone | AfterDue
