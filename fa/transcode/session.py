"""The processes of a session, as the kernel lists them. Linux; blocking for well under a millisecond per process."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_DEAD = ("Z", "X", "x")


@dataclass(frozen=True, slots=True)
class Member:
    """A process that still runs, and the processor seconds of it and of its children that ended."""

    pid: int
    cpu: float


def session_members(session: int) -> list[Member]:
    """Every process of the session that has not ended, whatever process group it moved to."""
    members = (_member(entry, session) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [member for member in members if member is not None]


def group_is_empty(group: int) -> bool:
    """Whether no process, not even an unreaped one, is in the process group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def kill_session(session: int, number: signal.Signals) -> bool:
    """Send the signal to every member of the session. False when there was none."""
    members = session_members(session)
    for member in members:
        with suppress(ProcessLookupError):
            os.kill(member.pid, number)
    return bool(members)


def _member(entry: Path, session: int) -> Member | None:
    try:
        stat = (entry / "stat").read_bytes()
    except OSError:
        return None
    # After the name in brackets (which may hold anything): state ppid pgrp session … utime stime cutime cstime (14-17).
    fields = stat.rpartition(b")")[2].split()
    if int(fields[3]) != session or fields[0].decode() in _DEAD:
        return None
    return Member(int(entry.name), sum(map(int, fields[11:15])) / _TICKS)
