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
from fa.node.postman import UNREAD, Postman, own_targets
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
        self.refused: set[str] = set()
        self.leads = True
        self.refuses = False
        self.closed = 0
        self.clock = FakeClock()

    async def notices(self, limit: int = 500) -> tuple[Notice, ...]:
        return tuple(row for _, row in sorted(self.rows.items()) if row.done_at is None)[:limit]

    async def end(self, command: EndNotices) -> None:
        if self.refuses:
            raise Unavailable
        for number, outcome in command.ended:
            self.rows[number] = replace(self.rows[number], done_at=command.at, outcome=outcome)

    async def ask(self, question: Any, timeout: float) -> Any:
        answer = self.answers.pop(0) if self.answers else {"why": ""}
        if isinstance(answer, BaseException):
            raise answer
        if question["url"] in self.refused:
            return {"why": "it is gone"}
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
    assert own_targets(settings) == ("mailto://desk", UNREAD)


async def test_alerts_wait_for_a_file_of_targets_that_cannot_be_read(tmp_path: Path) -> None:
    """It was replaced just then, or lost its mode: the alert was marked as sent, and nobody had it."""
    path = tmp_path / "targets"
    office = Office(NOTICE)
    async with office.postman(Alerts(targets=("mailto://desk",), targets_file=str(path))) as man:
        await until(man, lambda: office.closed >= 2)
        assert not office.done and [sent["url"] for sent in office.sent] == ["mailto://desk"]
        path.write_text("mailto://u:secret@mail.hall\n")
        await until(man, lambda: office.done)
    assert [sent["url"] for sent in office.sent] == ["mailto://desk", "mailto://u:secret@mail.hall"]


def of_factory(number: int, *targets: str) -> Notice:
    return Notice(number, NOTICE.at, "job.failed", "error", f"job/{number}", "no moov atom", targets)


async def test_a_target_that_hangs_is_waited_for_once_a_round_and_after_the_nodes_own() -> None:
    office = Office(*(of_factory(number, "json://hangs") for number in (2, 3, 4)), replace(NOTICE, id=9))
    office.answers = [{"why": ""}, TimeoutError()]
    async with office.postman() as man:
        await until(man, lambda: office.closed >= 3)
    assert [sent["url"] for sent in office.sent] == ["mailto://desk"] and not office.answers


async def test_what_is_refused_a_factory_keeps_no_alert_of_the_same_target_back() -> None:
    office = Office(of_factory(2, "mailto://desk"))
    office.answers = [{"why": "a factory may not"}]
    async with office.postman() as man:
        await until(man, lambda: office.closed >= 2)
        office.rows[9] = replace(NOTICE, id=9)
        await until(man, lambda: office.rows[9].done_at is not None)
        assert not office.done
        office.clock.seconds = BACKOFF_FIRST
        await until(man, lambda: office.done)
    assert [(sent["id"], sent["own"]) for sent in office.sent[-2:]] == [("0f3a9c11-9", True), ("0f3a9c11-2", False)]


async def test_hundreds_that_nobody_takes_stand_before_no_alert() -> None:
    """A factory names a server that is gone, and all its jobs fail: the alert after them waited for a day."""
    office = Office(*(of_factory(number, "json://gone") for number in range(1, 1201)), replace(NOTICE, id=1300))
    office.refused.add("json://gone")
    async with office.postman() as man:
        await until(man, lambda: office.rows[1300].done_at is not None)
        tried = office.closed
        await until(man, lambda: office.closed >= tried + 3)
        office.refused.clear()
        office.clock.seconds = 60 * BACKOFF_FIRST
        while not office.done:
            office.clock.seconds += 61.0
            await until(man, lambda closed=office.closed: office.closed > closed)  # type: ignore[misc]
    ids = [item["id"] for sent in office.sent for item in sent["content"].get("items", [sent["content"]])]
    assert len(ids) == len(set(ids)) == 1201, "each once"
