"""The store of a node as it begins to lead and ceases to, in whatever order the core says so."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core.array_messages import Append
from fa.core.commands import SaveFactory
from fa.core.ledger import Outcome
from fa.core.work import Carried, Commit, Withdraw
from fa.node.clock import Clock
from fa.node.disk import DiskWatch
from fa.node.keeper import Keeper, StorePlace
from fa.replication.envelope import Envelope
from fa.replication.errors import NotStarted
from fa.replication.state import PAGE_SIZE
from fa.replication.transfer import Announcement

RECIPE = """
name = "made-{}"
[[products]]
name = "proxy"
preset = "h264-mp4"
destination = "san:out/{{job}}.mp4"
"""


@dataclass(frozen=True)
class Found:
    rows: Any


class Store:
    """A keeper, and what it posted."""

    def __init__(self, root: Path) -> None:
        self.posted: list[Any] = []
        place = StorePlace(root / "fa.db", root / "replica", "array", "a", 1)
        self.keeper = Keeper(
            place,
            Clock(),
            self.posted.append,
            self._opened,
            self._closed,
            self._fetch,
            DiskWatch(place.database.parent, self.posted.append),
        )

    async def _opened(self, database: Path) -> None: ...
    async def _closed(self) -> None: ...

    async def _fetch(self, source: str, target: Path) -> Announcement:
        raise AssertionError("nothing is fetched here")

    async def posts(self, kind: type, **fields: Any) -> Any:
        """The first event of this kind with these fields, once it was posted."""
        async with asyncio.timeout(60):
            while True:
                for event in self.posted:
                    if isinstance(event, kind) and all(getattr(event, name) == fields[name] for name in fields):
                        return event
                await asyncio.sleep(0.01)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path)
    await made.keeper.open()
    yield made
    await made.keeper.close()


async def test_a_view_that_changes_while_the_store_is_opened_is_led_in_its_own_epoch(store: Store) -> None:
    """Else the newer epoch would never get its first commit, and nothing be acknowledged ever again."""
    store.keeper.lead(ae.Lead(2049))
    store.keeper.lead(ae.Lead(4097))
    await store.posts(av.Committed, epoch=4097)


async def test_a_coordinator_that_is_forced_leads_again_after_it_has_stepped_down(store: Store) -> None:
    """`fa force` on a coordinator without a majority: both effects come in one step."""
    store.keeper.lead(ae.Lead(2049))
    first = await store.posts(av.Committed, epoch=2049)
    store.keeper.acknowledge(ae.Acknowledge(first.position))
    store.keeper.step_down(ae.StepDown())
    store.keeper.lead(ae.Lead(4097))
    closed = await store.posts(av.WriterClosed)
    again = await store.posts(av.Committed, epoch=4097)
    assert again.position.txid > first.position.txid
    assert store.posted.index(closed) < store.posted.index(again), "not by the writer that was being closed"


async def test_rot_that_is_found_as_it_steps_down_is_for_the_next_start(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.keeper.open()
    store.keeper.lead(ae.Lead(2049))
    first = await store.posts(av.Committed, epoch=2049)
    store.keeper.acknowledge(ae.Acknowledge(first.position))
    store.keeper.step_down(ae.StepDown())
    await store.posts(av.WriterClosed)
    store.keeper.lead(ae.Lead(4097))
    second = await store.posts(av.Committed, epoch=4097)
    with open(tmp_path / "fa.db", "r+b") as file:
        file.seek(3 * PAGE_SIZE - 9)
        file.write(b"#ROT#")
    store.keeper.acknowledge(ae.Acknowledge(second.position))
    store.keeper.step_down(ae.StepDown())
    assert (await store.posts(av.StoreFailed)).rotten
    await store.keeper.close()
    again = Store(tmp_path)
    links = await again.keeper.open()
    assert links[-1].position == second.position
    assert "proved by their checksum" in again.keeper.repaired
    await again.keeper.close()


async def test_every_segment_that_a_full_disk_keeps_out_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core queued them all: one without an answer would be waited for ever, and none behind it taken."""

    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(store.keeper.copy), "receive_all", full)
    envelopes = [Envelope("array", 1024, 1, number, number, number, number + 1, 0) for number in (1, 2, 3)]
    for envelope in envelopes:
        append = Append(1024, envelope.before, envelope.after, 1024, envelope.before)
        store.keeper.arrived(append, envelope, b"")
        store.keeper.store_segment(ae.StoreSegment("b", append))
    for envelope in envelopes:
        await store.posts(av.SegmentRefused, position=envelope.after)


async def test_what_nobody_waits_for_is_not_begun(store: Store) -> None:
    """It was refused to its client after some seconds, and carried out when the array went on, minutes later."""
    store.keeper.lead(ae.Lead(2049))
    first = await store.posts(av.Committed, epoch=2049)
    store.keeper.acknowledge(ae.Acknowledge(first.position))
    store.keeper.freeze(ae.Freeze())
    await store.posts(av.Frozen)
    for tag in (5, 6):
        store.keeper.commit(Commit(tag, SaveFactory(RECIPE.format(tag), 1)))
    store.keeper.withdraw(Withdraw(5))
    assert isinstance((await store.posts(Carried, tag=5)).result, NotStarted)
    store.keeper.thaw(ae.Thaw())
    async with asyncio.timeout(60):
        while (last := [event for event in store.posted if isinstance(event, av.Committed)][-1]) is first:
            await asyncio.sleep(0.01)
    store.keeper.withdraw(Withdraw(6))  # too late
    store.keeper.acknowledge(ae.Acknowledge(last.position))
    assert isinstance((await store.posts(Carried, tag=6)).result, Outcome)
    store.keeper.query(lambda connection: connection.execute("SELECT name FROM factory").fetchall(), Found)
    assert (await store.posts(Found)).rows == [("made-6",)]
