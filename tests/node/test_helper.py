"""A helper that is asked: the answer, the time-out, and the task that is told to end just then."""

from __future__ import annotations

import asyncio

import pytest

from fa.node.helper import Helper


async def test_a_task_that_is_cancelled_just_as_the_answer_comes_ends() -> None:
    """`asyncio.wait_for` of Python 3.11 gives the answer instead, and the task goes on for ever."""
    helper = Helper(["nothing"])
    answer: asyncio.Task[bytes] = asyncio.create_task(asyncio.sleep(0.01, b'{"a": 1}'))
    helper._answer = answer
    asking = asyncio.create_task(helper.ask(None, 60.0))
    answer.add_done_callback(lambda _: asking.cancel())
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_an_answer_that_is_late_is_given_to_the_next_who_asks() -> None:
    helper = Helper(["nothing"])
    told = asyncio.Event()

    async def answer() -> bytes:
        await told.wait()
        return b'{"a": 1}'

    helper._answer = asyncio.create_task(answer())
    with pytest.raises(TimeoutError):
        await helper.ask(None, 0.01)
    assert helper.busy
    told.set()
    assert await helper.ask(None, 60.0) == {"a": 1}
