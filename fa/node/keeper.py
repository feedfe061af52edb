"""The job store of this node in whichever role it has: a copy that follows, or the store that is written.

Everything here answers effects of the array core and tells it what came of them. Changes of role run one after the
other, and segments that arrive meanwhile wait their turn."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from fa.core import array_effects as ae
from fa.core import array_events as av
from fa.core.array_chain import Link
from fa.core.array_messages import Append
from fa.core.ledger import Ledger
from fa.core.position import EMPTY, Position
from fa.core.work import Carried, Commit, Withdraw
from fa.errors import FaError, StoreFull, Unavailable
from fa.node.answers import as_result
from fa.node.circumstances import Circumstances
from fa.node.clock import Clock
from fa.node.commits import Commits
from fa.node.disk import DiskWatch, is_failed, is_full, is_in_doubt
from fa.node.gates import Gates
from fa.node.recent import Arrivals, RecentSegments, latest_links
from fa.node.turns import Turns
from fa.node.upkeep import Upkeep
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope
from fa.replication.errors import CopyError, NotStarted, OutcomeUnknown, SegmentError
from fa.replication.repair import open_or_repair
from fa.replication.resync import bytes_of_sums, install
from fa.replication.secondary import Copy
from fa.replication.state import PAGE_SIZE, State
from fa.replication.transfer import Announcement
from fa.replication.writer import Writer
from fa.store.migrations import migrate
from fa.store.tables import SqliteTables

log = logging.getLogger(__name__)

T = TypeVar("T")
Post = Callable[[Any], None]
ASK_AGAIN = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class StorePlace:
    database: Path
    replica: Path
    array_id: str
    node: str
    index: int
    history_seconds: float = 7 * 86400.0  # how far back it can be restored


class Keeper:
    """`opened` and `closed` are awaited as the store begins and ends to be readable by SQLite."""

    def __init__(
        self,
        place: StorePlace,
        clock: Clock,
        post: Post,
        opened: Callable[[Path], Awaitable[None]],
        closed: Callable[[], Awaitable[None]],
        fetch: Callable[[str, Path, bytes], Awaitable[Announcement]],
        disk: DiskWatch,
    ) -> None:
        self._place = place
        self._clock = clock
        self._post = post
        self._turns = Turns(disk, self._dead)
        self._loop = asyncio.get_running_loop()
        self._epoch = 0
        self._leads = False  # as the core has it
        self._leaving = False  # the writer is being closed: who leads again, forced by an operator, does so after that
        self._directory = ReplicaDirectory(place.replica)
        self._copy: Copy | None = None
        self._promoted: State | None = None  # of the copy, until the writer is open
        self._writer: Writer | None = None
        self._ledger: tuple[sqlite3.Connection, Ledger] | None = None
        self._recent = RecentSegments()
        self._incoming: list[tuple[Envelope, bytes]] = []
        self._arrivals = Arrivals()
        self.repaired = ""  # what was wrong with the file when it was opened, and is not any more
        self.gates = Gates()
        self.commits = Commits()
        self.circumstances = Circumstances()
        self._opened = opened
        self._closed = closed
        self._fetch = fetch
        self._diff_failed = False
        self._disk = disk
        self.upkeep = Upkeep(self, clock, post, place.history_seconds)

    @property
    def acknowledged(self) -> Position:
        return self.gates.acknowledged

    @property
    def directory(self) -> ReplicaDirectory:
        return self._directory

    # --- starting and stopping ---

    async def open(self) -> tuple[Link, ...]:
        """Recover the copy; its chain, oldest first. Raises `CopyError` when it is damaged and not healed here."""
        copy = self._copy = self._new_copy()
        position, self.repaired = await self._in_thread(open_or_repair, copy, self._place.database, self._directory)
        return latest_links(self._directory.chain, position)

    async def close(self) -> None:
        """Stop in order: what is acknowledged is on disk; the rest is in the log of SQLite, as after a crash."""
        await self._turns.end()
        await self._closed()
        if self._writer:
            await self._in_thread(self._writer.close)
        if self._copy:
            await self._in_thread(self._copy.close)
        self._turns.close()
        self.upkeep.close()
        self._directory.close()

    def _new_copy(self) -> Copy:
        """One that a newer fa writes is followed all the same: it is only pages. But this node cannot lead with it."""
        place, tell = self._place, lambda version: self._post(av.SchemaFound(version))
        return Copy(place.database, self._directory, array_id=place.array_id, on_version=tell)

    # --- leading ---

    def lead(self, effect: ae.Lead) -> None:
        """Open the store for writing if it is not, and commit the epoch. Returns at once; `Committed` follows."""
        self._epoch, self._leads = effect.epoch, True
        if self._leaving:
            return
        if self._writer:
            self._writer.open_epoch(effect.epoch)
        else:
            self._turns.later(self._take_over)

    async def _take_over(self) -> None:
        """In the newest epoch: the view may have changed again while the store was being opened."""
        if self._leaving or not self._leads or not (self._copy or self._promoted):
            return
        if self._copy:
            self._promoted, self._copy = await self._in_thread(self._copy.promote), None
        writer = Writer(
            self._place.database,
            self._directory,
            array_id=self._place.array_id,
            node_id=self._place.index,
            on_segment=self._committed,
            on_dead=self._dead,
            migrate=self._first_of_epoch,
            inherited=self._promoted,
        )
        await self._in_thread(writer.start)
        self._writer, self._promoted = writer, None
        if self._leads and not self._leaving:
            writer.open_epoch(self._epoch)

    def _first_of_epoch(self, connection: sqlite3.Connection) -> None:
        migrate(connection)
        self._ledger_of(connection).apply(self.circumstances.begin(self._epoch, self._place.node, self._clock))

    def _ledger_of(self, connection: sqlite3.Connection) -> Ledger:
        if self._ledger is None or self._ledger[0] is not connection:
            self._ledger = (connection, Ledger(SqliteTables(connection)))
        return self._ledger[1]

    def _committed(self, envelope: Envelope, ltx: bytes) -> None:
        """In the writer's thread."""
        self._loop.call_soon_threadsafe(self._committed_in_loop, envelope, ltx)

    def _committed_in_loop(self, envelope: Envelope, ltx: bytes) -> None:
        self._recent.remember(envelope, ltx)
        self.commits.began(envelope.max_txid, self._clock.mono())
        self._post(av.Committed(envelope.after, envelope.epoch))

    def _dead(self, trouble: BaseException) -> None:
        """Unless what is on the disk is in doubt, the next start proves this copy, as it does a rotten one."""
        self._post(av.StoreFailed(str(trouble), rotten=not is_in_doubt(trouble)))

    async def serve(self, effect: ae.Serve) -> None:
        await self._opened(self._place.database)

    def commit(self, effect: Commit) -> None:
        """Carry a command out in the next group commit; `Carried` follows once it is acknowledged."""

        def done(result: Any, position: Position) -> None:
            outcome = as_result(result)
            if isinstance(outcome, StoreFull):
                self._disk.met_full()
            self._post(Carried(effect.tag, outcome, position))

        if self._writer is None or self._disk.full:
            done(StoreFull() if self._writer else Unavailable(), self.acknowledged)
        else:
            self._writer.submit(lambda connection: self._ledger_of(connection).apply(effect.command), done, effect.tag)

    def withdraw(self, effect: Withdraw) -> None:
        """Who asked for it waits no more."""
        if self._writer:
            self._writer.withdraw(effect.tag)

    def query(self, question: Callable[[sqlite3.Connection], T], answer: Callable[[T], Any]) -> None:
        """Ask the store a question in the writer's thread, between group commits; the answer is posted as an event.
        Asked again while this writer lives: the core waits for it, and a full disk may undo the group it was in."""
        writer = self._writer

        def again() -> None:
            if self._writer is writer:
                self.query(question, answer)

        def done(result: Any, position: Position) -> None:
            if not isinstance(result, BaseException):
                self._post(answer(result))
            elif not isinstance(result, NotStarted | OutcomeUnknown):
                log.warning("a question to the store failed: %s", result)
                self._loop.call_soon_threadsafe(self._loop.call_later, ASK_AGAIN, again)

        if writer is not None:
            writer.submit(question, done)

    def acknowledge(self, effect: ae.Acknowledge) -> None:
        self.gates.acknowledge(effect.position)
        self.commits.acknowledged(effect.position.txid, self._clock.mono())
        if self._writer:
            self._writer.acknowledge(effect.position)

    def freeze(self, effect: ae.Freeze) -> None:
        """`Frozen` follows once no group commit is under way."""
        if self._writer:
            self._writer.freeze(lambda _: self._loop.call_soon_threadsafe(self._post, av.Frozen()))

    def thaw(self, effect: ae.Thaw) -> None:
        if self._writer:
            self._writer.thaw()

    def step_down(self, effect: ae.StepDown) -> None:
        """Close the writer and become a copy again; `WriterClosed` follows."""
        self.gates.deposed()
        self._leaving, self._leads = True, False
        self._turns.later(self._become_copy)

    async def _become_copy(self) -> None:
        await self._closed()
        writer, self._writer = self._writer, None
        if writer:
            await self._in_thread(writer.close)
        if self._copy is None:
            copy, self._promoted = self._new_copy(), None
            await self._in_thread(copy.open)
            self._copy = copy
        self._leaving = False
        self._post(av.WriterClosed())
        if self._leads:
            self._turns.later(self._take_over)

    # --- following ---

    def arrived(self, append: Append, envelope: Envelope, ltx: bytes) -> None:
        """The bytes of an `Append`, until the core says what to do with them."""
        self._arrivals.add(append, (envelope, ltx))

    def store_segment(self, effect: ae.StoreSegment) -> None:
        self._incoming.append(self._arrivals.take(effect.append))
        if len(self._incoming) == 1:
            self._turns.later(self._store_incoming)

    async def _store_incoming(self) -> None:
        """Store all that has arrived by now: a backlog costs one sync."""
        batch, self._incoming = self._incoming, []
        while batch and self._copy is not None:
            batch = await self._store_batch(self._copy, batch)

    async def _store_batch(self, copy: Copy, batch: list[tuple[Envelope, bytes]]) -> list[tuple[Envelope, bytes]]:
        """What is left: the segments from the first refused one on, or those behind it."""
        try:
            position = await self._in_thread(copy.receive_all, batch)
        except SegmentError as error:
            self._post(av.SegmentRefused(batch[0][0].after, error.detail))
            return batch[1:]
        except OSError as error:
            self._bear(error)
            for envelope, _ in batch:  # the core waits for a word about each
                self._post(av.SegmentRefused(envelope.after, "the disk is full"))
            return []
        stored = [one for one in batch if one[0].max_txid <= position.txid]
        for envelope, ltx in stored:
            self._recent.remember(envelope, ltx)
            self._post(av.SegmentStored(envelope.after))
        return batch[len(stored) :]

    def apply(self, effect: ae.Apply) -> None:
        self.gates.acknowledge(effect.position)
        self._turns.later(partial(self._apply, effect.position))

    async def _apply(self, position: Position) -> None:
        if self._copy is not None:
            try:
                await self._in_thread(self._copy.apply, position)
            except OSError as error:
                self._bear(error)  # what is not applied yet is with the next position

    def rewind(self, effect: ae.Rewind) -> None:
        self._turns.later(partial(self._rewind, effect.to))

    async def _rewind(self, to: Position) -> None:
        if self._copy is None:
            return
        try:
            await self._in_thread(self._copy.rewind, to)
        except CopyError as error:
            self._post(av.RewindFailed(error.detail))
            return
        self._forget_segments()
        self._post(av.Rewound(to))

    def fetch_copy(self, effect: ae.FetchCopy) -> None:
        self._turns.later(partial(self._fetch_copy, effect.source))

    async def _fetch_copy(self, source: str) -> None:
        """Make the copy equal to that of `source`: by the pages that differ, or, where there is nothing to compare or
        that came to nothing, by a whole one. Until it is whole and proved it is marked as half a copy."""
        place, target = self._place, self._place.replica / "incoming.copy"
        copy, self._copy = self._copy, None
        if copy:
            await self._in_thread(copy.close)
        try:
            sums = b"" if self._diff_failed else await self._in_thread(bytes_of_sums, place.database)
            told = await self._fetch(source, target, sums)
            await self._in_thread(install, place.database, self._directory, place.array_id, told, target, EMPTY)
        except (FaError, OSError, TimeoutError, aiohttp.ClientError) as error:
            if is_failed(error) and not isinstance(error, aiohttp.ClientError):
                raise  # the disk here, which a second try would not tell of again
            target.unlink(missing_ok=True)
            self._diff_failed = not self._diff_failed
            self._post(av.CopyFailed(f"no copy from {source}: {error}"))
            return
        log.info("made equal to %s by %s of %d bytes", source, told.kind.name.lower(), told.size)
        self._diff_failed = False
        self._forget_segments()
        copy = self._new_copy()
        position, self._copy = await self._in_thread(copy.open), copy
        self._post(av.CopyInstalled(position, told.epoch))

    def _forget_segments(self) -> None:
        """The history changed; what arrived meanwhile is not taken."""
        self._recent.forget()
        self._arrivals.forget()

    # --- what upkeep looks at ---

    @property
    def copy(self) -> Copy | None:
        return self._copy

    @property
    def kept_up_to(self) -> int:
        return self._writer.checkpointed if self._writer else self._copy.marker.txid if self._copy else 0

    @property
    def held(self) -> Writer | Copy:
        """Whoever has the file. Raises `Unavailable` while there is no copy."""
        if holds := self._writer or self._copy:
            return holds
        raise Unavailable("The copy on this node is just being replaced.", hint="Ask again in a moment.")

    @property
    def pages(self) -> int:
        return self._place.database.stat().st_size // PAGE_SIZE

    # --- shipping ---

    def segment(self, append: Append) -> tuple[Envelope, bytes] | None:
        """The segment that ends at `append.after`, from memory or from its file; None when it is no longer kept."""
        place, after = self._place, append.after
        kept = self._directory.segments(append.before, after.txid, place.array_id, place.index)
        return self._recent.ending_at(after) or next(iter(kept), None)

    # --- threads and tasks ---

    def _bear(self, error: OSError) -> None:
        """A full disk is borne; after any other error of the disk this node ends."""
        if not is_full(error):
            raise error
        self._disk.met_full()

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await self._turns.in_thread(call, *arguments)
