"""Which parts are swept: those that nobody refers to any more, and never one that may still be granted."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fa.core.commands import Order
from fa.core.work import VolumeHealth
from fa.node import parts, stillness, sweep
from fa.node.parts import Owner
from fa.node.replacing import ASIDE_FOLDER, OVER
from fa.node.sweep import Sweeper
from tests.node.shares import Shares, fill, make_volume

ME = Owner("a", 3)


class Floor:
    """A volume, and the node of which it is; `look` is one round of the sweeper."""

    def __init__(self, root: Path) -> None:
        self.root = make_volume(root)
        parts.make_part_folder(str(root))
        self.state = "healthy"
        self.attempts: Any = SimpleNamespace(orders=())
        self.worker: Any = SimpleNamespace(coordinator="b", parts=frozenset())
        volumes: Any = Shares(san=root)
        volumes.status = lambda: (VolumeHealth("san", str(root), self.state),)
        self.sweeper = Sweeper(ME, volumes, self.worker, self.attempts)

    def part(self, job: int = 1, owner: Owner = ME, product: str = "p") -> str:
        path = parts.new_part("san", owner, job, product, 1).path
        (self.root / path).write_text("half")
        return path

    async def look(self) -> list[str]:
        """What is left after it."""
        await self.sweeper.look()
        return sorted(f"{parts.PART_FOLDER}/{name}" for name in os.listdir(self.root / parts.PART_FOLDER))


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


def order(job: int) -> Order:
    return Order(1, 7, 1, "a", job, "p", "san:x", "san:out/1", "f", 1, "", 50, 1, "cpu", ME.boot)


@pytest.mark.parametrize("state", ["healthy", "full"])
@pytest.mark.parametrize("boot", [ME.boot, ME.boot - 1])
async def test_what_nobody_refers_to_goes_at_the_second_look(floor: Floor, state: str, boot: int) -> None:
    floor.state = state
    left = floor.part(owner=Owner("a", boot))
    assert await floor.look() == [left]
    assert await floor.look() == []


async def test_what_an_attempt_of_this_life_writes_or_wishes_to_publish_stays(floor: Floor) -> None:
    running, wished = floor.part(1), floor.part(2)
    floor.attempts.orders = (order(1),)
    floor.worker.parts = frozenset({f"san:{wished}"})
    for _ in range(3):
        assert await floor.look() == sorted([running, wished])
    floor.attempts.orders, floor.worker.parts = (), frozenset({f"san:{running}"})  # it was encoded, the other is over
    assert await floor.look() == sorted([running, wished])
    assert await floor.look() == [running]


async def test_between_two_holders_a_part_is_safe(floor: Floor) -> None:
    """Its attempt is over, its wish not yet known: for a moment nobody refers to it."""
    part = floor.part(1)
    assert await floor.look() == [part]
    floor.worker.parts = frozenset({f"san:{part}"})
    assert await floor.look() == [part]
    floor.worker.parts = frozenset()
    assert await floor.look() == [part], "it counts from the beginning again"


async def test_of_a_job_with_a_longer_number_it_is_another_part(floor: Floor) -> None:
    other = floor.part(11)
    floor.attempts.orders = (order(1),)
    assert await floor.look() == [other]
    assert await floor.look() == []


async def test_who_hears_no_coordinator_removes_nothing(floor: Floor) -> None:
    part = floor.part()
    await floor.look()
    floor.worker.coordinator = None
    assert await floor.look() == [part]
    floor.worker.coordinator = "b"
    assert await floor.look() == [part], "a grant may be on its way: it counts from the beginning again"


@pytest.mark.parametrize("state", ["read-only", "hung", "foreign", "disconnected"])
async def test_what_is_ill_is_left_alone(floor: Floor, state: str) -> None:
    part, floor.state = floor.part(), state
    for _ in range(3):
        assert await floor.look() == [part]


OTHER = Owner("c", 1)


class Clock:
    """A clock that only grows, as much as the test says."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self.now = 5e6

    async def after(self, hours: float) -> list[str]:
        """What is left after so long, with a look every ten minutes, and two at the end."""
        end = self.now + hours * 3600
        while self.now < end:
            await self._floor.look()
            self.now = min(end, self.now + 600)
        await self._floor.look()
        return await self._floor.look()


