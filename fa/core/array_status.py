"""What a person and the API are told about the array, from one node's view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fa.core.array_roles import Role
from fa.core.array_state import State
from fa.core.position import Position
from fa.core.view import Voters, counted, newest

if TYPE_CHECKING:
    from fa.core.array_leader import Leader


@dataclass(frozen=True, slots=True)
class CopyStatus:
    node: str
    position: Position | None
    in_sync: bool
    learning: bool
    round_trip: float | None
    """Seconds that a heartbeat and its answer took."""


@dataclass(frozen=True, slots=True)
class ArrayStatus:
    """``coordinator`` is empty when none is known. ``mirror``: lock-step, solo, syncing or stalled (DESIGN.md section
    4).
    """

    role: str
    epoch: int
    coordinator: str
    in_sync: tuple[str, ...]
    secondaries: tuple[str, ...]
    voters: tuple[str, ...]
    mirror: str
    position: Position
    acked: Position
    copies: tuple[CopyStatus, ...]
    stale: bool
    serving: bool
    why: str
    """Why this node does not lead, or does not serve, as a sentence; empty while it serves."""
    warning: str
    """What the loss of one node would mean, where there is no majority to survive it; empty otherwise."""
    votes: Voters = ()
    """The voters as members: a vote belongs to one incarnation."""
    settled: tuple[str, ...] = ()
    """The voters; during a change those before it, for without a majority of them nobody takes over either."""
    spare: tuple[str, ...] = ()
    """The voters without whom a majority answers all the same; only the coordinator knows."""


def status(state: State, leader: Leader | None) -> ArrayStatus:
    view = state.view
    led = leader is not None or state.role is Role.FOLLOWING
    return ArrayStatus(
        role=state.role,
        epoch=view.epoch if view else 0,
        coordinator=view.coordinator if view and led else "",
        in_sync=tuple(member.node for member in view.in_sync) if view else (),
        secondaries=view.secondaries() if view else (),
        voters=tuple(voter.node for voter in view.voters) if view else (),
        mirror=_mirror(state, leader),
        position=state.chain.end,
        acked=state.acked,
        copies=_copies(leader),
        stale=leader.stale if leader else False,
        serving=state.role is Role.SERVING,
        why=state.why,
        warning=_warning(view.voters) if view else "",
        votes=view.voters if view else (),
        settled=tuple(voter.node for voter in view.prev) if view else (),
        spare=tuple(voter.node for voter in view.voters if leader.spares(state, voter)) if view and leader else (),
    )


def _mirror(state: State, leader: Leader | None) -> str:
    view = state.view
    if view is None or state.role not in (Role.SERVING, Role.FOLLOWING):
        return "stalled"
    if view.secondaries():
        return "stalled" if leader and (leader.stale or leader.short) else "lock-step"
    return "syncing" if leader and leader.supply.learners else "solo"


def _copies(leader: Leader | None) -> tuple[CopyStatus, ...]:
    if leader is None:
        return ()
    return tuple(
        CopyStatus(node, copy.stored, leader.view.holds(copy.member), node in leader.supply.learners, copy.round_trip)
        for node, copy in sorted(leader.mirror.copies.items())
    )


def _warning(voters: Voters) -> str:
    votes = counted(voters)
    if len(votes) > 1 or len(voters) < 2:
        return ""
    return (
        f"The only vote that counts is {votes[0].node}'s: if it is lost, nobody takes over by himself. "
        "Add a third vote: a witness on a volume, `fa witness` on any third box, or a third server."
    )


_UNKNOWN = "since this node started nobody told it what of that is acknowledged."


def force_report(state: State) -> str:
    """What an operator has to know before he forces this node to lead.

    The view that counts is the newest one heard of: perhaps others chose it without this node."""
    if state.view is None:
        return f"{state.me.node} holds no copy of the job store: it cannot be forced to lead."
    view = newest((state.view, state.closed, state.told))
    assert view is not None, "one of them is"
    led = "this node leads" if view.coordinator == state.me.node else f"{view.coordinator} leads"
    mirrored = ", ".join(view.secondaries())
    complete = view.holds(state.me)
    lines = [
        f"The copy on {state.me.node} ends at transaction {state.chain.end.txid}; "
        + (f"up to {state.acked.txid} is known here to be acknowledged." if state.acked.txid else _UNKNOWN),
        f"The newest view known here is epoch {view.epoch}: {led}, in sync with it: {mirrored or 'nobody else'}.",
    ]
    if complete and state.usable:
        lines.append(
            "This copy was in that view's in-sync set. If there is no newer view, nothing acknowledged is lost."
        )
    else:
        lines.append(
            f"This copy was not in sync: everything acknowledged after transaction {state.chain.end.txid} is lost."
        )
    lines.append("Only its own vote counts from then on: the others have to be given theirs again.")
    lines.append(
        "If another node leads at this moment, or comes back later, what it acknowledged on its own is thrown away."
    )
    return "\n".join(lines)
