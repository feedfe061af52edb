"""When a request is tried again, and at which door."""

from __future__ import annotations

import pytest

from fa.client.retry import Retry, Trouble

REFUSED, LOST, BUSY = Trouble.REFUSED, Trouble.LOST, Trouble.BUSY


def test_a_door_that_never_opened_is_reported_at_once() -> None:
    assert Retry(1, 0, False, 0.0).after(REFUSED, 0.0) is None


def test_every_door_is_tried_before_that() -> None:
    retry = Retry(3, 1, False, 0.0)
    assert [retry.after(REFUSED, 0.0), retry.door] == [0.0, 2]
    assert [retry.after(REFUSED, 0.0), retry.door] == [0.0, 0]
    assert retry.after(REFUSED, 0.0) is None


def test_a_door_that_was_open_is_waited_for_with_longer_pauses() -> None:
    retry = Retry(1, 0, True, 0.0)
    assert [retry.after(REFUSED, 1.0) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]


def test_a_lost_connection_goes_to_the_next_node() -> None:
    retry = Retry(2, 0, False, 0.0)
    assert retry.after(LOST, 0.0) == 0.1
    assert retry.door == 1
    assert retry.after(REFUSED, 0.0) == 0.0, "the first node is tried again, it answered before"
    assert retry.door == 0


def test_a_busy_node_is_asked_again_when_it_says() -> None:
    retry = Retry(2, 0, False, 0.0)
    assert retry.after(BUSY, 0.0, retry_after=3.0) == 3.0
    assert retry.door == 0


@pytest.mark.parametrize(("now", "wait"), [(29.9, 0.1), (29.95, None), (31.0, None)])
def test_patience_ends(now: float, wait: float | None) -> None:
    assert Retry(1, 0, True, 0.0, patience=30.0).after(LOST, now) == wait


def test_waiting_longer_than_patience_is_not_begun() -> None:
    assert Retry(1, 0, True, 0.0, patience=5.0).after(BUSY, 0.0, retry_after=6.0) is None
