"""A copy that follows: which segments it takes, when it cuts its own tail, when it is replaced as a whole.

R5: a segment of a lower epoch is refused; a segment must follow exactly where this copy ends. A tail is cut only on
*proof* that the coordinator's history is another one: it names a position with a txid that this copy has with another
checksum. A coordinator of a chosen view holds everything acknowledged, so what it contradicts was never acknowledged;
a late or doubled message proves nothing and cuts nothing.
"""

from __future__ import annotations

from fa.core.array_chain import Link
from fa.core.array_effects import Apply, FetchCopy, Rewind, StoreSegment
from fa.core.array_messages import Append, BeatOk, Compare, Resync, Stored, Unable
from fa.core.array_state import State
from fa.core.position import Position
from fa.core.trust import Mark

REFUSALS_MAX = 3
BOOT_STRIDE = 1_000_000
"""``State.copy`` counts whole copies within a boot below this, and boots above it."""


class Follower:
    """Stores what the coordinator ships. ``State.pending`` holds what the shell is writing."""

    __slots__ = ("_broken", "_refusals", "coordinator")

    def __init__(self) -> None:
        self.coordinator = ""
        self._refusals = 0
        self._broken = False
        """Segments are being refused; none is taken until the last one that is queued has been."""

    # ---- segments

    def append(self, state: State, sender: str, append: Append) -> None:
        self.coordinator = sender
        if not state.usable or state.busy or self._broken:
            return
        if append.before == self._end(state):
            state.pending.append(append)
            state.emit(StoreSegment(sender, append))
        elif self._conflicts(state, append):
            self._rewind(state, append.before)
        else:
            self._report(state)
        self.acknowledged(state, append.acked)

    def stored(self, state: State, position: Position) -> None:
        append = state.pending.pop(0)
        assert append.after == position, f"stored {position} while {append.after} was next"
        self._refusals = 0
        state.chain.append(Link(position, append.made))
        self._report(state)
        self.acknowledged(state, append.acked)

    def refused(self, state: State, position: Position, reason: str) -> None:
        """The bytes were bad. What was queued behind them is refused too; then they are asked for again, and after
        some times this node gives up its place.
        """
        append = state.pending.pop(0)
        assert append.after == position, f"refused {position} while {append.after} was next"
        self._broken = bool(state.pending)
        if self._broken:
            return
        self._refusals += 1
        if self._refusals < REFUSALS_MAX:
            self._report(state)
        elif self.coordinator:
            state.send(self.coordinator, Unable(state.ballot.epoch, state.me.incarnation, reason))

    def acknowledged(self, state: State, position: Position) -> None:
        """Apply what the coordinator says is everywhere, as far as it is here."""
        if position.txid > state.acked.txid and not state.busy and position in state.chain:
            state.acked = position
            state.emit(Apply(position))

    def beat_ok(self, state: State, number: int) -> BeatOk:
        end, received = state.chain.end, self._end(state).txid
        epoch, incarnation, busy = state.ballot.epoch, state.me.incarnation, bool(state.busy)
        return BeatOk(epoch, incarnation, number, end, received, state.copy, state.usable, busy, state.full)

    # ---- another history

    def compare(self, state: State, sender: str, compare: Compare) -> None:
        """Find where the histories part: cut what is proven wrong, or say what is shared so that shipping goes on
        from there.
        """
        self.coordinator = sender
        if not state.usable or state.busy or state.pending:
            return
        common = max((position for position in compare.positions if position in state.chain), default=None)
        if common is None:
            reason = "its history shares nothing with the coordinator's"
            state.send(sender, Unable(state.ballot.epoch, state.me.incarnation, reason))
        elif self._proves(state, compare, common):
            self._rewind(state, common)
        else:
            self._report(state, common)

    def rewound(self, state: State, position: Position) -> None:
        state.busy = ""
        state.chain.cut(position)
        self._report(state)

    def resync(self, state: State, order: Resync) -> None:
        """This copy is useless to the coordinator: mark it so, then fetch a whole one (the mark survives a crash)."""
        if state.busy or state.pending or order.copy != state.copy:
            return
        state.mark = Mark.RESYNCING
        state.busy = "fetching a copy"
        state.replaced = state.ballot.epoch
        state.save_identity()
        state.emit(FetchCopy(order.source))

    def installed(self, state: State, position: Position, epoch: int) -> None:
        state.busy = ""
        state.chain.restart(Link(position, epoch))
        state.acked = position
        state.copy += 1
        state.mark = Mark.OK
        state.save_identity()
        self._report(state)

    def _conflicts(self, state: State, append: Append) -> bool:
        """Does this segment prove that our tail after ``before`` is another history?"""
        return not state.pending and append.before in state.chain and state.chain.refutes(append.after)

    def _proves(self, state: State, compare: Compare, common: Position) -> bool:
        return any(position.txid == common.txid + 1 and state.chain.refutes(position) for position in compare.positions)

    def _rewind(self, state: State, to: Position) -> None:
        if to.txid < state.acked.txid:
            state.disown(
                f"the coordinator's history leaves this copy's at {to}, before what was acknowledged at {state.acked}"
            )
            return
        state.busy = "rewinding"
        state.emit(Rewind(to))

    def _end(self, state: State) -> Position:
        return state.pending[-1].after if state.pending else state.chain.end

    def _report(self, state: State, common: Position | None = None) -> None:
        if self.coordinator:
            received = self._end(state).txid
            state.send(
                self.coordinator,
                Stored(state.ballot.epoch, state.me.incarnation, state.chain.end, received, state.copy, common),
            )
