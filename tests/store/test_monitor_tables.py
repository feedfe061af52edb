"""Monitors and arrivals, alike on SQLite and in the twin; and what readers see of them."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from fa.core.arrivals import Arrival, Fate, MonitorRow, Sighting
from fa.core.tables import Tables
from fa.store.memory import MemoryTables
from fa.store.readers import Readers
from fa.store.tables import SqliteTables
from tests.store.conftest import new_store
from tests.store.make import HOSTILE, add_job

ROW = MonitorRow(0, "in", 1, 'name = "in"', True, "", 0, "", 1_000, "ann")
ARRIVAL = Arrival(0, 1, "in/a", 10, 20, "ab", 30, 1_000)


def add(tables: Tables, name: str = "in") -> MonitorRow:
    row = replace(ROW, name=name)
    return replace(row, id=tables.add_monitor(row))


def test_monitors(tables: Tables) -> None:
    second, first = add(tables, "b"), add(tables, "a")
    assert list(tables.monitors()) == [first, second]
    assert tables.monitor(1) == second and tables.monitor_named("a") == first
    assert tables.monitor(9) is None and tables.monitor_named("z") is None
    changed = replace(first, version=2, text="x", enabled=False, owner="n", submitted=5, last_file="in/a")
    tables.save_monitor(changed)
    assert tables.monitor(2) == changed
    with pytest.raises(KeyError):
        tables.save_monitor(replace(first, id=9))


def test_ids_are_never_used_again(tables: Tables) -> None:
    add(tables)
    tables.remove_monitor(1)
    assert tables.monitors() == [] and add(tables).id == 2


def test_arrivals_and_their_jobs(tables: Tables) -> None:
    add(tables)
    jobs = tuple(add_job(tables).id for _ in range(2))
    number = tables.add_arrival(replace(ARRIVAL, fate=Fate.OPEN, answer=True, jobs=jobs))
    found = tables.arrival(number)
    assert found == replace(ARRIVAL, id=number, fate=Fate.OPEN, answer=True) and found.jobs == jobs
    assert [tables.arrival_of_job(job) for job in (*jobs, 99)] == [number, number, None]
    tables.save_arrival(replace(found, fate=Fate.FAILED, error="no", ctime_ns=31))
    assert [each.id for each in tables.arrivals_due(0, 9)] == [number] and tables.arrivals_due(number, 9) == []
    tables.save_arrival(replace(found, fate=Fate.OVER))
    assert tables.arrivals_due(0, 9) == [] and tables.arrival_of_job(jobs[0]) is None
    assert tables.arrival(99) is None
    with pytest.raises(KeyError):
        tables.save_arrival(replace(found, id=99))


@pytest.mark.parametrize("path", HOSTILE)
def test_an_identity_is_found_by_all_of_it(tables: Tables, path: str) -> None:
    add(tables)
    number = tables.add_arrival(replace(ARRIVAL, path=path))
    seen = Sighting(path, 10, 20, 99, "ab")
    found = tables.arrival_like(1, seen)
    assert found is not None and found.id == number and found.path == path
    for other in (replace(seen, path=path + "x"), replace(seen, size=11), replace(seen, mtime_ns=21)):
        assert tables.arrival_like(1, other) is None
    assert tables.arrival_like(2, seen) is None and tables.arrival_like(1, replace(seen, digest="cd")) is None


def test_the_store_itself_refuses_a_second_identity() -> None:
    connection = new_store()
    tables = SqliteTables(connection)
    add(tables)
    tables.add_arrival(ARRIVAL)
    with pytest.raises(sqlite3.IntegrityError):
        tables.add_arrival(ARRIVAL)
    connection.close()
    twin = MemoryTables()
    twin.add_arrival(ARRIVAL)
    with pytest.raises(AssertionError):
        twin.add_arrival(ARRIVAL)


def test_known_ones_come_in_pages_of_one_monitor(tables: Tables) -> None:
    add(tables)
    for number in range(6):
        tables.add_arrival(replace(ARRIVAL, monitor=1 + number % 2, path=f"in/{number}"))
    assert [row[1] for row in tables.arrivals_known(1, 0, 2)] == ["in/0", "in/2"]
    assert tables.arrivals_known(1, 3, 9) == [(5, "in/4", 10, 20, 30)]


def test_what_arrived_through_a_removed_monitor_goes_little_by_little(tables: Tables) -> None:
    add(tables)
    add(tables, "other")
    job = add_job(tables).id
    for number in range(5):
        open_one = {"fate": Fate.OPEN, "jobs": (job,)} if number == 0 else {}
        tables.add_arrival(replace(ARRIVAL, path=f"in/{number}", **open_one))  # type: ignore[arg-type]
    tables.add_arrival(replace(ARRIVAL, monitor=2))
    assert tables.delete_stray_arrivals(9) == 0
    tables.remove_monitor(1)
    assert [tables.delete_stray_arrivals(3) for _ in range(3)] == [3, 2, 0]
    assert tables.arrivals_known(1, 0, 9) == [] and len(tables.arrivals_known(2, 0, 9)) == 1
    assert tables.arrival_of_job(job) is None


def test_the_twin_walks_back() -> None:
    twin = MemoryTables()
    add(twin)
    mark = twin.mark()
    twin.add_arrival(replace(ARRIVAL, fate=Fate.OPEN, jobs=(4,)))
    twin.remove_monitor(1)
    twin.rollback(mark)
    assert twin.monitor(1) is not None and twin.delete_stray_arrivals(9) == 0
    assert twin.arrival_like(1, Sighting("in/a", 10, 20, 30, "ab")) is None and twin.arrival_of_job(4) is None
    twin.add_arrival(ARRIVAL)
    assert twin.copy().arrival_like(1, Sighting("in/a", 10, 20, 30, "ab")) is not None


async def test_readers_see_monitors_and_what_they_submitted(tmp_path: Path) -> None:
    async def shown(txid: int) -> None:
        """All that is there may be shown."""

    path = tmp_path / "fa.db"
    connection = new_store(str(path))
    connection.execute("CREATE TABLE position (txid INTEGER)")
    tables = SqliteTables(connection)
    row = add(tables)
    odd = "in/\udcff\n"
    tables.add_arrival(replace(ARRIVAL, path=odd))
    connection.execute("COMMIT")
    readers = await Readers.open(path, shown)
    try:
        assert await readers.monitors() == (row,) and await readers.monitor("in") == row
        assert await readers.monitor("z") is None
        asked = [(odd, 10, 20), (odd, 11, 20), ("in/b", 10, 20)]
        assert await readers.submitted("in", asked) == {(odd, 10, 20)}
        assert await readers.submitted("z", asked) == frozenset()
    finally:
        await readers.close()
        connection.close()
