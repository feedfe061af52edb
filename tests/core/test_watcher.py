"""A node's side of monitors: what it says, and says again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fa.core import watch_messages as m
from fa.core import work as w
from fa.core.arrivals import Sighting, pack_keys
from fa.core.watcher import BATCH, BEAT, REPEAT_AFTER, Watcher
from fa.core.work import Moment

ORDER = m.WatchOrder(1, 1, 'name = "in"\nfolder = "san:in"\nfactories = ["one"]\n')
SEEN = Sighting("in/a", 10, 20, 30, "ab")


class Site:
    def __init__(self) -> None:
        self.watcher = Watcher("b")
        self.now = 50.0
        self.effects: list[Any] = []

    def step(self, event: w.WorkEvent) -> None:
        self.effects += self.watcher.step(event, Moment(self.now, 0))

    def told(self, message: Any) -> None:
        self.step(w.Told("a", message))

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.step(w.Tick())

    def said(self, kind: type) -> list[Any]:
        """What was told to the coordinator, or asked of the shell; and forget it."""
        values = [effect.message if isinstance(effect, w.Tell) else effect for effect in self.effects]
        self.effects = [e for e, v in zip(self.effects, values, strict=True) if not isinstance(v, kind)]
        return [value for value in values if isinstance(value, kind)]

    def begin(self, *orders: m.WatchOrder) -> None:
        self.step(w.CoordinatorIs("a", 7))
        self.told(m.Watches(7, orders or (ORDER,)))
        self.effects.clear()

    def scanned(self, *files: Sighting, **status: Any) -> None:
        self.step(w.Scanned(m.WatchStatus(1, 1, **status), files))


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_node_that_watches_nothing_says_nothing(site: Site) -> None:
    site.step(w.CoordinatorIs("a", 7))
    site.tick(100.0)
    assert (site.effects, site.watcher.deadline) == ([], None)


def test_it_watches_what_it_is_told_and_nothing_else(site: Site) -> None:
    site.step(w.CoordinatorIs("a", 7))
    site.told(m.Watches(7, (ORDER, replace(ORDER, monitor=2))))
    assert [effect.order.monitor for effect in site.said(w.StartWatch)] == [1, 2]
    (beat,) = site.said(m.WatchBeat)
    assert [status.monitor for status in beat.watches] == [1, 2]
    site.told(m.Watches(7, (ORDER, replace(ORDER, monitor=2))))
    assert site.said(w.StartWatch) == []
    site.told(m.Watches(7, (replace(ORDER, version=2),)))
    assert site.said(w.StopWatch) == [w.StopWatch(2)]
    assert [effect.order.version for effect in site.said(w.StartWatch)] == [2]
    site.told(m.Watches(7, ()))
    assert site.said(w.StopWatch) == [w.StopWatch(1)]
    assert site.said(m.WatchBeat)[-1].watches == () and site.watcher.deadline is None


def test_an_earlier_coordinator_is_not_listened_to(site: Site) -> None:
    site.begin()
    site.told(m.Watches(6, ()))
    assert site.said(w.StopWatch) == []
    site.told(m.Watches(7, (replace(ORDER, version=0),)))
    assert site.said(w.StartWatch) == [], "overtaken by a newer version"


def test_it_says_how_it_goes(site: Site) -> None:
    site.begin()
    site.tick(BEAT)
    assert len(site.said(m.WatchBeat)) == 1
    site.scanned(seen=3)
    assert site.said(m.WatchBeat) == [], "counters wait for the next beat"
    site.scanned(state="disconnected", why="gone")
    (beat,) = site.said(m.WatchBeat)
    assert (beat.watches[0].state, beat.watches[0].why, beat.epoch) == ("disconnected", "gone", 7)


def test_it_learns_all_that_is_known_page_by_page(site: Site) -> None:
    site.step(w.CoordinatorIs("a", 7))
    site.told(m.Watches(7, (ORDER,)))
    assert site.said(m.WantKnown) == [m.WantKnown("b", 1, 0)]
    site.told(m.KnownPage(1, 0, pack_keys([1]), 50))
    assert site.said(w.Learn) == [w.Learn(1, pack_keys([1]), False)]
    assert site.said(m.WantKnown) == [m.WantKnown("b", 1, 50)]
    site.told(m.KnownPage(1, 0, pack_keys([1]), 50))
    assert site.effects == [effect for effect in site.effects if not isinstance(effect, w.Learn)], "it came twice"
    site.tick(REPEAT_AFTER)
    assert site.said(m.WantKnown) == [m.WantKnown("b", 1, 50)]
    site.told(m.KnownPage(1, 50, b"", None))
    assert site.said(w.Learn) == [w.Learn(1, b"", True)]
    site.tick(10.0)
    assert site.said(m.WantKnown) == []


def test_files_go_in_batches_one_at_a_time_until_they_are_heard(site: Site) -> None:
    site.begin()
    files = [replace(SEEN, path=f"in/{number}") for number in range(BATCH + 1)]
    site.scanned(*files)
    (batch,) = site.said(m.Sightings)
    assert batch.files == tuple(files[:BATCH])
    site.tick(REPEAT_AFTER)
    assert site.said(m.Sightings) == [batch]
    site.told(m.SightingsHeard(1, batch.number + 5, ()))
    assert site.said(w.FilesHeard) == []
    refused = ("no factory",) + ("",) * (BATCH - 1)
    site.told(m.SightingsHeard(1, batch.number, refused))
    assert site.said(w.FilesHeard) == [w.FilesHeard(1, batch.files, refused)]
    (second,) = site.said(m.Sightings)
    assert second.files == (files[BATCH],) and second.number > batch.number
    site.told(m.SightingsHeard(1, second.number, ("",)))
    site.tick(10.0)
    assert site.said(m.Sightings) == []


def test_what_settled_without_a_coordinator_is_told_to_the_next(site: Site) -> None:
    site.begin()
    site.step(w.CoordinatorIs(None, 0))
    site.scanned(SEEN)
    site.tick(60.0)
    assert site.said(m.Sightings) == []
    site.step(w.CoordinatorIs("c", 9))
    tells = [effect for effect in site.effects if isinstance(effect, w.Tell)]
    assert {effect.node for effect in tells} == {"c"}
    assert [batch.files for batch in site.said(m.Sightings)] == [(SEEN,)]
    assert site.said(m.WatchBeat)[-1].epoch == 9


def test_late_news_of_a_watch_that_ended_is_none(site: Site) -> None:
    site.begin()
    site.step(w.Scanned(m.WatchStatus(1, 2), (SEEN,)))
    site.step(w.Scanned(m.WatchStatus(8, 1), (SEEN,)))
    site.told(m.SightingsHeard(8, 1, ("",)))
    site.told(m.KnownPage(8, 0, b"", None))
    assert site.effects == []


def test_a_file_is_moved_once_at_a_time(site: Site) -> None:
    site.begin()
    order = m.AfterOrder(5, 1, "in/a", 10, 20, "done", "")
    site.told(order)
    site.told(order)
    assert site.said(w.DoAfter) == [w.DoAfter(order)]
    site.step(w.AfterEnded(order, "in/done/a"))
    assert site.said(m.AfterDone) == [m.AfterDone("b", 5, "in/done/a")]
    site.told(order)
    assert site.said(w.DoAfter) == [w.DoAfter(order)], "its answer was lost: it looks again"
