"""What can happen to a node, as the shell tells the core.

The shell's promises: events come one at a time; ``Committed`` and ``SegmentStored`` come only after fsync;
``Committed`` comes in the order of the commits and never after ``WriterClosed``; nothing else changes the store.
"""

from __future__ import annotations

from dataclasses import dataclass

from fa.core.array_chain import Link
from fa.core.array_messages import Hello, Message, Unproven
from fa.core.position import Position
from fa.core.trust import Mark, PeerMark
from fa.core.view import Ballot, Member


@dataclass(frozen=True, slots=True)
class Started:
    """The process is up. ``boots`` was increased and fsynced before this event; ``chain`` is the end of chain.log,
    oldest first.
    """

    incarnation: str
    boots: int
    mark: Mark
    ballot: Ballot
    chain: tuple[Link, ...] = ()
    marks: tuple[PeerMark, ...] = ()
    unproven: Unproven | None = None
    """What is on the disk; None: a majority answered the run before."""
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """A message came over the authenticated link of ``sender``. For ``Append`` the shell keeps the bytes until the
    step is over.
    """

    sender: str
    message: Message


@dataclass(frozen=True, slots=True)
class LinkUp:
    peer: str
    hello: Hello


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link is gone. ``refused``: a new connection was refused, so the process there is dead."""

    peer: str
    refused: bool


@dataclass(frozen=True, slots=True)
class NotLetIn:
    """The peer is there and does not take this node: it has a link to another process of that name, or knows no such
    node, or does not understand it. ``reason`` is what it said."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class SchemaFound:
    """The schema version of the copy on this node: told at first, and before what changed it is told as stored."""

    version: int


@dataclass(frozen=True, slots=True)
class Committed:
    """The local group commit is fsynced; ``epoch`` is that of the ``Lead`` under which it was made."""

    position: Position
    epoch: int


@dataclass(frozen=True, slots=True)
class WriterClosed:
    """After ``StepDown``: the write connection is closed; every commit it made has been told."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """After ``Freeze``: no group commit is under way, and every one that was made has been told."""


@dataclass(frozen=True, slots=True)
class SegmentStored:
    position: Position


@dataclass(frozen=True, slots=True)
class SegmentRefused:
    """The bytes did not verify, or do not follow the end of the store. Every ``StoreSegment`` is answered, in order, by
    this or by ``SegmentStored``; those queued behind a refused one are refused as well.
    """

    position: Position
    reason: str


@dataclass(frozen=True, slots=True)
class SegmentMissing:
    """A segment for ``peer`` is no longer on this disk (never one that is not acknowledged)."""

    peer: str


@dataclass(frozen=True, slots=True)
class Rewound:
    position: Position


@dataclass(frozen=True, slots=True)
class RewindFailed:
    reason: str


@dataclass(frozen=True, slots=True)
class CopyInstalled:
    """A whole copy was fetched, verified against its checksum and fsynced."""

    position: Position
    epoch: int


@dataclass(frozen=True, slots=True)
class CopyFailed:
    reason: str


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """The store cannot be used any more. An fsync or a read of it failed: nothing on this disk is believed any more.
    ``rotten``: it need not be doubted for that. Pages of it are not what was written, which the segments may make good,
    or the trouble was not the disk's (a migration, too many files); a checksum proves this copy at the next start."""

    reason: str
    rotten: bool = False


@dataclass(frozen=True, slots=True)
class StoreFull:
    """The disk of the store is full (True), or has room again (False)."""

    full: bool


@dataclass(frozen=True, slots=True)
class StoreStalled:
    """The disk of the store hangs (True), or answers again (False)."""

    stalled: bool


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """The helper finished ``WitnessCall`` number ``call``; None when the volume did not answer."""

    call: int
    message: Message | None


@dataclass(frozen=True, slots=True)
class Woken:
    """``deadline`` has come."""


# ---- requests: each is answered by one Answered(id, …), except ReadBarrier (BarrierPassed/BarrierFailed) -------------


@dataclass(frozen=True, slots=True)
class AddNode:
    """To the coordinator: this node joined; ``votes``: give it a vote (also for ``volume:NAME`` and witnesses)."""

    id: int
    member: Member
    votes: bool


@dataclass(frozen=True, slots=True)
class RemoveNode:
    id: int
    node: str


@dataclass(frozen=True, slots=True)
class ReplaceVoter:
    """To the coordinator: ``node``'s vote goes to ``by`` (a witness lost for ever)."""

    id: int
    node: str
    by: Member


@dataclass(frozen=True, slots=True)
class SwitchOver:
    """To the coordinator: hand over in order. ``to`` empty: to the best in-sync node."""

    id: int
    to: str = ""


@dataclass(frozen=True, slots=True)
class ReadBarrier:
    id: int


@dataclass(frozen=True, slots=True)
class Force:
    """The operator's override: lead from this copy without a majority. ``Array.force_report()`` says what may be
    lost.
    """

    id: int


Request = AddNode | RemoveNode | ReplaceVoter | SwitchOver | Force
Event = (
    Started | Received | LinkUp | LinkDown | NotLetIn | SchemaFound | Committed | WriterClosed | Frozen | SegmentStored
    | SegmentRefused | SegmentMissing | Rewound | RewindFailed | CopyInstalled | CopyFailed | StoreFailed
    | StoreFull | StoreStalled | WitnessAnswer | Woken | ReadBarrier | Request
)  # fmt: skip
