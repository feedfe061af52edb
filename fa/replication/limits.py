"""The figures by which the writer works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes into one group, how many groups travel, and when the WAL is checkpointed (bytes; seconds).

    Two travel: one commits here while the other is made durable there. With more, groups only get smaller, and each
    costs two syncs and a segment. Every ``scrub_seconds`` the file is read over, ``scrub_pages`` at a time."""

    group: int = 256
    in_flight: int = 2
    wal_bytes: int = 16 << 20
    wal_seconds: float = 60.0
    retry_seconds: float = 1.0
    scrub_seconds: float = 3600.0
    scrub_pages: int = 64
    scrub_rest: float = 0.025
