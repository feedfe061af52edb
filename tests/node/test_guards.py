"""What the guards of a node make of what they see. Each of them has tests of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core.outlook import SOLO_AFTER
from fa.core.position import Position
from fa.node import guards
from fa.node.guards import STALLED_FOR, Guards
from fa.node.hub import Hub
from fa.node.settings import Array, Node, Settings, StateDir
from fa.node.teller import Coordinator
from fa.node.wire import RosterEntry
from fa.replication.limits import Limits
from fa.replication.state import PAGE_SIZE
from tests.node.api.fake import STANDING
from tests.replication.conftest import Bench, insert, wait_for


class Site:
    """Node a, which leads; `members` are those it knows of."""

    def __init__(self, root: Path) -> None:
        self.now = 100.0
        self.members = ["a"]
        self.secondaries: tuple[str, ...] = ()
        self.standing: Any = STANDING
        settings = Settings(Array("news", "1"), Node("a", "127.0.0.1:1"))
        array: Any = SimpleNamespace(status=self._status)
        clock: Any = SimpleNamespace(mono=lambda: self.now, wall=lambda: 1)
        self.window: Any = SimpleNamespace(
            settings=settings, clock=clock, hub=Hub(), ask=None, store=object(), standing=lambda: self.standing,
            serving=SimpleNamespace(is_set=lambda: True), roster=self._roster,
            machine=SimpleNamespace(array=array, dispatcher=SimpleNamespace(members=())),
        )  # fmt: skip
        vip: Any = SimpleNamespace(trouble="")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.guards = Guards(StateDir(root), self.window, vip, 3, context)

    def _status(self) -> Any:
        return SimpleNamespace(epoch=7, coordinator="a", secondaries=self.secondaries, mirror="solo", copies=())

    def _roster(self) -> list[RosterEntry]:
        return [RosterEntry(name, "https://x:1", "data", 1) for name in self.members]

    def told(self) -> list[tuple[str, str]]:
        troubles = (*self.guards._node.all(), *self.guards._array.all())
        return [(trouble.kind, trouble.subject) for trouble in troubles]

    def look(self) -> list[tuple[str, str]]:
        self.guards._look_at_copies()
        return self.told()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_one_server_alone_is_said_at_once_and_two_after_a_moment(site: Site) -> None:
    """Between two servers a copy is replaced now and then; that is nobody's business."""
    assert site.look() == [("solo", "array")]
    site.secondaries = ("b",)
    assert site.look() == []
    site.members, site.secondaries = ["a", "b"], ()
    assert site.look() == []
    site.now += SOLO_AFTER
    assert site.look() == [("solo", "array")]
    site.secondaries = ("b",)
    assert site.look() == []


def test_an_alarm_goes_to_whom_it_concerns(site: Site) -> None:
    for kind in ("solo", "take-over", "store-full", "member-dropped", "link-refused", "copy-disowned"):
        site.guards.alarm(ae.Alarm(kind, kind))
    assert site.told() == [("link-refused", "node/a"), ("copy-disowned", "node/a"), ("member-dropped", "array")]


def test_a_refused_segment_is_told(site: Site) -> None:
    site.guards.saw(av.SegmentRefused(Position(7, 1), "a bit flipped"))
    assert site.told() == [("segment-refused", "node/a")]


def test_a_full_store_stands_until_there_is_room(site: Site) -> None:
    site.guards.saw(av.StoreFull(True))
    assert site.told() == [("store-full", "node/a")]
    site.guards.saw(av.StoreFull(False))
    assert site.told() == []


@pytest.mark.parametrize(("seconds", "told"), [(STALLED_FOR, [("stalled", "array")]), (STALLED_FOR - 0.1, [])])
def test_a_time_without_majority_is_told_when_it_is_over(
    site: Site, seconds: float, told: list[tuple[str, str]]
) -> None:
    site.guards.stale(ae.Stale(True))
    site.now += seconds
    assert site.told() == []
    site.guards.stale(ae.Stale(False))
    assert site.told() == told


async def test_a_guard_that_fails_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "AGAIN_AFTER", 0.0)
    begun: list[int] = []
    twice = asyncio.Event()

    async def loop() -> None:
        begun.append(1)
        if len(begun) == 2:
            twice.set()
            await asyncio.Event().wait()
        raise OSError("the disk is gone")

    running = asyncio.create_task(guards._for_ever(loop))
    async with asyncio.timeout(60):
        await twice.wait()
    running.cancel()


def test_whom_to_tell(site: Site) -> None:
    from dataclasses import replace

    url = "https://b:1"
    site.standing = replace(STANDING, coordinator="b", coordinator_url=url, leading=False)
    assert site.guards._coordinator() == Coordinator("b", url, 7, mine=False)
    site.standing = replace(STANDING, coordinator_url="https://a:1", leading=True)
    assert site.guards._coordinator() == Coordinator("a", "https://a:1", 7, mine=True)
    for nobody in (replace(STANDING, coordinator=None), replace(STANDING, leading=False), STANDING):
        site.standing = nobody
        assert site.guards._coordinator() is None


def test_the_log_of_the_store_counts_while_a_reader_keeps_it_from_being_begun_anew(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bench = Bench(tmp_path / "store", limits=Limits(wal_bytes=1, retry_seconds=0.01))
    site.window.keeper = SimpleNamespace(held=bench.writer)
    bench.writer.open_epoch(1)
    bench.do(insert("one"))
    with closing(sqlite3.connect(f"{bench.db.as_uri()}?mode=ro", uri=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchone()
        for number in range(20):
            bench.do(insert(str(number)))
        assert site.guards._log_bytes() == bench.writer.wal_bytes > 20 * PAGE_SIZE
    wait_for(lambda: site.guards._log_bytes() == 0)
    bench.close()
    site.window.keeper = SimpleNamespace(held=object())
    assert site.guards._log_bytes() == 0, "who does not lead writes none"
