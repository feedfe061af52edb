"""Readers: snapshots behind the gate, while the writer goes on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fa.core.lifecycle import JobState, TaskState
from fa.core.model import Alert, Event, FactoryVersion, NodeMode, NodeRow, Reign, Role, Token
from fa.core.query import parse
from fa.core.tables import Quarantine, Remembered
from fa.store.migrations import NewerSchema
from fa.store.pool import Closed, Pool, SearchTooSlow
from fa.store.readers import JobView, Place, Readers
from fa.store.tables import SqliteTables
from tests.store.conftest import new_store
from tests.store.make import GROUP, add_job, add_task, attempt_of

PATIENCE = 30  # seconds; the machine may be slow


class Store:
    """A store on disk and its writer: the tables, and commits that count up the position."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = new_store(str(path))
        self.connection.execute("CREATE TABLE position (id INTEGER PRIMARY KEY, txid INTEGER, epoch INTEGER)")
        self.connection.execute("INSERT INTO position VALUES (1, 0, 1)")
        self.tables = SqliteTables(self.connection)

    def commit(self) -> None:
        self.connection.execute("UPDATE position SET txid = txid + 1")
        self.connection.execute("COMMIT")
        self.connection.execute("BEGIN")


class Gate:
    """Lets everything pass up to `acknowledged`; remembers who asked."""

    def __init__(self) -> None:
        self.acknowledged = 1_000
        self.asked: list[int] = []
        self.moved = asyncio.Event()

    async def __call__(self, txid: int) -> None:
        self.asked.append(txid)
        while txid > self.acknowledged:
            self.moved.clear()
            await self.moved.wait()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "fa.db")
    store.commit()
    yield store
    store.connection.close()


@pytest.fixture
async def gate() -> Gate:
    return Gate()


@pytest.fixture
async def readers(store: Store, gate: Gate) -> AsyncIterator[Readers]:
    readers = await Readers.open(store.path, gate)
    yield readers
    await readers.close()


async def counts_of(readers: Readers) -> dict[JobState, int]:
    return (await readers.overview())[0]


async def test_a_job_comes_with_tasks_and_attempts(store: Store, readers: Readers) -> None:
    job = add_job(store.tables)
    second, first = add_task(store.tables, job, ordinal=1), add_task(store.tables, job, ordinal=0)
    attempts = [attempt_of(first, 1), attempt_of(first, 2, "b"), attempt_of(second, 1)]
    for attempt in reversed(attempts):
        store.tables.add_attempt(attempt)
    store.commit()
    assert await readers.job(job.id) == JobView(job, (first, second), tuple(attempts))
    assert await readers.attempts(job.id) == tuple(attempts)
    assert await readers.job(99) is None
    assert await readers.job(1 << 80) is None
    assert await readers.attempts(1 << 80) == ()
    assert await readers.jobs_of([99, job.id]) == (JobView(job, (first, second)),)


async def test_lists_carry_the_position_of_their_snapshot(store: Store, readers: Readers, gate: Gate) -> None:
    job = add_job(store.tables, source="san:caf\udce9")
    store.commit()
    page = await readers.jobs(parse("source:\udce9 state:queued", 0), Place(10))
    assert page.items == (JobView(job, ()),)
    assert page.txid == 2
    assert gate.asked == [2]


async def test_nothing_is_shown_before_it_is_acknowledged(store: Store, readers: Readers, gate: Gate) -> None:
    add_job(store.tables)
    store.commit()
    gate.acknowledged = 1
    reading = asyncio.ensure_future(counts_of(readers))
    while not gate.asked:
        await asyncio.sleep(0.001)
    assert not reading.done()
    gate.acknowledged = 2
    gate.moved.set()
    counts = await asyncio.wait_for(reading, PATIENCE)
    assert counts == dict.fromkeys(JobState, 0) | {JobState.QUEUED: 1}


async def test_a_status_waits_once_for_one_snapshot(store: Store, readers: Readers, gate: Gate) -> None:
    """While much is written each wait takes a group commit."""
    add_job(store.tables)
    alert = Alert(0, 5, "disk.low", "node/a", "little room")
    store.tables.add_alert(alert)
    store.commit()
    counts, alerts = await readers.overview()
    assert counts == dict.fromkeys(JobState, 0) | {JobState.QUEUED: 1}
    assert [found.subject for found in alerts] == ["node/a"]
    assert gate.asked == [2]


async def test_what_is_not_committed_is_not_seen(store: Store, readers: Readers) -> None:
    job = add_job(store.tables)
    assert await readers.job(job.id) is None
    store.commit()
    assert await readers.job(job.id) is not None


async def test_set_up_is_read_back(store: Store, readers: Readers) -> None:
    tables = store.tables
    versions = [FactoryVersion("proxy", n, f"text {n}", n) for n in (1, 2)]
    for factory in (*versions, FactoryVersion("imx", 1, "x", 5), FactoryVersion("gone", 1, "y", 6)):
        tables.add_factory(factory)
    tables.remove_factory("gone")
    nodes = [NodeRow(name, NodeMode.UP, f"{name}:7001", 1) for name in "ab"]
    token = Token("3f2a", Role.ADMIN, "00" * 32, 1)
    quarantine = Quarantine("b", "proxy", 1, "fails")
    for node in nodes:
        tables.put_node(node)
    tables.put_token(token)
    tables.put_quarantine(quarantine)
    reigns = [Reign(1, "a", "", 1), Reign(2, "b", "a", 2)]
    for reign in reigns:
        tables.add_reign(reign)
    tables.put_fact("epoch", "3")
    tables.remember(Remembered("key", "digest", (1,), 2))
    store.commit()
    assert [(factory.name, factory.version) for factory in await readers.factories()] == [("imx", 1), ("proxy", 2)]
    assert await readers.factory("proxy") == versions[1]
    assert await readers.factory("proxy", 1) == versions[0]
    assert await readers.factory("gone") is None
    assert await readers.factory("bro\udcffken") is None
    assert await readers.versions("proxy") == (versions[1], versions[0])
    assert await readers.nodes() == tuple(nodes)
    assert await readers.tokens() == (token,)
    assert await readers.token("3f2a") == token
    assert await readers.token("none") is None
    assert await readers.quarantines() == (quarantine,)
    assert await readers.reigns() == (reigns[1], reigns[0])
    assert await readers.facts() == {"epoch": "3"}
    assert await readers.remembered("key") == Remembered("key", "digest", (1,), 2)


