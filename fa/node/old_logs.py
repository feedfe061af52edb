"""Removes logs of attempts that are older than they are kept."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from fa.node.clock import wall_ms

log = logging.getLogger(__name__)

EVERY = 3600.0  # seconds


async def remove_old_logs(folder: Path, keep_seconds: float) -> None:
    """Once an hour, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(sweep, folder, wall_ms() / 1000 - keep_seconds)
        except OSError as error:
            log.warning("old logs could not be removed: %s", error)
        await asyncio.sleep(EVERY)


def sweep(folder: Path, before: float) -> int:
    """Remove the logs last written before that time (seconds since 1970); how many there were."""
    old = [path for path in folder.glob("*.log") if path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
