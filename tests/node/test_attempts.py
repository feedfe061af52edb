"""Attempts as tasks of the loop: whatever becomes of one is posted, once, and its slot is free again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from fa.core import work as w
from fa.core.commands import Order
from fa.node import attempts as module
from fa.node.attempts import Attempts

ORDER = Order(1, 7, 1, "a", 1, "p", "san:in/x", "san:out/1", "copy", 1, "", 50, 1, "cpu", 1)
FAILED = w.AttemptFailed(7, 1, "it died", False)
STOPPED = w.AttemptStopped(7, 1)


class Floor:
    def __init__(self) -> None:
        self.posted: list[Any] = []
        self.attempts = Attempts(cast(Any, None), self.posted.append, "a")

    def start(self) -> None:
        self.attempts.start(w.StartAttempt(ORDER))
        assert self.attempts.orders == (ORDER,), "what it may write is not swept"

    def stop(self) -> None:
        self.attempts.stop(w.StopAttempt(7, 1))

    async def over(self) -> list[Any]:
        """What was posted, when nothing more comes."""
        await self.attempts.close()
        assert self.attempts.orders == ()
        return self.posted


@pytest.fixture
async def floor() -> Floor:
    return Floor()


def carried_out(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    async def carry_out(*args: Any) -> Any:
        return await act()

    monkeypatch.setattr(module, "carry_out", carry_out)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def failed() -> w.AttemptFailed:
    return FAILED


async def bug() -> None:
    raise RuntimeError("a bug")


async def test_a_stop_that_comes_with_its_order(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both were in one read of the link: a task that is cancelled before its first step runs nothing of it."""
    carried_out(monkeypatch, for_ever)
    floor.start()
    floor.stop()
    floor.stop()
    assert await floor.over() == [STOPPED]


async def test_a_stop_of_what_runs(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    carried_out(monkeypatch, for_ever)
    floor.start()
    await asyncio.sleep(0)
    floor.stop()
    assert await floor.over() == [STOPPED]


async def test_a_stop_of_what_is_over(floor: Floor) -> None:
    floor.stop()
    assert await floor.over() == [STOPPED]


async def test_what_ends_by_itself_has_not_stopped(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    carried_out(monkeypatch, failed)
    floor.start()
    await asyncio.sleep(0)
    floor.stop()
    assert await floor.over() == [FAILED]


async def test_a_bug_takes_no_slot_for_ever(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    carried_out(monkeypatch, bug)
    floor.start()
    await asyncio.sleep(0)
    assert await floor.over() == [w.AttemptFailed(7, 1, "fa failed: a bug", False)]