async def test_the_queue_by_group(store: Store, readers: Readers) -> None:
    job = add_job(store.tables)
    for ordinal, state in enumerate((TaskState.QUEUED, TaskState.QUEUED, TaskState.HELD)):
        task = add_task(store.tables, job, ordinal=ordinal, state=state)
    store.commit()
    group = replace(GROUP, id=task.group)
    assert await readers.waiting() == ((group, 2),)
    assert await readers.group(task.group) == group
    assert await readers.group(99) is None


async def test_events_are_paged_and_followed(store: Store, readers: Readers) -> None:
    kinds = ["node.joined", "job.failed", "node.lost", "job.failed", "node.joined"]
    for at, kind in enumerate(kinds):
        store.tables.add_event(Event(at, kind, "info", "x", "y"))
    store.commit()
    newest = await readers.events(limit=2)
    assert [event.id for event in newest.items] == [5, 4]
    older = await readers.events(before=int(newest.next or 0), limit=3)
    assert [event.id for event in older.items] == [3, 2, 1]
    assert [event.id for event in (await readers.events(kinds=["node.*"])).items] == [5, 3, 1]
    assert [event.id for event in (await readers.events(kinds=["job.failed", "node.lost"])).items] == [4, 3, 2]
    followed = await readers.events(after=3)
    assert [event.id for event in followed.items] == [4, 5]
    assert followed.next == "5"
    nothing = await readers.events(after=5)
    assert (nothing.items, nothing.next) == ((), None)
    assert (await readers.events(after=1 << 80)).items == ()


async def test_alerts_are_open_or_all(store: Store, readers: Readers) -> None:
    alerts = [Alert(n, n, "solo", f"node/{n}", "text", cleared_at=9 if n == 2 else None) for n in (1, 2, 3)]
    for alert in alerts:
        store.tables.add_alert(alert)
    store.commit()
    assert await readers.alerts() == (alerts[2], alerts[0])
    assert await readers.alerts(cleared_too=True) == tuple(reversed(alerts))


async def test_many_reads_share_few_connections(store: Store, readers: Readers) -> None:
    add_job(store.tables)
    store.commit()
    found = await asyncio.wait_for(asyncio.gather(*(readers.job(1) for _ in range(50))), PATIENCE)
    assert all(view is not None for view in found)


async def test_a_reader_that_gave_up_harms_nobody(store: Store, readers: Readers) -> None:
    for _ in range(8):
        reading = asyncio.ensure_future(counts_of(readers))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert sum((await asyncio.wait_for(counts_of(readers), PATIENCE)).values()) == 0


async def test_readers_cannot_write(readers: Readers) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await readers.see(lambda connection: connection.execute("DELETE FROM job"))
    assert sum((await counts_of(readers)).values()) == 0


async def test_no_snapshot_is_kept_between_reads(store: Store, readers: Readers) -> None:
    """A snapshot that outlived its read would keep the writer from resetting the WAL."""
    for _ in range(3):
        add_job(store.tables)
        store.commit()
        await counts_of(readers)
    store.connection.execute("COMMIT")
    busy, frames, moved = store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (busy, frames, moved) == (0, 0, 0)


async def test_an_endless_search_is_given_up(store: Store) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    impatient = Pool(store.path, connections=1, age_seconds_max=0.05)
    await impatient.open()
    with pytest.raises(SearchTooSlow):
        await asyncio.wait_for(impatient.read(lambda connection: connection.execute(endless).fetchall()), PATIENCE)
    assert (await impatient.read(lambda connection: 7)).value == 7
    await impatient.close()


async def test_reopen_finds_the_file_that_took_the_place(store: Store, readers: Readers, tmp_path: Path) -> None:
    other = Store(tmp_path / "other.db")
    for _ in range(3):
        add_job(other.tables)
    other.commit()
    other.connection.execute("COMMIT")
    other.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.connection.close()
    reading = asyncio.gather(*(counts_of(readers) for _ in range(20)))
    store.connection.close()
    for end in ("-wal", "-shm"):
        Path(f"{store.path}{end}").unlink(missing_ok=True)
    other.path.replace(store.path)
    await asyncio.wait_for(readers.reopen(), PATIENCE)
    assert sum((await counts_of(readers)).values()) == 3
    await asyncio.wait_for(reading, PATIENCE)


async def test_closed_readers_say_so(store: Store, gate: Gate, tmp_path: Path) -> None:
    with pytest.raises(Closed):
        await Readers.open(tmp_path / "nowhere.db", gate)
    readers = await Readers.open(store.path, gate)
    await readers.close()
    with pytest.raises(Closed):
        await counts_of(readers)
    await readers.close()
    await readers.reopen()
    assert await counts_of(readers)
    await readers.close()


async def test_a_newer_store_is_not_read(store: Store, gate: Gate) -> None:
    store.connection.execute("PRAGMA user_version = 99")
    store.commit()
    with pytest.raises(NewerSchema, match="schema version 99"):
        await Readers.open(store.path, gate)
