from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fa.core.work import Moment
from fa.node.clock import Clock
from fa.node.runtime import Runtime


class Steps:
    """A core that gives each event back as its effect; `behind`: its deadline has always passed."""

    def __init__(self, behind: bool = False) -> None:
        self.deadline: float | None = 0.0 if behind else None

    def step(self, event: Any, now: Moment) -> list[Any]:
        return [event]

    def woken(self) -> Any:
        return "woken"


async def test_effects_are_carried_out_one_after_the_other() -> None:
    done: list[str] = []
    runtime = Runtime(Steps(), Clock(), lambda event: None)

    async def slowly(effect: str) -> None:
        await asyncio.sleep(0)
        done.append(effect)

    runtime.perform(str, slowly)
    running = asyncio.create_task(runtime.run())
    for event in ("one", "two", "three"):
        runtime.post(event)
    async with asyncio.timeout(60):
        while len(done) < 3:
            await asyncio.sleep(0.001)
    assert done == ["one", "two", "three"]
    running.cancel()


async def test_a_deadline_that_always_lies_behind_starves_nobody() -> None:
    """The API of a node must answer even if the core wants to be woken without end."""
    runtime = Runtime(Steps(behind=True), Clock(), lambda event: None)
    runtime.perform(str, lambda effect: None)
    running = asyncio.create_task(runtime.run())
    for _ in range(10):
        await asyncio.sleep(0)  # comes back
    assert not running.done()
    running.cancel()


@pytest.mark.parametrize(("seconds", "posted", "first"), [(0.01, [], "woken"), (3600.0, ["came"], "came")])
async def test_it_sleeps_until_the_deadline_or_until_something_arrives(
    seconds: float, posted: list[str], first: str
) -> None:
    steps, clock, done = Steps(), Clock(), asyncio.Event()
    seen: list[str] = []
    runtime = Runtime(steps, clock, lambda event: None)

    def carried_out(effect: str) -> None:
        seen.append(effect)
        steps.deadline = None
        done.set()

    runtime.perform(str, carried_out)
    steps.deadline = clock.mono() + seconds
    running = asyncio.create_task(runtime.run())
    for _ in range(3):
        await asyncio.sleep(0)  # it sleeps now
    for event in posted:
        runtime.post(event)
    await asyncio.wait_for(done.wait(), 60)
    running.cancel()
    assert seen == [first]
