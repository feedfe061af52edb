"""A voter made of files: what one record of the chain on a shared volume holds, and how the next one follows from it.

The volume runs no program. The node that wants its vote starts a helper which reads the newest record, lets ``serve``
answer, and, when the record changed, links the new one under the next number: an exclusive create, so of two helpers
that read the same record one loses and starts again (R13). The answer is told only after the record is durable. A
helper that hangs answers late; ``Array`` throws late answers away.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fa.core.array_messages import (
    Accept,
    Accepted,
    Beat,
    Greet,
    Message,
    Nack,
    Prepare,
    Promise,
    Query,
    Remembered,
    Stat,
)  # fmt: skip
from fa.core.trust import Memory, PeerMark
from fa.core.view import Ballot


@dataclass(frozen=True, slots=True)
class Record:
    """One numbered record. ``incarnation`` is made with record 1 and never changes: an emptied folder is another
    voter (R8).
    """

    array_id: str
    incarnation: str
    ballot: Ballot = field(default_factory=Ballot)
    marks: tuple[PeerMark, ...] = ()


def serve(record: Record, sender: str, message: Message) -> tuple[Record, Message | None]:
    """The record after ``message`` of node ``sender``, and the answer; an unchanged record need not be written."""
    match message:
        case Query(round):
            return record, Stat(round, record.incarnation, record.ballot.epoch, record.ballot.accepted, hears=False)
        case Prepare(epoch) if record.ballot.may_promise(epoch):
            promised = replace(record, ballot=record.ballot.raised(epoch))
            return promised, Promise(epoch, record.incarnation, record.ballot.accepted)
        case Accept(view) if record.ballot.may_accept(view):
            return replace(record, ballot=record.ballot.accepting(view)), Accepted(view.epoch, record.incarnation)
        case Prepare() | Accept():
            return record, Nack(record.ballot.epoch)
        case Greet():
            return _greeted(record, sender, message)
        case Beat():
            return _noted(record, message)
    return record, None


def _greeted(record: Record, sender: str, greet: Greet) -> tuple[Record, Remembered]:
    memory = Memory(record.marks)
    answer = memory.greeted(record.incarnation, sender, greet)
    return replace(record, marks=memory.all()), replace(answer, view=record.ballot.accepted)


def _noted(record: Record, beat: Beat) -> tuple[Record, Message]:
    """The coordinator tells from time to time what is acknowledged, so that an older disk is noticed (R8)."""
    if beat.view.epoch < record.ballot.epoch:
        return record, Nack(record.ballot.epoch)
    memory = Memory(record.marks)
    memory.acknowledged(beat.view, beat.acked.txid)
    stat = Stat(0, record.incarnation, record.ballot.epoch, record.ballot.accepted, hears=False)
    return replace(record, marks=memory.all()), stat
