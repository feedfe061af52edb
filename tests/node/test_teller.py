from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fa.core.alarms import ARRAY, TellTroubles, Trouble
from fa.core.work import Moment
from fa.errors import Unavailable
from fa.node.clock import Clock
from fa.node.teller import AGAIN_AFTER, SKEW_MAX, Coordinator, Heard, Teller, Told, skew_troubles
from fa.node.troubles import TroubleBook

WALL = 1_790_000_000_000
A = Coordinator("a", "https://a:1", 7, mine=False)


class FakeClock(Clock):
    def __init__(self) -> None:
        self.seconds = 0.0

    def mono(self) -> float:
        return self.seconds

    def wall(self) -> int:
        return WALL

    def now(self) -> Moment:
        raise AssertionError("not asked")


class Node:
    """Node b; `posted` is what the coordinator was sent, `asked` what was carried out here."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.book = TroubleBook("node/b", self.clock.mono)
        self.array = TroubleBook(ARRAY, self.clock.mono)
        self.coordinator: Coordinator | None = A
        self.posted: list[tuple[str, Told]] = []
        self.asked: list[TellTroubles] = []
        self.down = False
        self.their_clock = WALL

    async def post(self, node: str, address: str, path: str, body: Told, answer: type[Heard]) -> Heard:
        if self.down:
            raise Unavailable
        self.posted.append((node, body))
        return Heard(self.their_clock)

    async def ask(self, command: TellTroubles) -> None:
        if self.down:
            raise Unavailable
        self.asked.append(command)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        upstairs: Any = self
        teller = Teller(self.book, self.array, self.clock, upstairs, lambda: self.coordinator, self.ask)
        running = asyncio.create_task(teller.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self.book.changed.set()
                await asyncio.sleep(0.001)

    async def rounds(self) -> None:
        """Let it look around some times."""
        for _ in range(20):
            self.book.changed.set()
            await asyncio.sleep(0)


@pytest.fixture
async def node() -> Node:
    return Node()


async def test_changes_are_told_once(node: Node) -> None:
    async with node.telling():
        await node.until(lambda: len(node.posted) == 1)
        node.book.stands("disk", [Trouble("disk.low", "node/b/state", "x")])
        await node.until(lambda: len(node.posted) == 2)
        await node.rounds()
    assert [[trouble.kind for trouble in told.troubles] for _, told in node.posted] == [[], ["disk.low"]]


async def test_a_new_coordinator_is_told_anew_and_everybody_now_and_then(node: Node) -> None:
    async with node.telling():
        await node.until(lambda: len(node.posted) == 1)
        node.coordinator = Coordinator("c", "https://c:1", 8, mine=False)
        await node.until(lambda: len(node.posted) == 2)
        node.clock.seconds = AGAIN_AFTER
        await node.until(lambda: len(node.posted) == 3)
    assert [name for name, _ in node.posted] == ["a", "c", "c"]


async def test_what_happened_waits_until_somebody_has_it(node: Node) -> None:
    node.down = True
    node.book.happened("segment-refused", "a bit flipped", life=1)
    async with node.telling():
        await node.rounds()
        assert len(node.book.all()) == 1
        node.down = False
        await node.until(lambda: not node.book.all())
    assert [trouble.text for _, told in node.posted for trouble in told.troubles] == ["a bit flipped"]


async def test_who_leads_tells_itself_and_speaks_for_the_array(node: Node) -> None:
    node.coordinator = Coordinator("b", "https://b:1", 7, mine=True)
    node.array.stands("copies", [Trouble("solo", ARRAY, "one copy")])
    async with node.telling():
        await node.until(lambda: len(node.asked) == 2)
    assert [(told.scope, len(told.troubles)) for told in node.asked] == [("node/b", 0), (ARRAY, 1)]
    assert not node.posted


async def test_clocks_that_differ_are_a_trouble_of_this_node(node: Node) -> None:
    node.their_clock = WALL - 9000
    async with node.telling():
        await node.until(lambda: len(node.posted) == 2)
        assert [trouble.text for trouble in node.book.all()] == ["the clock of this node is 9 s ahead of that of a"]
        node.their_clock = WALL
        node.clock.seconds = AGAIN_AFTER
        await node.until(lambda: not node.book.all())


@pytest.mark.parametrize(("ahead", "text"), [(5.1, "5 s ahead of"), (-7.0, "7 s behind"), (SKEW_MAX, ""), (0.0, "")])
def test_skew(ahead: float, text: str) -> None:
    found = skew_troubles("node/b", "a", ahead)
    assert (text in found[0].text) if text else found == []