@pytest.fixture
def clock(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(floor)
    monkeypatch.setattr(stillness, "monotonic", lambda: made.now)
    return made


async def test_parts_of_other_nodes_and_of_later_lives_stay_for_a_day(floor: Floor, clock: Clock) -> None:
    left = sorted([floor.part(1, Owner("a", ME.boot + 1)), floor.part(2, OTHER)])
    assert await clock.after(23.9) == left
    assert await clock.after(0.2) == []


@pytest.mark.parametrize("written", [0.0, 2e9])
async def test_whatever_clocks_say_it_is_a_day_of_this_process(floor: Floor, clock: Clock, written: float) -> None:
    """That of this node may be a day ahead, or that of the file server behind."""
    part = floor.part(1, OTHER)
    os.utime(floor.root / part, (written, written))
    assert await clock.after(23.9) == [part]
    assert await clock.after(0.2) == []


async def test_what_is_written_to_stays(floor: Floor, clock: Clock) -> None:
    """Also where only a file deep in a ladder grows."""
    film, ladder = floor.part(1, OTHER), parts.new_part("san", OTHER, 2, "p", 1).path
    fill(floor.root / ladder, {"360p/1.ts": ""})
    for _ in range(6):
        for path in (floor.root / film, floor.root / ladder / "360p" / "1.ts"):
            with path.open("a") as file:
                file.write("more")
        assert await clock.after(12) == sorted([film, ladder])
    assert await clock.after(25) == []


async def test_what_was_not_looked_at_was_not_seen_unchanged(floor: Floor, clock: Clock) -> None:
    """The volume was away, or this process stood still."""
    part = floor.part(1, OTHER)
    assert await floor.look() == [part]
    clock.now += 1e6
    assert await clock.after(23) == [part]
    assert await clock.after(1) == []


async def test_one_that_came_back_is_another(floor: Floor, clock: Clock) -> None:
    part = floor.part(1, OTHER)
    assert await clock.after(23) == [part]
    (floor.root / part).rename(floor.root / "away")
    assert await clock.after(1) == []
    (floor.root / "away").rename(floor.root / part)
    assert await clock.after(23) == [part]


async def test_one_that_goes_while_it_is_looked_at(floor: Floor, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    part = floor.part(1, OTHER)
    monkeypatch.setattr(parts, "mark_of", lambda root, path: None)
    assert await clock.after(25) == [part]


async def test_a_ladder_is_not_walked_at_each_look(floor: Floor, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[str] = []

    def mark_of(root: str, path: str) -> int:
        walks.append(path)
        return 1

    monkeypatch.setattr(parts, "mark_of", mark_of)
    part = floor.part(1, OTHER)
    for _ in range(100):
        assert await floor.look() == [part]
        clock.now += sweep.EVERY
    assert len(walks) == 2


async def test_a_marker_guards_for_a_day_whatever_its_clock_says(floor: Floor, clock: Clock) -> None:
    aside = floor.root / ASIDE_FOLDER
    fill(aside / "1", {OVER: ""})
    os.utime(aside / "1" / OVER, (0, 0))
    await clock.after(23.9)
    assert (aside / "1").exists()
    await clock.after(0.2)
    assert not (aside / "1").exists()


async def test_what_was_buried_does_not_lie_there_for_ever(floor: Floor) -> None:
    """Its node died between the burial and the removal: a whole encode."""
    grave = floor.root / parts.GRAVE_FOLDER
    grave.mkdir()
    (floor.root / floor.part()).rename(grave / "1")
    (grave / "2").mkdir()
    (grave / "2" / "1.ts").write_text("a ladder")
    await floor.look()
    assert list(grave.iterdir()) == []


async def test_another_share_in_its_place_is_not_swept(floor: Floor) -> None:
    """Of its parts nothing here knows under that name: one may be granted."""
    part = floor.part()
    (floor.root / ".fa" / "volume.json").write_text('{"array_id": "0123", "volume": "nas"}')
    for _ in range(3):
        assert await floor.look() == [part]
