"""Monitors and what arrived through them, as rows of the store, and the key by which a known file is told again.

A file is its monitor, path, size, mtime and a hash of its head and tail: one row with a unique key, so that however
many nodes see it, and however often, it is submitted once."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Fate(StrEnum):
    """What is still to be done about an arrival once its jobs are over: a move, an answer to a ticket.

    ::

                 last job succeeded                 owner did it
        open --------------------> succeeded --------------------> over
          |  ^                                                      ^
          |  +-- a job is retried -- (either) ------- owner did it -+
          +----- a job failed ---> failed
    """

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OVER = "over"


DUE = (Fate.SUCCEEDED, Fate.FAILED)


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """`version` counts every change, `text` is the TOML. `owner`: the node that is to watch; "" = none can."""

    id: int
    name: str
    version: int
    text: str
    enabled: bool
    owner: str
    submitted: int  # files
    last_file: str
    created_at: int
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A job as a file asks for it (`fa.core.ticket`). `source` is volume:path; spans in seconds; `answer`: it wants to
    be told what came of it."""

    source: str
    factories: tuple[str, ...]
    priority: int | None = None
    subject: str = ""
    description: str = ""
    defer: float = 0.0
    answer: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file that has settled, as its owner saw it. `path` on the volume; times in ns, as the file server keeps them.

    `digest` is of head and tail (hex). `ticket_error`: it is a ticket that cannot be read, and why."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    digest: str
    ticket: Ticket | None = None
    ticket_error: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An identity, and what became of it. `ctime_ns` is only a hint: while it is the same nobody looks again."""

    id: int
    monitor: int
    path: str
    size: int
    mtime_ns: int
    digest: str
    ctime_ns: int
    at: int
    fate: Fate = Fate.OVER
    answer: bool = False
    error: str = ""
    jobs: tuple[int, ...] = field(default=(), compare=False)  # only of those that are not over


def stat_key(path: str, size: int, mtime_ns: int, ctime_ns: int) -> int:
    """64 bits for a file as a scan sees it: what a watching node remembers of all that is submitted.

    The chance that a new file is taken for one of a million known ones is 1 in 18 million million."""
    text = b"%d %d %d " % (size, mtime_ns, ctime_ns) + path.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def pack_keys(keys: Iterable[int]) -> bytes:
    found = list(keys)
    return struct.pack(f">{len(found)}Q", *found)


def unpack_keys(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(packed) // 8}Q", packed)
