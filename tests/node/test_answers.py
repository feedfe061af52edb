"""People's requests while they wait for their commit: who gives up says so, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fa.core.commands import RemoveNode
from fa.core.ledger import Outcome
from fa.core.position import Position
from fa.core.work import Answer, Asked, GaveUp
from fa.errors import Unavailable
from fa.node.answers import Answers

COMMAND = RemoveNode("z", 1)


async def test_who_waited_too_long_has_given_up() -> None:
    posted: list[Any] = []
    with pytest.raises(Unavailable, match="did not acknowledge"):
        await Answers(posted.append).ask(COMMAND, 0.01)
    assert posted == [Asked(1, COMMAND), GaveUp(1)]


async def test_who_hangs_up_has_given_up() -> None:
    posted: list[Any] = []
    asked = asyncio.create_task(Answers(posted.append).ask(COMMAND, 60.0))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert posted == [Asked(1, COMMAND), GaveUp(1)]


async def test_who_was_answered_or_deposed_has_not() -> None:
    posted: list[Any] = []
    answers = Answers(posted.append)
    asked = [asyncio.create_task(answers.ask(COMMAND, 60.0)) for _ in range(3)]
    await asyncio.sleep(0)
    answers.answer(Answer(1, Outcome("done"), Position(3, 1)))
    answers.answer(Answer(2, Unavailable(), Position(0, 0)))
    answers.answer(Answer(9, Unavailable(), Position(0, 0)))
    answers.deposed()
    assert await asked[0] == ("done", Position(3, 1))
    for task in asked[1:]:
        with pytest.raises(Unavailable):
            await task
    assert posted == [Asked(number, COMMAND) for number in (1, 2, 3)]
