from __future__ import annotations

from pathlib import Path

from fa.core.alarms import ARRAY
from fa.core.outlook import Space
from fa.core.work_messages import VolumeHealth
from fa.node.room import WAL_LARGE, WAL_LOOKS, Room
from fa.node.troubles import TroubleBook

GIB = 1 << 30


class Site:
    def __init__(self) -> None:
        self.node, self.array = TroubleBook("node/b", lambda: 0.0), TroubleBook(ARRAY, lambda: 0.0)
        self.seen: list[VolumeHealth] = []
        self.room = Room(Path("/d"), Space(5.0), self.node, self.array, lambda: self.seen, lambda: 0)

    def kinds(self) -> list[str]:
        return [f"{trouble.kind} {trouble.subject}" for trouble in (*self.node.all(), *self.array.all())]


def test_the_disk_of_the_state_directory() -> None:
    site = Site()
    for free, kinds in ((50, []), (4, ["disk.low node/b/state"]), (5.5, ["disk.low node/b/state"]), (7, [])):
        site.room.look(int(free * GIB), 100 * GIB)
        assert site.kinds() == kinds, free


def test_volumes_are_the_arrays_business() -> None:
    site = Site()
    low, well = (VolumeHealth(name, "/x", "healthy", "", free, 100) for name, free in (("san", 1), ("b", 50)))
    site.seen = [low, well]
    site.room.look(50 * GIB, 100 * GIB)
    assert site.kinds() == ["disk.low volume/san"]
    site.seen = []
    site.room.look(50 * GIB, 100 * GIB)
    assert site.kinds() == [], "who does not lead speaks for no volume"


def test_a_full_store_is_a_trouble_until_it_has_room() -> None:
    site = Site()
    site.room.filled(True)
    site.room.filled(True)
    site.room.look(50 * GIB, 100 * GIB)
    assert site.kinds() == ["store-full node/b"]
    site.room.filled(False)
    assert site.kinds() == []


def test_a_log_that_grows_without_end_is_a_trouble_until_it_is_begun_anew() -> None:
    site = Site()
    for _ in range(WAL_LOOKS - 1):
        site.room.look_at_log(WAL_LARGE + 1)
        assert site.kinds() == []
    site.room.look_at_log(WAL_LARGE + 1)
    assert site.kinds() == ["wal.large node/b"]
    site.room.look_at_log(16 << 20)
    assert site.kinds() == []
