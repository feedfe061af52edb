"""The write path: one thread that owns the one write connection of the job store.

    submit → queue → group commit (fsynced) → capture from WAL → segment → own file → on_segment → acknowledge → done

Commits are pipelined: the next group commits while earlier ones travel. Only ``acknowledge`` releases answers. The same
connection checkpoints, at a quiet moment, never past the acknowledged position (REPLICATION.md sections 5 and 6):
SQLite's WAL-reset race needs two connections, and a deposed coordinator must be able to drop what nobody else has.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fa.core.position import Position
from fa.errors import StoreFull
from fa.replication.connection import POSITION_TABLE, SET_POSITION, finds_no_room, is_rotten, open_anchor, open_writer
from fa.replication.directory import ReplicaDirectory
from fa.replication.envelope import Envelope
from fa.replication.errors import NotStarted, OutcomeUnknown, StoreRotten, WriterError
from fa.replication.group import Done, GroupLost, Run, Work, commit, outcome_of, rollback, run_works
from fa.replication.limits import Limits
from fa.replication.pipeline import Pipeline, Quiet, Step, fail
from fa.replication.rescue import remove_log
from fa.replication.rot import RotWatch, sentence
from fa.replication.secondary import Copy
from fa.replication.segment import Header, encode
from fa.replication.state import PAGE_SIZE, Marker, State
from fa.replication.wal import WAL_HEADER_SIZE, WalCapture

log = logging.getLogger(__name__)

OnSegment = Callable[[Envelope, bytes], object]
OnDead = Callable[[BaseException], object]
Opened = TypeVar("Opened")
Migrate = Callable[[sqlite3.Connection], object]


def wall_clock_ms() -> int:
    """Unix time in ms: only a label on segments, no rule uses it."""
    return time.time_ns() // 1_000_000


class Writer:
    """Owner of the store's write connection on the coordinator.

    ``on_segment(envelope, ltx)`` is called from the writer's thread in the order of the chain, once the group is
    durable here. ``on_dead(error)`` is called once, from that thread, when the store cannot be written any more: this
    node must stop acking. ``migrate(connection)`` runs inside the first transaction of every epoch; like every work it
    must not commit, roll back or call ``executescript``. ``done`` callbacks run in the thread that calls
    ``acknowledge``, or in the writer's thread when the answer is acknowledged already; they must be quick.
    """

    def __init__(
        self,
        db_path: Path,
        directory: ReplicaDirectory,
        *,
        array_id: str,
        node_id: int,
        on_segment: OnSegment,
        on_dead: OnDead,
        migrate: Migrate | None = None,
        inherited: State | None = None,
        limits: Limits | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._db_path = db_path
        self._directory = directory
        self._array_id = array_id
        self._node_id = node_id
        self._on_segment = on_segment
        self._on_dead = on_dead
        self._migrate = migrate
        self._inherited = inherited
        self._limits = limits or Limits()
        self._now_ms = now_ms
        self._pipeline = Pipeline(self._limits.group, self._limits.in_flight)
        self._unwritten: deque[tuple[Envelope, Header, bytes]] = deque()
        self._checkpoint_not_before = self._wal_used_since = self._scrub_not_before = 0.0
        self._scrub_next, self._wal_bytes = 1, 0
        self._marker = Marker(db_path)
        self._trouble: BaseException | None = None
        self._held: list[Any] = []
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    @property
    def position(self) -> Position:
        """The last commit, acknowledged or not."""
        return self._pipeline.position

    @property
    def acknowledged(self) -> Position:
        """The last commit that every in-sync member has."""
        return self._pipeline.acknowledged

    @property
    def checkpointed(self) -> int:
        """The database file durably holds everything up to this txid; segments from it on must be kept."""
        return self._marker.position.txid

    @property
    def wal_bytes(self) -> int:
        """Bytes of the WAL in use; grows without end while a reader keeps an old snapshot open."""
        return self._wal_bytes

    def start(self) -> None:
        """Open the store and begin. Raises what opening raised (``FaError``, ``OSError``, ``sqlite3.Error``)."""
        self._thread.start()
        self._opened.wait()
        if self._trouble is not None:
            raise self._trouble

    def open_epoch(self, epoch: int) -> None:
        """Lead in ``epoch``: its first commit, made at once, carries it and so re-commits all that was inherited (R7).
        Ends a ``freeze``."""
        self._pipeline.open_epoch(epoch)

    def submit(self, work: Run, done: Done, key: object = None) -> None:
        """Queue ``work``; ``done(result or exception, position)`` is called when its group is acknowledged.
        Thread-safe, never blocks. After ``close`` or death ``done`` gets ``NotStarted`` at once."""
        self._pipeline.submit(Work(work, done, key=key))

    def withdraw(self, key: object) -> None:
        """Nobody waits for the work of this ``key``: ``NotStarted`` unless it was begun."""
        self._pipeline.withdraw(key)

    def acknowledge(self, position: Position) -> None:
        """Every in-sync member has everything up to ``position``: answer the works, in order; checkpoints may follow.
        Raises ``WriterError`` for a position that was never committed here."""
        self._pipeline.acknowledge(position)

    def scrub(self) -> list[int]:
        """Read the whole file over, now, between commits: which pages rotted. Blocks; raises what ``submit`` tells."""
        found, first = outcome_of(self.submit, partial(self._look, 1))
        while first > 1:
            more, first = outcome_of(self.submit, partial(self._look, first))
            found += more
        return list(found)

    def read_pages(self, first: int, count: int) -> bytes:
        """Pages of the file as it is, read between commits. Blocks; raises what ``submit`` tells."""
        return bytes(outcome_of(self.submit, lambda _: self._rot.read(first, count, PAGE_SIZE)))

    def freeze(self, quiet: Quiet | None = None) -> None:
        """Begin no new group commit. ``quiet(position)`` is called (here, or in the writer's thread) once the commit
        in progress, if any, is through: the position stands still until ``thaw`` or ``open_epoch``."""
        self._pipeline.freeze(quiet)

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        self._pipeline.thaw()

    def close(self) -> None:
        """Stop. Works not begun get ``NotStarted``, works on their way ``OutcomeUnknown``; nothing un-acknowledged
        reaches the database file. Close the readers of this process first: closing ``-shm`` drops their locks."""
        self._pipeline.close()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    # ---- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._open()
        except BaseException as trouble:
            self._trouble = trouble
            self._let_go()
            self._pipeline.abandon()
            return
        finally:
            self._opened.set()
        try:
            self._serve()
        except BaseException as trouble:
            log.critical("the store cannot be written any more: %s", trouble)
            self._trouble = (
                StoreRotten(f"The store's file makes no sense: {trouble}.") if is_rotten(trouble) else trouble
            )
        self._shut()

    def _serve(self) -> None:
        due = self._checkpoint_due, lambda: time.monotonic() >= self._scrub_not_before, self._patience
        while (step := self._pipeline.next(*due)) is not Step.CLOSE:
            if step is Step.CHECKPOINT:
                self._checkpoint()
            elif step is Step.SCRUB:
                self._scrub()
            else:
                works, epoch, first = self._pipeline.take()
                self._commit(works, epoch, first)
        if self.acknowledged == self.position and not self._unwritten:
            self._checkpoint()

    def _open(self) -> None:
        state, self._inherited = self._inherited or self._recover(), None
        self._sums = state.sums
        self._pipeline.position = state.position
        self._marker = Marker(self._db_path)
        self._connection = self._hold(open_writer(self._db_path))
        self._anchor = self._hold(open_anchor(self._db_path))
        self._wal = self._hold(WalCapture(self._db_path, PAGE_SIZE, self._sums.pages))
        self._rot = self._hold(RotWatch(self._db_path))
        self._scrub_not_before = time.monotonic() + self._limits.scrub_seconds

    def _hold(self, opened: Opened) -> Opened:
        self._held.append(opened)
        return opened

    def _let_go(self) -> None:
        """Close everything; the anchor after the write connection, so that SQLite checkpoints nothing by itself."""
        while self._held:
            self._held.pop(0).close()

    def _recover(self) -> State:
        copy = Copy(self._db_path, self._directory, array_id=self._array_id)
        copy.open()
        return copy.promote()

    def _shut(self) -> None:
        try:
            self._let_go()
            if isinstance(self._trouble, StoreRotten):
                self._drop_tail()
        except sqlite3.Error:
            log.exception("closing the store failed")
        except (OSError, WriterError) as worse:
            self._trouble = worse
        self._pipeline.abandon()
        if self._trouble is not None:
            self._on_dead(self._trouble)

    def _drop_tail(self) -> None:
        """Forget a commit that may be made of rotten pages: it is in SQLite's log alone and nobody was told of it. All
        that was shipped is in segments, durably after this. Raises ``WriterError`` when it is not, for want of room."""
        if self._unwritten:
            raise WriterError(f"{self._trouble} There is no room either for what was committed before.")
        self._directory.flush()
        remove_log(self._db_path)

    def _commit(self, works: list[Work], epoch: int, first: bool) -> None:
        """One group: all of it is committed, or each work is told why not. Raises when the store is broken."""
        try:
            shipment = self._attempt(works, epoch, first)
        except GroupLost as lost:
            self._give_up(works, lost.reason, epoch, first)
            return
        except BaseException:
            fail(works, OutcomeUnknown(), self.position)
            raise
        if shipment is None:
            self._pipeline.attach(works)
        else:
            envelope, ltx = shipment
            self._pipeline.launch(envelope.after, works)
            if first:
                self._directory.flush()  # the epoch's beginning is on disk: no lost tail ever spans two epochs
            self._on_segment(envelope, ltx)

    def _attempt(self, works: list[Work], epoch: int, first: bool) -> tuple[Envelope, bytes] | None:
        """Commit a group and make its segment; None when it wrote nothing."""
        self._write_backlog()
        txid = self.position.txid + 1
        if not self._transact(works, txid, epoch, first):
            return None
        envelope, header, ltx = self._capture(txid, epoch)
        self._unwritten.append((envelope, header, ltx))
        try:
            self._write_backlog()
        except GroupLost:
            log.error("disk full: segment %d stays in memory and in SQLite's log until there is room", txid)
        return envelope, ltx

    def _give_up(self, works: list[Work], reason: Exception, epoch: int, first: bool) -> None:
        """Nothing was committed. A constraint that only COMMIT found is one work's fault: commit them one by one."""
        if first:
            if not isinstance(reason, StoreFull):
                raise reason
            self._pipeline.reopen_epoch()
            time.sleep(self._limits.retry_seconds)
        elif isinstance(reason, sqlite3.IntegrityError) and len(works) > 1:
            for index, work in enumerate(works):
                try:
                    self._commit([work], epoch, False)
                except BaseException:
                    fail(works[index + 1 :], NotStarted(), self.position)
                    raise
        else:
            fail(works, reason, self.position)

    def _transact(self, works: list[Work], txid: int, epoch: int, first: bool) -> bool:
        """Run and commit a group; whether there was anything to commit."""
        connection = self._connection
        written = run_works(connection, works, self._prepare if first else None, self._pipeline.put_back)
        if not written and not first:
            rollback(connection)
            return False
        connection.execute(SET_POSITION, (txid, epoch))
        commit(connection)
        return True

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(POSITION_TABLE)
        if self._migrate is not None:
            self._migrate(connection)

    def _capture(self, txid: int, epoch: int) -> tuple[Envelope, Header, bytes]:
        """Make the segment of the transaction that was just committed."""
        got = self._wal.capture()
        self._wal_bytes = self._wal.used_bytes
        if got.offset == WAL_HEADER_SIZE:
            self._wal_used_since = time.monotonic()
        pre = self.position.checksum
        self._rot.about_to_change([number for number, _ in got.pages], self._sums)
        self._sums.replace(got.pages, got.commit)
        stamp = self._directory.next_timestamp(self._now_ms())
        header = Header(PAGE_SIZE, got.commit, txid, txid, stamp, epoch, got.offset, got.size, got.salt1, got.salt2)
        post = self._sums.checksum
        envelope = Envelope(self._array_id, epoch, self._node_id, txid, txid, pre, post, stamp)
        return envelope, header, encode(header, got.pages)

    def _write_backlog(self) -> None:
        """Write own segments that are not in the directory yet. Raises ``GroupLost(StoreFull)`` when the disk is full.

        They need not be synced before an answer: SQLite's log holds the same pages, fsynced; ``flush`` syncs them
        before a checkpoint.
        """
        while self._unwritten:
            envelope, header, ltx = self._unwritten[0]
            try:
                self._directory.write(header, ltx, sync=False)
                self._directory.chain.append(envelope.after, envelope.epoch)
            except OSError as trouble:
                if not finds_no_room(trouble):
                    raise
                raise GroupLost(StoreFull()) from trouble
            self._unwritten.popleft()

    # ---- checkpoints ------------------------------------------------------------------------------------------

    def _checkpoint_due(self) -> bool:
        if not self._wal.used_bytes or self.position.txid == self._marker.position.txid or self._unwritten:
            return False
        now = time.monotonic()
        old = now - self._wal_used_since >= self._limits.wal_seconds
        return (old or self._wal.used_bytes >= self._limits.wal_bytes) and now >= self._checkpoint_not_before

    def _patience(self) -> float:
        """How long to sleep before looking at the clock again (seconds)."""
        scrub = max(0.0, self._scrub_not_before - time.monotonic())
        return scrub if self.position.txid == self._marker.position.txid else min(scrub, self._limits.retry_seconds)

    def _checkpoint(self) -> None:
        """Copy the WAL into the database file; without room later, for the WAL and the segments hold all of it."""
        try:
            self._copy_log()
        except (OSError, sqlite3.Error) as trouble:
            if not finds_no_room(trouble):
                raise
            log.debug("SQLite's log cannot be copied into the store's file yet: %s", trouble)
            self._checkpoint_not_before = time.monotonic() + self._limits.retry_seconds

    def _copy_log(self) -> None:
        """Everything in it is acknowledged; own segments are made durable first.

        PASSIVE: never waits for a reader. When one keeps an old snapshot open the rest is tried again later.
        """
        if not self._wal.used_bytes:
            return
        self._directory.flush()
        busy, frames, copied = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if not busy and frames == copied == self._wal.frames:
            self._wal.checkpointed()
            self._rot.checkpointed()
            self._marker.move(self.position)
        elif frames > self._wal.frames:
            raise WriterError("SQLite's log holds frames that this node did not write.")
        else:
            self._checkpoint_not_before = time.monotonic() + self._limits.retry_seconds

    # ---- rot --------------------------------------------------------------------------------------------------

    def _scrub(self) -> None:
        """Read some pages of the file over; rest, for long when that was the last of them. Raises ``StoreRotten``."""
        rotten, self._scrub_next = self._look(self._scrub_next)
        if rotten:
            raise StoreRotten(sentence(rotten))
        rest = self._limits.scrub_seconds if self._scrub_next == 1 else self._limits.scrub_rest
        self._scrub_not_before = time.monotonic() + rest

    def _look(self, first: int, _: object = None) -> tuple[list[int], int]:
        return self._rot.look(self._sums, first, self._limits.scrub_pages)
