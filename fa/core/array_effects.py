"""What the core asks of the shell, performed in list order; those marked *durable* finish (fsync) before the next one
starts.

The others that take time are started and come back as an event; the core waits for the event and never blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from fa.core.array_messages import Append, Message, Unproven
from fa.core.position import Position
from fa.core.trust import Mark, PeerMark
from fa.core.view import Ballot


@dataclass(frozen=True, slots=True)
class SaveBallot:
    """*Durable.* The promise, the fence and the accepted view."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class SaveIdentity:
    """*Durable.* Incarnation of the state directory and whether its copy may be used."""

    incarnation: str
    mark: Mark
    replaced: int = 0
    """The epoch in which the copy was last thrown away, as the coordinator told this node to."""


@dataclass(frozen=True, slots=True)
class SaveMarks:
    """*Durable.* What this node remembers of its peers, so that a disk set back in time is noticed (R8)."""

    marks: tuple[PeerMark, ...]


@dataclass(frozen=True, slots=True)
class SaveUnproven:
    """*Durable.* What this disk has to prove, and since when; None: a majority found nothing against it (R8)."""

    unproven: Unproven | None


@dataclass(frozen=True, slots=True)
class Send:
    """To one peer; dropped when there is no link."""

    peer: str
    message: Message


@dataclass(frozen=True, slots=True)
class Ship:
    """Send the envelope with the bytes of its segment (read by ``append.after.txid``), or tell ``SegmentMissing``."""

    peer: str
    append: Append


@dataclass(frozen=True, slots=True)
class WitnessCall:
    """Let the helper carry out ``message`` on the volume's record chain; answer with ``WitnessAnswer(call, …)``."""

    volume: str
    call: int
    message: Message


@dataclass(frozen=True, slots=True)
class StoreSegment:
    """Verify the bytes that came with ``append`` from ``sender``, fsync, then ``SegmentStored`` or
    ``SegmentRefused``; in order.
    """

    sender: str
    append: Append


@dataclass(frozen=True, slots=True)
class Apply:
    """Bring the secondary's database up to this acknowledged position."""

    position: Position


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Everything up to ``position`` is on every in-sync node: answer the clients, show it, act on it."""

    position: Position


@dataclass(frozen=True, slots=True)
class Lead:
    """A view was chosen. Apply what is stored, open the writer if it is not open, commit the epoch (``Committed``
    follows),
    and nothing else before ``Serve``."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Serve:
    """The epoch's own commit is on every in-sync node: take requests and dispatch (again)."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Follow:
    """Another node leads."""

    coordinator: str
    epoch: int


@dataclass(frozen=True, slots=True)
class StepDown:
    """Stop serving, fail what waits for an acknowledgement, close the writer, then tell ``WriterClosed``."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Start no new group commit, hold the requests; tell ``Frozen`` once none is under way."""


@dataclass(frozen=True, slots=True)
class Thaw:
    """Go on after a ``Freeze`` that came to nothing (``Serve`` thaws as well)."""


@dataclass(frozen=True, slots=True)
class Rewind:
    """Take the store back to ``to``, which is on its chain; then ``Rewound`` or ``RewindFailed``. What was cut goes
    to quarantine.
    """

    to: Position


@dataclass(frozen=True, slots=True)
class FetchCopy:
    """Replace the store by a whole copy from ``source``; then ``CopyInstalled`` or ``CopyFailed``."""

    source: str


@dataclass(frozen=True, slots=True)
class Stale:
    """The coordinator reaches no majority (True): no dispatch, no virtual IP; or does so again (False)."""

    stale: bool


@dataclass(frozen=True, slots=True)
class TakeVip:
    pass


@dataclass(frozen=True, slots=True)
class DropVip:
    pass


@dataclass(frozen=True, slots=True)
class Alarm:
    """``kind`` is stable (``solo``, ``stalled``, ``member-dropped``, ``duplicate-node``, …); ``text`` is for a
    person.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class RefuseLink:
    """Close the link to this peer; ``reason`` says why."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class BarrierPassed:
    id: int


@dataclass(frozen=True, slots=True)
class BarrierFailed:
    id: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The request ``id`` is done (``error`` empty) or refused (a sentence)."""

    id: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """End the process at once; nothing may be written any more."""

    reason: str


Effect = (
    SaveBallot | SaveIdentity | SaveMarks | SaveUnproven | Send | Ship | WitnessCall | StoreSegment | Apply
    | Acknowledge | Lead | Serve | Follow | StepDown | Freeze | Thaw | Rewind | FetchCopy | Stale | TakeVip | DropVip
    | Alarm | RefuseLink | BarrierPassed | BarrierFailed | Answered | Exit
)  # fmt: skip
