"""The roles of a node: a drawing, and the table that says the same.

::

            ┌─────────────SUSPECT────────────────┐
            │         ┌────STAND_BY────────────┐ │
            │         ▼                        │ ▼
     ┌─► FOLLOWING  WAITING ────SUSPECT────► ASKING ─────STAND─────► PROPOSING
     │                ▲  ▲                   │    ▲                   │     │
   HEARD              │  │            OUTRANKED  SUSPECT              │   CHOSEN
   (from every        │  │                   ▼    │                   │     ▼
   role that          │  └───────────┐      YIELDING                  │  LEADING ───CHANGE──► CHANGING
   does not lead)     │              └────────STAND_BY────────────────┘   │   ▲              ▲   │
                   FENCED: a higher                                     READY └───CHOSEN──────┼───┘
                   epoch was seen                                         ▼                   │
                   (from every role)                                   SERVING ────CHANGE─────┘

Nothing is acknowledged in CHANGING: the acknowledgements are frozen until a view is chosen.
``HANDED`` (the coordinator hands over to this node) goes straight to PROPOSING from FOLLOWING, WAITING or YIELDING;
``FORCED`` (the operator's override) from WAITING to LEADING.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    WAITING = "waiting"
    FOLLOWING = "following"
    ASKING = "asking"
    YIELDING = "yielding"
    PROPOSING = "proposing"
    LEADING = "leading"
    SERVING = "serving"
    CHANGING = "changing"


class Step(StrEnum):
    HEARD = "heard"
    SUSPECT = "suspect"
    OUTRANKED = "outranked"
    STAND = "stand"
    STAND_BY = "stand-by"
    HANDED = "handed"
    CHOSEN = "chosen"
    READY = "ready"
    CHANGE = "change"
    FENCED = "fenced"
    FORCED = "forced"


TRANSITIONS: dict[tuple[Role, Step], Role] = {
    (Role.WAITING, Step.HEARD): Role.FOLLOWING,
    (Role.WAITING, Step.SUSPECT): Role.ASKING,
    (Role.WAITING, Step.HANDED): Role.PROPOSING,
    (Role.WAITING, Step.FENCED): Role.WAITING,
    (Role.WAITING, Step.FORCED): Role.LEADING,
    (Role.FOLLOWING, Step.HEARD): Role.FOLLOWING,
    (Role.FOLLOWING, Step.SUSPECT): Role.ASKING,
    (Role.FOLLOWING, Step.HANDED): Role.PROPOSING,
    (Role.FOLLOWING, Step.FENCED): Role.WAITING,
    (Role.ASKING, Step.HEARD): Role.FOLLOWING,
    (Role.ASKING, Step.OUTRANKED): Role.YIELDING,
    (Role.ASKING, Step.STAND): Role.PROPOSING,
    (Role.ASKING, Step.STAND_BY): Role.WAITING,
    (Role.ASKING, Step.FENCED): Role.WAITING,
    (Role.YIELDING, Step.HEARD): Role.FOLLOWING,
    (Role.YIELDING, Step.SUSPECT): Role.ASKING,
    (Role.YIELDING, Step.HANDED): Role.PROPOSING,
    (Role.YIELDING, Step.FENCED): Role.WAITING,
    (Role.PROPOSING, Step.HEARD): Role.FOLLOWING,
    (Role.PROPOSING, Step.CHOSEN): Role.LEADING,
    (Role.PROPOSING, Step.STAND_BY): Role.WAITING,
    (Role.PROPOSING, Step.FENCED): Role.WAITING,
    (Role.LEADING, Step.READY): Role.SERVING,
    (Role.LEADING, Step.CHANGE): Role.CHANGING,
    (Role.LEADING, Step.FENCED): Role.WAITING,
    (Role.SERVING, Step.CHANGE): Role.CHANGING,
    (Role.SERVING, Step.FENCED): Role.WAITING,
    (Role.CHANGING, Step.CHOSEN): Role.LEADING,
    (Role.CHANGING, Step.FENCED): Role.WAITING,
}

LEADERS = frozenset({Role.LEADING, Role.SERVING, Role.CHANGING})
"""The roles in which this node is the coordinator of a chosen view."""


def after(role: Role, step: Step) -> Role:
    """The next role. Raises ``AssertionError`` for a step that the drawing does not have, and changes nothing."""
    following = TRANSITIONS.get((role, step))
    assert following is not None, f"a node that is {role} cannot take the step {step}"
    return following
