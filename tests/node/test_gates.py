from __future__ import annotations

import asyncio

import pytest

from fa.core.position import Position
from fa.errors import Unavailable
from fa.node.gates import Gates


async def test_a_read_waits_for_what_it_saw_and_no_longer() -> None:
    gates = Gates()
    gates.acknowledge(Position(4, 1))
    await gates.wait(4)
    waiting = [asyncio.create_task(gates.wait(txid)) for txid in (5, 6)]
    await asyncio.sleep(0)
    gates.acknowledge(Position(5, 1))
    await waiting[0]
    assert not waiting[1].done()
    gates.acknowledge(Position(7, 1))
    await waiting[1]


async def test_a_store_that_does_not_acknowledge_keeps_nobody_for_ever() -> None:
    gates = Gates(patience=0.01)
    with pytest.raises(Unavailable, match="not on every copy yet"):
        await gates.wait(1)
    assert not gates.waiting, "who gave up is not kept: a stalled array may be asked for days"
    gates.acknowledge(Position(1, 1))
    await gates.wait(1)


async def test_a_deposed_coordinator_shows_nothing() -> None:
    gates = Gates()
    waiting = asyncio.create_task(gates.wait(1))
    await asyncio.sleep(0)
    gates.deposed()
    with pytest.raises(Unavailable):
        await waiting


async def test_who_hangs_up_is_not_kept_either() -> None:
    gates = Gates()
    waiting = asyncio.create_task(gates.wait(1))
    await asyncio.sleep(0)
    assert gates.waiting == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert gates.waiting == 0
