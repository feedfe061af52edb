"""A node that is told to stop ends, whatever hangs."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest

from fa.node import node

STUCK = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
from fa.node.main import _leave
begun = threading.Event()
ThreadPoolExecutor(1).submit(lambda: (begun.set(), time.sleep(600)))
begun.wait()
_leave(3)
"""


def test_the_process_waits_for_no_thread() -> None:
    done = subprocess.run([sys.executable, "-c", STUCK], timeout=60, check=False)
    assert done.returncode == 3


async def test_who_waits_for_a_hung_volume_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(node, "VOLUME_PATIENCE", 0.05)
    ended = []

    async def ends() -> None:
        ended.append(True)

    with caplog.at_level(logging.WARNING):
        await node._for_a_while(ends())
        assert ended and not caplog.records
        async with asyncio.timeout(10):
            await node._for_a_while(ends(), asyncio.Event().wait())  # type: ignore[arg-type]
    assert "left behind" in caplog.text
