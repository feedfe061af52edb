"""The array as one node sees it: joins election, register, mirror and trust into one machine.

``step(event, now)`` takes one event and returns what to do about it, in order; ``deadline`` says when to be woken
with ``Woken``. The machine does no I/O, reads no clock, and draws chance only from the ``Random`` it was given.

The safety argument, in one place:

1. An acknowledged segment is on the disk of every in-sync member of the coordinator's view (``mirror``), and the
   coordinator has proposed nothing else since.
2. Views form one chain through the register (``view``, ``array_proposal``); the next one is derived from the newest
   that may have been chosen, by one of its in-sync members, and keeps a part of that set, plus learners proven equal
   while nothing could be acknowledged.
3. So the next coordinator has everything that was acknowledged. It makes the others equal to itself before it serves.
4. The old one cannot acknowledge any more: it needs every member of its set, and the new coordinator, a member of it,
   refuses its epoch.
5. All this rests on disks that do not forget; ``trust`` is there for those that do. No step rests on a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from fa.core import array_events as ev
from fa.core.array_chain import Chain, Link
from fa.core.array_effects import Alarm, Effect, Exit, RefuseLink, SaveMarks, SaveUnproven
from fa.core.array_follower import BOOT_STRIDE
from fa.core.array_leader import FULL
from fa.core.array_letters import Letters
from fa.core.array_messages import Hello, Unable, Unproven
from fa.core.array_requests import Requests
from fa.core.array_roles import Role
from fa.core.array_seat import Seat
from fa.core.array_state import PROTOCOL, Config, Peer, State
from fa.core.array_status import ArrayStatus, force_report, status
from fa.core.election import FOREVER
from fa.core.trust import Mark, Memory
from fa.core.view import Member

MARKS_EVERY = 5.0
"""Seconds between two savings of what is remembered of the peers."""


class Array:
    """One node's part in the array. One event at a time."""

    def __init__(self, config: Config, rng: Random) -> None:
        self._state = State(config, rng)
        self._seat = Seat(self._state)
        self._letters = Letters(self._seat)
        self._requests = requests = Requests(self._seat)
        self._marks_at = FOREVER
        self._handlers: dict[type[ev.Event], Callable[[Any], None]] = {
            ev.Received: self._on_received, ev.Woken: self._on_woken, ev.Committed: self._on_committed,
            ev.SegmentStored: self._on_segment_stored, ev.SegmentRefused: self._on_segment_refused,
            ev.Frozen: self._on_frozen, ev.SegmentMissing: self._on_segment_missing, ev.Started: self._on_started,
            ev.LinkUp: self._on_link_up, ev.LinkDown: self._on_link_down, ev.NotLetIn: self._on_not_let_in,
            ev.SchemaFound: self._on_schema_found, ev.WriterClosed: self._on_writer_closed,
            ev.Rewound: self._on_rewound, ev.RewindFailed: self._on_rewind_failed,
            ev.CopyInstalled: self._on_copy_installed, ev.CopyFailed: self._on_copy_failed,
            ev.StoreFailed: self._on_store_failed, ev.StoreFull: self._on_store_full,
            ev.StoreStalled: self._on_store_stalled,
            ev.WitnessAnswer: self._on_witness_answer, ev.AddNode: requests.add_node,
            ev.RemoveNode: requests.remove_node, ev.ReplaceVoter: requests.replace_voter,
            ev.SwitchOver: requests.switch_over, ev.ReadBarrier: requests.read_barrier, ev.Force: requests.force,
        }  # fmt: skip

    # ---- the door

    def step(self, event: ev.Event, now: float) -> list[Effect]:
        """Take one event; return the effects, to be performed in order."""
        state = self._state
        state.now = now
        state.effects = []
        self._handlers[type(event)](event)
        self._tend()
        return state.effects

    @property
    def deadline(self) -> float | None:
        """When ``Woken`` is due, on the clock of ``now``; None: never."""
        at = min(self._seat.deadline(), self._marks_at)
        return None if at == FOREVER else at

    def status(self) -> ArrayStatus:
        """A value for people and for the API; changes nothing."""
        return status(self._state, self._seat.leader)

    def force_report(self) -> str:
        """What ``Force`` may lose, as sentences for the operator to read before he confirms it."""
        return force_report(self._state)

    def is_up(self, node: str) -> bool:
        """Is there a link to this node, and may it take part?"""
        return self._state.is_up(node)

    def hello(self) -> Hello:
        """What to say first on a new link."""
        return self._state.hello()

    # ---- what follows from any event

    def _tend(self) -> None:
        """A coordinator looks whether its view should change; new marks of peers are to be saved some time."""
        state, leader = self._state, self._seat.leader
        if leader and state.role in (Role.LEADING, Role.SERVING):
            wish = leader.wish(state)
            if wish:
                self._seat.change(wish)
        if state.memory.changed and self._marks_at == FOREVER:
            self._marks_at = state.now + MARKS_EVERY

    def _on_woken(self, event: ev.Woken) -> None:
        state, seat = self._state, self._seat
        if seat.proposal and state.now >= seat.proposal.until:
            seat.proposal_expired()
        if seat.election.tick(state):
            seat.stand()
        if seat.leader:
            seat.leader.tick(state)
        if state.now >= self._marks_at:
            self._marks_at = FOREVER
            state.memory.changed = False
            state.emit(SaveMarks(state.memory.all()))

    # ---- birth

    def _on_started(self, event: ev.Started) -> None:
        """A restarted coordinator never resumes its epoch: it stands like anybody else, and takes a new one (R6)."""
        state = self._state
        state.me = Member(state.me.node, event.incarnation)
        state.mark, state.boots, state.ballot = event.mark, event.boots, event.ballot
        state.unproven = (event.unproven or Unproven(event.boots, event.ballot.epoch)).booted(state.config.run)
        state.emit(SaveUnproven(state.unproven))
        state.copy, state.replaced = event.boots * BOOT_STRIDE, event.replaced
        state.chain = Chain(event.chain)
        state.memory = Memory(event.marks)
        if event.mark is Mark.SUSPECT:
            state.disown("its disk failed before the last stop")
        state.alone_at = state.now + (state.config.suspect_after if self._knows_others() else 0.0)
        self._seat.election.suspect_at = state.now
        if self._seat.election.tick(state):
            self._seat.stand()

    def _knows_others(self) -> bool:
        view, me = self._state.view, self._state.me
        return view is not None and any(member != me for member in (*view.in_sync, *view.voters, *view.prev))

    # ---- links and messages

    def _on_received(self, event: ev.Received) -> None:
        self._letters.read(event.sender, event.message)

    def _on_link_up(self, event: ev.LinkUp) -> None:
        state, hello = self._state, event.hello
        known = state.peers.get(event.peer)
        refusal = self._refusal(event.peer, hello, known)
        if refusal:
            state.emit(RefuseLink(event.peer, refusal))
            state.emit(Alarm("link-refused", refusal))
            return
        state.peers[event.peer] = Peer(
            event.peer,
            hello.incarnation,
            hello.kind,
            hello.rank,
            hello.run,
            True,
            state.now,
            hello.schema,
            hello.mirror,
        )
        state.shunned.pop(event.peer, None)
        state.send(event.peer, state.greeting())
        if self._seat.leader:
            self._seat.leader.beat(state)
        else:
            self._seat.election.met(state, event.peer)

    def _refusal(self, peer: str, hello: Hello, known: Peer | None) -> str:
        """Why this peer may not take part, as a sentence (scenarios 15, 16, 17); empty: it may."""
        state = self._state
        if hello.array_id != state.config.array_id:
            return (
                f"{peer} belongs to another array ({hello.array_id}), this one is {state.config.array_id}: "
                "correct its address, or join it to this one"
            )
        if hello.protocol != PROTOCOL:
            return (
                f"{peer} speaks version {hello.protocol}, this node speaks {PROTOCOL}: "
                "install the same version of fa on both"
            )
        if hello.node != peer or peer == state.me.node:
            return f"two nodes call themselves {hello.node}: one is a clone; stop it and join it under another name"
        if known and known.up and known.run != hello.run and known.incarnation == hello.incarnation:
            return f"a second process runs as {peer}: one is a clone; stop it and join it under another name"
        return ""

    def _on_link_down(self, event: ev.LinkDown) -> None:
        state, seat = self._state, self._seat
        peer = state.peers.get(event.peer)
        if peer is None:
            return
        peer.up = False
        if not event.refused:
            return
        if seat.leader:
            seat.leader.gone(event.peer)
        elif seat.follower.coordinator == event.peer and state.role is Role.FOLLOWING:
            seat.election.lost(state)
            if seat.election.tick(state):
                seat.stand()

    def _on_not_let_in(self, event: ev.NotLetIn) -> None:
        """Scenario 15: perhaps this is the clone of a node that lives."""
        self._state.shunned[event.peer] = event.reason

    def _on_witness_answer(self, event: ev.WitnessAnswer) -> None:
        """An answer that comes later than ``witness_timeout`` is void (R13)."""
        volume, asked_at = self._state.calls.pop(event.call, ("", 0.0))
        late = self._state.now - asked_at > self._state.config.witness_timeout
        if volume and not late and event.message is not None:
            self._letters.read(volume, event.message)

    # ---- the store

    def _on_schema_found(self, event: ev.SchemaFound) -> None:
        self._state.schema = event.version

    def _on_committed(self, event: ev.Committed) -> None:
        """Whatever role this node has by now, the commit is on its chain; only a coordinator ships it."""
        state, leader = self._state, self._seat.leader
        state.chain.append(Link(event.position, event.epoch))
        if leader:
            leader.committed(state, event.position, event.epoch)

    def _on_writer_closed(self, event: ev.WriterClosed) -> None:
        self._state.busy = ""

    def _on_frozen(self, event: ev.Frozen) -> None:
        leader = self._seat.leader
        if leader:
            leader.changes.frozen()
            leader.look()

    def _on_segment_stored(self, event: ev.SegmentStored) -> None:
        self._seat.follower.stored(self._state, event.position)

    def _on_segment_refused(self, event: ev.SegmentRefused) -> None:
        self._seat.follower.refused(self._state, event.position, event.reason)

    def _on_segment_missing(self, event: ev.SegmentMissing) -> None:
        if self._seat.leader:
            self._seat.leader.missing(self._state, event.peer)

    def _on_rewound(self, event: ev.Rewound) -> None:
        self._seat.follower.rewound(self._state, event.position)

    def _on_rewind_failed(self, event: ev.RewindFailed) -> None:
        self._state.busy = ""
        self._state.disown(f"it could not be taken back: {event.reason}")

    def _on_copy_installed(self, event: ev.CopyInstalled) -> None:
        self._seat.follower.installed(self._state, event.position, event.epoch)

    def _on_copy_failed(self, event: ev.CopyFailed) -> None:
        self._state.busy = ""
        self._state.why = f"no whole copy could be fetched: {event.reason}"

    def _on_store_failed(self, event: ev.StoreFailed) -> None:
        """A failed fsync is never tried again: its pages may be gone. The mark survives, the process does not.

        Rot leaves no mark: what was written before is in the segments too, and the next start proves the copy by its
        checksum, or marks it. A mark would cost the array a vote, and perhaps the only complete copy."""
        state = self._state
        if not event.rotten:
            state.mark = Mark.SUSPECT
            state.save_identity()
        state.emit(Exit(f"the store failed: {event.reason}"))

    def _on_store_full(self, event: ev.StoreFull) -> None:
        state, leader = self._state, self._seat.leader
        news, state.full = event.full != state.full, event.full
        if not event.full:
            return
        if news:
            state.emit(Alarm("store-full", f"The disk of the job store on {state.me.node} is full."))
        if leader:
            leader.changes.make_room(state, leader)
        elif news and self._seat.follower.coordinator:
            unable = Unable(state.ballot.epoch, state.me.incarnation, FULL)
            state.send(self._seat.follower.coordinator, unable)

    def _on_store_stalled(self, event: ev.StoreStalled) -> None:
        """A coordinator whose disk hangs can acknowledge nothing: its heartbeats do not count, so that others lead."""
        self._state.stalled = event.stalled
        if event.stalled:
            self._state.emit(Alarm("store-stalled", f"The disk of the job store on {self._state.me.node} hangs."))
        if self._seat.leader:
            self._seat.leader.beat(self._state)
