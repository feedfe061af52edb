"""The table of roles is closed, and its drawing says the same."""

from __future__ import annotations

import pytest

from fa.core import array_roles
from fa.core.array_roles import LEADERS, TRANSITIONS, Role, Step, after


def test_what_is_not_in_the_table_raises() -> None:
    with pytest.raises(AssertionError, match="waiting cannot take the step ready"):
        after(Role.WAITING, Step.READY)


def test_every_role_can_be_fenced_into_waiting() -> None:
    assert all(after(role, Step.FENCED) is Role.WAITING for role in Role)


def test_every_role_is_reached_and_drawn() -> None:
    assert set(TRANSITIONS.values()) == set(Role)
    drawing = array_roles.__doc__ or ""
    assert all(role.name in drawing for role in Role)
    assert all(step.name in drawing for step in Step)


def test_only_a_chosen_view_makes_a_leader() -> None:
    entries = {step for (role, step), to in TRANSITIONS.items() if to in LEADERS and role not in LEADERS}
    assert entries == {Step.CHOSEN, Step.FORCED}
