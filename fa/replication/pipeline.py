"""What waits to be committed and what waits to be acknowledged: the part of the writer that other threads touch."""

from __future__ import annotations

import enum
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fa.core.position import EMPTY, Position
from fa.replication.errors import NotStarted, OutcomeUnknown, WriterError
from fa.replication.group import Work

log = logging.getLogger(__name__)

Quiet = Callable[[Position], object]


@dataclass(slots=True)
class Flight:
    """A group on its way: its works are answered when ``position`` is acknowledged."""

    position: Position
    works: list[Work]


class Step(enum.Enum):
    """What the writer's thread does next."""

    CLOSE = enum.auto()
    COMMIT = enum.auto()
    CHECKPOINT = enum.auto()
    SCRUB = enum.auto()


class Pipeline:
    """Queue, flights and brakes. Every method is thread-safe; callbacks are called without the lock.

    ``group`` works at most go into one commit, ``in_flight`` commits at most are un-acknowledged.
    """

    def __init__(self, group: int, in_flight: int) -> None:
        self._group = group
        self._in_flight = in_flight
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[Work] = deque()
        self._flights: deque[Flight] = deque()
        self._quiet: list[Quiet] = []
        self.position = EMPTY
        self.acknowledged = EMPTY
        self.epoch = 0
        self._epoch_due = self._frozen = self._busy = self._closed = False

    # ---- called by anybody ------------------------------------------------------------------------------------

    def submit(self, work: Work) -> None:
        """Queue a work; answer it with ``NotStarted`` when closed."""
        with self._changed:
            if not self._closed:
                self._queue.append(work)
                self._changed.notify()
                return
        work.done(NotStarted(), self.position)

    def withdraw(self, key: object) -> None:
        """Nobody waits for the work of this ``key`` any more: it is not begun. If it was taken, it goes its way."""
        with self._changed:
            gone = [work for work in self._queue if work.key == key]
            if gone:
                self._queue = deque(work for work in self._queue if work.key != key)
        fail(gone, NotStarted(), self.position)

    def open_epoch(self, epoch: int) -> None:
        """Commit in ``epoch`` from now on, beginning with a commit of its own."""
        with self._changed:
            if epoch <= self.epoch:
                raise WriterError(f"Epoch {epoch} was opened after epoch {self.epoch}; epochs only grow.")
            self.epoch = epoch
            self._epoch_due = True
            self._frozen = False
            self._changed.notify()

    def freeze(self, quiet: Quiet | None) -> None:
        """Begin no new commit; tell ``quiet`` the position once it stands still."""
        with self._changed:
            self._frozen = True
            if self._busy and quiet is not None:
                self._quiet.append(quiet)
                return
        if quiet is not None:
            quiet(self.position)

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        with self._changed:
            self._frozen = False
            self._changed.notify()

    def acknowledge(self, position: Position) -> None:
        """Answer every work up to ``position``, in order."""
        landed: list[Flight] = []
        with self._changed:
            if position.txid <= self.acknowledged.txid:
                return
            self._check(position)
            self.acknowledged = position
            while self._flights and self._flights[0].position.txid <= position.txid:
                landed.append(self._flights.popleft())
            self._changed.notify()
        for flight in landed:
            answer(flight.works, flight.position)

    def _check(self, position: Position) -> None:
        """What is acknowledged must have been committed here, with the same checksum where that is still known."""
        known = {flight.position.txid: flight.position for flight in self._flights}
        known[self.position.txid] = self.position
        if position.txid > self.position.txid or known.get(position.txid, position) != position:
            raise WriterError(f"Position {position} was acknowledged but never committed; here is {self.position}.")

    def close(self) -> None:
        """Take nothing more and wake the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    # ---- called by the writer's thread ------------------------------------------------------------------------

    def next(
        self, checkpoint_due: Callable[[], bool], scrub_due: Callable[[], bool], patience: Callable[[], float | None]
    ) -> Step:
        """Wait for something to do. A due checkpoint holds new commits back until all are acknowledged; a due slice of
        the scrub goes first, for under load there is always something to commit."""
        self._rest()
        with self._changed:
            while not self._closed:
                if scrub_due():
                    return Step.SCRUB
                due = checkpoint_due() and not self._epoch_due
                if due and self.acknowledged == self.position:
                    return Step.CHECKPOINT
                if not due and self._may_commit():
                    self._busy = True
                    return Step.COMMIT
                self._changed.wait(patience())
            return Step.CLOSE

    def _rest(self) -> None:
        with self._changed:
            self._busy = False
            waiting, self._quiet = self._quiet, []
        for quiet in waiting:
            quiet(self.position)

    def _may_commit(self) -> bool:
        """The first commit of an epoch waits for nothing: all that is in flight is acknowledged only with it (R7)."""
        if self._frozen or not self.epoch:
            return False
        return self._epoch_due or (bool(self._queue) and len(self._flights) < self._in_flight)

    def take(self) -> tuple[list[Work], int, bool]:
        """The works of the next group, its epoch, and whether it is the first of that epoch (then it has no works)."""
        with self._changed:
            first, self._epoch_due = self._epoch_due, False
            count = 0 if first else min(len(self._queue), self._group)
            return [self._queue.popleft() for _ in range(count)], self.epoch, first

    def put_back(self, works: Sequence[Work]) -> None:
        """These were taken and not begun, as the group before them is large enough: they are the first of the next."""
        with self._changed:
            self._queue.extendleft(reversed(works))

    def reopen_epoch(self) -> None:
        """The first commit of the epoch did not come about; it is still due."""
        with self._changed:
            self._epoch_due = True

    def launch(self, position: Position, works: list[Work]) -> None:
        """A group was committed; hold its answers."""
        with self._changed:
            self.position = position
            self._flights.append(Flight(position, works))

    def attach(self, works: list[Work]) -> None:
        """Works that wrote nothing: they saw ``position``, so they are answered once that is acknowledged. They go with
        the group that made it, so that they hold back no commit behind them."""
        with self._changed:
            if self._flights:
                assert self._flights[-1].position == self.position, "the last group on its way is the last committed"
                self._flights[-1].works.extend(works)
                return
            if self.acknowledged != self.position:
                self._flights.append(Flight(self.position, works))
                return
        answer(works, self.position)

    def abandon(self) -> None:
        """Nothing will be committed or acknowledged any more: say so to everyone who waits."""
        with self._changed:
            self._closed = True
            flights, queue = list(self._flights), list(self._queue)
            self._flights.clear()
            self._queue.clear()
        for flight in flights:
            fail(flight.works, OutcomeUnknown(), flight.position)
        fail(queue, NotStarted(), self.position)


def answer(works: Iterable[Work], position: Position) -> None:
    """Tell each its outcome."""
    for work in works:
        try:
            work.done(work.outcome, position)
        except Exception:
            log.exception("a done callback raised")


def fail(works: Iterable[Work], reason: Exception, position: Position) -> None:
    """Tell each the same error."""
    works = list(works)
    for work in works:
        work.outcome = reason
    answer(works, position)
