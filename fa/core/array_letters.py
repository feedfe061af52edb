"""What a node does with each message of its peers: one small method per message, found by the message's type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fa.core import array_messages as ms
from fa.core.array_leader import Leader
from fa.core.array_roles import LEADERS, Role, Step
from fa.core.array_seat import Seat
from fa.core.trust import Mark, contradiction
from fa.core.view import Member, View, everyone, has_quorum, newest, on_volume


class Letters:
    """The register's voter, and the doors to election, proposal, mirror and follower."""

    __slots__ = ("_confirmed", "_routes", "_seat", "_state")

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._state = seat.state
        self._confirmed: set[Member] = set()
        self._routes: dict[type[ms.Message], Callable[[str, Any], None]] = {
            ms.Greet: self._greet, ms.Remembered: self._remembered,
            ms.Query: self._query, ms.Stat: self._stat,
            ms.Prepare: self._prepare, ms.Promise: self._promise,
            ms.Accept: self._accept, ms.Accepted: self._accepted, ms.Nack: self._nack,
            ms.Election: self._election, ms.Ok: self._ok, ms.Coordinator: self._coordinator,
            ms.HandOver: self._hand_over,
            ms.Beat: self._beat, ms.BeatOk: self._beat_ok,
            ms.Append: self._append, ms.Stored: self._stored,
            ms.Compare: self._compare, ms.Resync: self._resync, ms.Unable: self._unable,
        }  # fmt: skip

    def read(self, sender: str, message: ms.Message) -> None:
        self._routes[type(message)](sender, message)

    # ---- trust (R8)

    def _greet(self, sender: str, message: ms.Greet) -> None:
        state = self._state
        remembered = state.memory.greeted(state.me.incarnation, sender, message)
        state.send(sender, replace(remembered, view=state.view))

    def _remembered(self, sender: str, message: ms.Remembered) -> None:
        state = self._state
        if message.run != state.config.run:
            return
        mine = state.greeting()
        if state.mark is Mark.RESYNCING:
            mine = replace(mine, txid=message.txid)
        why = contradiction(mine, message, state.replaced)
        if why:
            self._set_back(why)
            return
        self._confirmed.add(Member(sender, message.by))
        state.told = view = newest((state.view, state.told, message.view))
        state.note((message.view,))
        if not state.trusted and view is not None and has_quorum(view.quorums(), self._unopposed(view)):
            state.believe()
            if state.role is Role.WAITING:
                self._seat.election.again_in(state, 0.0)

    def _unopposed(self, view: View) -> set[Member]:
        """The voters that know of nothing that speaks against this disk. A witness reaches no volume, so none can."""
        silent = everyone(view.quorums()) if self._state.config.kind == "witness" else ()
        return {self._state.me, *self._confirmed, *(voter for voter in silent if on_volume(voter.node))}

    def _told_epoch(self, sender: str, incarnation: str, epoch: int) -> None:
        peer = self._state.peers.get(sender)
        if peer:
            self._state.memory.told_epoch(sender, incarnation, peer.run, epoch)

    def _set_back(self, why: str) -> None:
        """This disk is older than it was. It stops leading, and is another member from now on."""
        if self._state.mark is Mark.SUSPECT:
            return
        self._seat.step_down()
        self._state.disown(why)

    # ---- the register: a voter promises and accepts nothing older than it promised, durable before it is told (R4)

    def _query(self, sender: str, message: ms.Query) -> None:
        state = self._state
        if state.votes:
            state.send(sender, self._seat.election.stat(state, message.round))

    def _prepare(self, sender: str, message: ms.Prepare) -> None:
        state = self._state
        if not state.votes:
            return
        if not state.ballot.may_promise(message.epoch):
            state.send(sender, ms.Nack(state.ballot.epoch))
            return
        self._seat.fence(message.epoch)
        state.send(sender, ms.Promise(message.epoch, state.me.incarnation, state.view))

    def _accept(self, sender: str, message: ms.Accept) -> None:
        state = self._state
        if not state.votes:
            return
        if not state.ballot.may_accept(message.view):
            state.send(sender, ms.Nack(state.ballot.epoch))
            return
        self._seat.fence(message.view.epoch)
        state.save(state.ballot.accepting(message.view))
        state.send(sender, ms.Accepted(message.view.epoch, state.me.incarnation))

    def _stat(self, sender: str, message: ms.Stat) -> None:
        voter = Member(sender, message.incarnation)
        leader = self._seat.leader
        if leader:
            leader.heard[voter] = self._state.now
        elif self._seat.election.answered(self._state, voter, message):
            self._seat.stand()

    def _promise(self, sender: str, message: ms.Promise) -> None:
        proposal = self._seat.proposal
        self._told_epoch(sender, message.incarnation, message.epoch)
        if proposal:
            voter = Member(sender, message.incarnation)
            self._seat.settle(proposal.promised(self._state, voter, message))

    def _accepted(self, sender: str, message: ms.Accepted) -> None:
        proposal = self._seat.proposal
        self._told_epoch(sender, message.incarnation, message.epoch)
        if proposal:
            voter = Member(sender, message.incarnation)
            self._seat.settle(proposal.accepted(self._state, voter, message))

    def _nack(self, sender: str, message: ms.Nack) -> None:
        self._seat.fence(message.epoch)
        leader, peer = self._seat.leader, self._state.peers.get(sender)
        if leader and peer:
            leader.heard[peer.member] = self._state.now

    # ---- bully order

    def _election(self, sender: str, message: ms.Election) -> None:
        seat, state = self._seat, self._state
        if seat.leader and state.role is not Role.CHANGING:
            state.send(sender, ms.Coordinator(seat.leader.view))
        elif seat.election.challenged(state, sender):
            seat.stand()

    def _ok(self, sender: str, message: ms.Ok) -> None:
        self._seat.election.outranked(self._state)

    def _coordinator(self, sender: str, message: ms.Coordinator) -> None:
        self._follows(sender, message.view, alive=True)

    def _follows(self, sender: str, view: View, alive: bool) -> bool:
        """Does ``sender`` lead this node by that view? An older one is told so."""
        state = self._state
        if sender != view.coordinator or view.coordinator == state.me.node:
            return False
        if view.epoch < state.ballot.epoch:
            state.send(sender, ms.Nack(state.ballot.epoch))
            return False
        self._seat.follow(view, alive)
        return True

    def _hand_over(self, sender: str, message: ms.HandOver) -> None:
        """Our coordinator is frozen and says that we are equal to it: stand without asking who hears it."""
        state = self._state
        view = state.view
        idle = not state.busy and not state.pending and state.role is Role.FOLLOWING
        ready = state.votes and state.usable and not state.too_new and idle
        if not ready or view is None or sender != view.coordinator or not view.holds(state.me):
            return
        if view.epoch == message.epoch == state.ballot.epoch:
            self._seat.stand(Step.HANDED)

    # ---- the mirror

    def _beat(self, sender: str, message: ms.Beat) -> None:
        seat, state = self._seat, self._state
        if not self._follows(sender, message.view, alive=not message.stale):
            return
        if not state.trusted:
            state.greet()
        state.memory.acknowledged(message.view, message.acked.txid, but=state.me.node)
        if state.config.kind == "data":
            seat.follower.acknowledged(state, message.acked)
        state.send(sender, seat.follower.beat_ok(state, message.number))

    def _append(self, sender: str, message: ms.Append) -> None:
        if self._heeds(sender, message.epoch):
            self._seat.follower.append(self._state, sender, message)

    def _compare(self, sender: str, message: ms.Compare) -> None:
        if self._heeds(sender, message.epoch):
            self._seat.follower.compare(self._state, sender, message)

    def _resync(self, sender: str, message: ms.Resync) -> None:
        if self._heeds(sender, message.epoch) and not self._is_in_sync():
            self._seat.follower.resync(self._state, message)

    def _heeds(self, sender: str, epoch: int) -> bool:
        """Orders of a lower epoch are refused; a higher one is durable before it is obeyed (R4, R5)."""
        state = self._state
        if epoch < state.ballot.epoch:
            state.send(sender, ms.Nack(state.ballot.epoch))
            return False
        self._seat.fence(epoch)
        if state.role in LEADERS:
            return False
        self._seat.hear(sender, epoch)
        return True

    def _is_in_sync(self) -> bool:
        """A copy that the newest view counts on is never thrown away, whoever asks."""
        view = self._state.view
        return view is not None and view.holds(self._state.me)

    def _beat_ok(self, sender: str, message: ms.BeatOk) -> None:
        self._told_epoch(sender, message.incarnation, message.epoch)
        leader = self._current(message.epoch)
        if leader:
            leader.beat_ok(self._state, sender, message)

    def _stored(self, sender: str, message: ms.Stored) -> None:
        leader = self._current(message.epoch)
        if leader:
            leader.stored(self._state, sender, message)

    def _unable(self, sender: str, message: ms.Unable) -> None:
        leader = self._current(message.epoch)
        if leader:
            leader.unable(self._state, sender, message)

    def _current(self, epoch: int) -> Leader | None:
        """The leadership that an answer of this epoch belongs to; an answer of a higher one deposes this node."""
        self._seat.fence(epoch)
        leader = self._seat.leader
        return leader if leader and leader.view.epoch == epoch else None
