from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fa.core.alarms import EndNotices, Notice
from fa.core.mailroom import BACKOFF_FIRST
from fa.errors import Unavailable
from fa.node.clock import Clock
from fa.node.helper import HelperEnded
from fa.node.postman import Postman, own_targets
from fa.node.settings import Alerts

NOTICE = Notice(1, 1_790_000_000_000, "node.lost", "error", "node/b", "b is silent")


class FakeClock(Clock):
    def __init__(self) -> None:
        self.seconds = 0.0

    def mono(self) -> float:
        return self.seconds

    def wall(self) -> int:
        return NOTICE.at + int(self.seconds * 1000)


class Office:
    """A store with notices, and somebody who sends them: `answers` say how each sending ends, then all is well."""

    def __init__(self, *notices: Notice) -> None:
        self.rows = {notice.id: notice for notice in notices}
        self.sent: list[Any] = []
        self.answers: list[Any] = []
        self.leads = True
        self.refuses = False
        self.closed = 0
        self.clock = FakeClock()

    async def notices(self) -> tuple[Notice, ...]:
        return tuple(row for _, row in sorted(self.rows.items()) if row.done_at is None)

    async def end(self, command: EndNotices) -> None:
        if self.refuses:
            raise Unavailable
        for number, outcome in command.ended:
            self.rows[number] = replace(self.rows[number], done_at=command.at, outcome=outcome)

    async def ask(self, question: Any, timeout: float) -> Any:
        answer = self.answers.pop(0) if self.answers else {"why": ""}
        if isinstance(answer, BaseException):
            raise answer
        self.sent.append(question)
        return answer

    async def close(self) -> None:
        self.closed += 1

    @property
    def done(self) -> bool:
        return all(row.done_at is not None for row in self.rows.values())

    @asynccontextmanager
    async def postman(self, settings: Alerts | None = None) -> AsyncIterator[Postman]:
        """At work until the end of the block."""
        store: Any = self
        man = Postman(
            settings or Alerts(targets=("mailto://desk",)), ("news", "0f3a9c11-0000"),
            lambda: store if self.leads else None, self.end, self.clock, self,
        )  # fmt: skip
        running = asyncio.create_task(man.run())
        try:
            yield man
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def until(man: Postman, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            man.wake.set()
            await asyncio.sleep(0.001)


async def test_what_is_due_is_sent_and_marked() -> None:
    office = Office(NOTICE)
    async with office.postman() as man:
        await until(man, lambda: office.done)
    (sent,) = office.sent
    assert (sent["url"], sent["id"], sent["severity"], sent["own"]) == ("mailto://desk", "0f3a9c11-1", "error", True)
    assert sent["title"] == "[news] node.lost node/b"
    assert office.rows[1].outcome == "" and office.closed, "Apprise does not stay in memory"


async def test_a_new_coordinator_sends_again_what_was_not_marked() -> None:
    """Between sending and marking the old one died: at least once, and with the same id."""
    office = Office(NOTICE)
    office.refuses = True
    async with office.postman() as man:
        await until(man, lambda: bool(office.sent))
    office.refuses = False
    async with office.postman() as man:
        await until(man, lambda: office.done)
    assert [sent["id"] for sent in office.sent] == ["0f3a9c11-1"] * 2


async def test_one_coordinator_does_not_send_twice_while_it_cannot_mark() -> None:
    office = Office(NOTICE)
    office.refuses = True
    async with office.postman() as man:
        await until(man, lambda: office.closed >= 3)
        office.refuses = False
        await until(man, lambda: office.done)
    assert len(office.sent) == 1


@pytest.mark.parametrize("trouble", [{"why": "it answered HTTP 500"}, TimeoutError(), HelperEnded()])
async def test_a_failure_is_tried_again_after_a_while(trouble: Any) -> None:
    office = Office(NOTICE)
    office.answers = [trouble]
    async with office.postman() as man:
        await until(man, lambda: not office.answers and office.closed >= 2)
        tried = len(office.sent)
        assert not office.done
        office.clock.seconds = BACKOFF_FIRST
        await until(man, lambda: office.done)
    assert len(office.sent) == tried + 1


async def test_who_does_not_lead_sends_nothing() -> None:
    office = Office(NOTICE)
    office.leads = False
    async with office.postman() as man:
        for _ in range(50):
            man.wake.set()
            await asyncio.sleep(0)
        assert not office.sent
        office.leads = True
        await until(man, lambda: office.done)


async def test_targets_in_a_file_are_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "targets"
    path.write_text("# the desk\nmailto://u:secret@mail.hall\n\nmailto://desk\n")
    settings = Alerts(targets=("mailto://desk",), targets_file=str(path))
    assert own_targets(settings) == ("mailto://desk", "mailto://u:secret@mail.hall")
    path.unlink()
    assert own_targets(settings) == ("mailto://desk",)
