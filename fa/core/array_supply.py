"""Bringing the other copies up to date: segment by segment, by comparing histories, or as a whole."""

from __future__ import annotations

from fa.core.array_effects import Ship
from fa.core.array_messages import Append, BeatOk, Compare, Resync, Stored
from fa.core.array_roles import Role
from fa.core.array_state import State
from fa.core.mirror import Copy, Mirror
from fa.core.position import Position

COMPARED_MAX = 256
"""Positions in one ``Compare``; far more than a coordinator ever has unacknowledged."""
TOO_FAR = "its copy cannot be brought up to date segment by segment"


class Supply:
    """Ships under one view. ``learners``: the nodes, not yet in sync, that are being brought up to date."""

    __slots__ = ("_mirror", "learners")

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self.learners: tuple[str, ...] = ()

    # ---- what a copy said

    def heard(self, state: State, copy: Copy, answer: BeatOk) -> None:
        """A heartbeat came back with the state of the copy."""
        lost = answer.received == copy.received < copy.sent
        copy.received = answer.received
        if not answer.usable:
            self.seed(state, copy, spares=True)
        elif self._confirm(state, copy, answer.stored):
            if lost:
                copy.sent = max(answer.received, answer.stored.txid)
            self.ship(state, copy)
        else:
            self._compare(state, copy, answer.stored)

    def stored(self, state: State, copy: Copy, answer: Stored) -> None:
        """It fsynced a segment, or tells what it has because a segment did not fit."""
        copy.received = answer.received
        copy.usable = True
        if self._confirm(state, copy, answer.stored):
            self.ship(state, copy)
        elif answer.common is not None and answer.common in state.chain:
            self._ship_from(state, copy, answer.common.txid)
        else:
            self._compare(state, copy, answer.stored)

    def _confirm(self, state: State, copy: Copy, position: Position) -> bool:
        before = copy.stored
        if not self._mirror.confirm(copy, position):
            return False
        if copy.stored != before or copy.stored == state.chain.end:
            copy.moved_at = state.now
        return True

    # ---- what it is given

    def ship_all(self, state: State) -> None:
        for copy in self._mirror.copies.values():
            self.ship(state, copy)

    def ship(self, state: State, copy: Copy) -> None:
        """Send what follows on what it holds or what is on the way."""
        if copy.usable and copy.stored is not None:
            self._ship_from(state, copy, max(copy.sent, copy.stored.txid))

    def _ship_from(self, state: State, copy: Copy, txid: int) -> None:
        """Send what follows ``txid``, as much as may be in flight. A frozen coordinator ships nothing: its epoch is
        over.
        """
        end = state.chain.end.txid
        if txid >= end or state.role is Role.CHANGING or not self._is_wanted(copy):
            return
        base = copy.stored.txid if copy.stored else txid
        stop = min(end, base + state.config.ship_window)
        before = state.chain.at(txid)
        while before is not None and txid < stop:
            txid += 1
            link = state.chain.at(txid)
            assert link is not None, "the chain has no gap"
            append = Append(self._mirror.view.epoch, before.position, link.position, link.epoch, state.acked)
            state.emit(Ship(copy.member.node, append))
            before = link
        copy.sent = max(copy.sent, txid)
        if before is None:
            self.seed(state, copy)

    def seed(self, state: State, copy: Copy, spares: bool = False) -> None:
        """A learner whose copy is useless fetches a whole one; a member with a useless copy has to leave first.

        ``spares``: also a node that is no learner; it cannot vote before its disk may be used again. Never while the
        view is changing: the next one may count on this very copy.
        """
        if state.role is Role.CHANGING:
            return
        copy.void()
        view = self._mirror.view
        if view.holds(copy.member):
            copy.trouble = TOO_FAR
        elif spares or copy.member.node in self.learners:
            copy.tries = copy.tries + 1 if copy.useless == copy.number else 0
            copy.useless = copy.number
            state.send(copy.member.node, Resync(view.epoch, self._source(state, copy), copy.number))

    def _source(self, state: State, copy: Copy) -> str:
        """Where to fetch a whole copy: from a secondary that is there, to spare the coordinator, else from us. Another
        one at each try, for the two may not reach each other.
        """
        sources = [node for node in self._mirror.view.secondaries() if self._is_fit(state, self._mirror.copies[node])]
        sources.append(state.me.node)
        return sources[copy.tries % len(sources)]

    def _is_fit(self, state: State, copy: Copy) -> bool:
        lately = state.now - copy.heard_at < state.config.suspect_after
        return lately and state.is_up(copy.member.node) and not copy.trouble

    def _compare(self, state: State, copy: Copy, position: Position) -> None:
        """Its history is not ours: show it where we stand, so that it finds where they part."""
        if not self._is_wanted(copy) or state.role is Role.CHANGING:
            return
        positions = state.chain.last(COMPARED_MAX, position.txid + 1)
        if positions and position.txid >= positions[0].txid:
            state.send(copy.member.node, Compare(self._mirror.view.epoch, positions))
        else:
            self.seed(state, copy)

    def _is_wanted(self, copy: Copy) -> bool:
        return copy.member.node in self.learners or self._mirror.view.holds(copy.member)
