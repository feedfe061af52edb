"""What the nodes of an array say to each other about leadership and the mirror.

Plain frozen values: the node encodes each as ``(class name, fields)``; ``MESSAGES`` finds the class again. An answer
carries the incarnation of who gives it, because a vote or a copy belongs to a disk and not to a name (R8).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from fa.core.position import Position
from fa.core.view import View


@dataclass(frozen=True, slots=True)
class Hello:
    """The first thing on a new link; the shell hands it over with ``LinkUp``. ``run`` differs for every start of a
    process.
    """

    array_id: str
    node: str
    incarnation: str
    kind: str
    """``data`` (may hold a copy) or ``witness`` (only votes)."""
    rank: int
    boots: int
    run: str
    protocol: int
    schema: int = 0
    """The newest schema of the job store that it can lead with; 0: it does not say."""
    mirror: bool = True
    """It may be given a copy of the store."""


# ---- trust (R8) --------------------------------------------------------------------------------------------------


RUNS_MAX = 100
"""Runs that are remembered as unproven; a disk that booted more often in vain is taken for one that was set back."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """Durable until a majority has answered: the first of the boots since it last did, the epoch that the disk knew
    then, and the runs since."""

    boots: int
    epoch: int
    runs: tuple[str, ...] = ()

    def booted(self, run: str) -> Unproven:
        return replace(self, runs=(*self.runs, run)[-RUNS_MAX:])


@dataclass(frozen=True, slots=True)
class Greet:
    """After a boot: this is what I am and how far my disk reaches; do you remember more?"""

    incarnation: str
    run: str
    boots: int
    txid: int
    unproven: Unproven


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the peer ``by`` (its incarnation) knew of the greeter before it greeted (zeros: nothing)."""

    by: str
    incarnation: str
    run: str
    """The greeter's run, so that an answer to an earlier life is known as such."""
    boots: int
    epoch: int
    txid: int
    in_sync: int = 0
    """The epoch in which ``txid`` was acknowledged with its copy."""
    view: View | None = None
    """The newest view the peer knows: its voters are those whose word counts."""


# ---- the register ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Query:
    """What is the view, and do you hear its coordinator? Binds nobody to anything."""

    round: int


@dataclass(frozen=True, slots=True)
class Stat:
    """The answer to ``Query``. ``hears``: the voter heard the coordinator of its view within ``suspect_after``."""

    round: int
    incarnation: str
    epoch: int
    accepted: View | None
    hears: bool


@dataclass(frozen=True, slots=True)
class Prepare:
    epoch: int


@dataclass(frozen=True, slots=True)
class Promise:
    epoch: int
    incarnation: str
    accepted: View | None


@dataclass(frozen=True, slots=True)
class Accept:
    view: View


@dataclass(frozen=True, slots=True)
class Accepted:
    epoch: int
    incarnation: str


@dataclass(frozen=True, slots=True)
class Nack:
    """Refused: somebody took a higher epoch. Whoever reads this and leads under a lower one steps down."""

    epoch: int


# ---- bully order -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Election:
    """ELECTION: I would stand; you rank above me. Do you want to?"""

    rank: int


@dataclass(frozen=True, slots=True)
class Ok:
    """OK: leave it to me."""


@dataclass(frozen=True, slots=True)
class Coordinator:
    """COORDINATOR: this view was chosen and I lead it."""

    view: View


@dataclass(frozen=True, slots=True)
class HandOver:
    """The coordinator of ``epoch`` is frozen and you are equal to it: take over now."""

    epoch: int


# ---- the mirror --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beat:
    """The coordinator's heartbeat to every node. ``stale``: it reaches no majority, do not take this as a sign of
    life.
    """

    view: View
    number: int
    acked: Position
    stale: bool


@dataclass(frozen=True, slots=True)
class BeatOk:
    epoch: int
    incarnation: str
    number: int
    stored: Position
    received: int
    """txid of the last segment that arrived and is being stored; ``stored.txid`` when none is."""
    copy: int
    """Which copy this is: it grows with every boot and every whole copy installed; reports of an older one are void."""
    usable: bool
    """False while the copy is being replaced or is not believed: it needs a whole one."""
    busy: bool
    """The store is being closed, rewound or replaced at this moment; ``stored`` says nothing yet."""
    full: bool
    """Its disk has no room for segments."""


@dataclass(frozen=True, slots=True)
class Append:
    """The envelope of one segment; the shell adds the bytes. ``before`` and ``after`` are positions, ``made`` the
    epoch it was made in.
    """

    epoch: int
    before: Position
    after: Position
    made: int
    acked: Position


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything up to ``stored`` is on my disk, fsynced. ``common``: ship again from there (my copy parts from yours
    after it).
    """

    epoch: int
    incarnation: str
    stored: Position
    received: int
    copy: int
    common: Position | None = None


@dataclass(frozen=True, slots=True)
class Compare:
    """Your position is not on my chain; here are some of mine. Cut what they prove wrong, or tell what we share."""

    epoch: int
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Resync:
    """Your copy number ``copy`` shares nothing with mine that I remember: fetch a whole one from ``source``.

    Obeyed for that copy only: the coordinator counts no word of it any more, but may count those of a later one.
    """

    epoch: int
    source: str
    copy: int


@dataclass(frozen=True, slots=True)
class Unable:
    """I cannot store segments (disk full, refused bytes): go on without me."""

    epoch: int
    incarnation: str
    reason: str


Message = (
    Greet | Remembered | Query | Stat | Prepare | Promise | Accept | Accepted | Nack | Election | Ok | Coordinator
    | HandOver | Beat | BeatOk | Append | Stored | Compare | Resync | Unable
)  # fmt: skip

MESSAGES: Final[dict[str, type[Message]]] = {
    kind.__name__: kind
    for kind in (
        Greet, Remembered, Query, Stat, Prepare, Promise, Accept, Accepted, Nack, Election, Ok, Coordinator,
        HandOver, Beat, BeatOk, Append, Stored, Compare, Resync, Unable,
    )
}  # fmt: skip
"""Every message by its name on the wire."""
