"""Which parts are swept: those that nobody refers to any more, and never one that may still be granted."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fa.core.commands import Order
from fa.core.work import VolumeHealth
from fa.node import parts, sweep
from fa.node.parts import Owner
from fa.node.sweep import Sweeper
from tests.node.shares import Shares, make_volume

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


async def test_parts_of_other_nodes_and_of_later_lives_stay_for_a_day(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, other = floor.part(1, Owner("a", ME.boot + 1)), floor.part(2, Owner("c", 1))
    for _ in range(3):
        assert await floor.look() == sorted([later, other])
    monkeypatch.setattr(sweep, "FOREIGN_AFTER", -1.0)
    await floor.look()
    assert await floor.look() == [later]


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
