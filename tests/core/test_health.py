"""A node on which a factory keeps failing while it succeeds elsewhere is quarantined for it."""

from __future__ import annotations

import pytest

from fa.core import health as health_module
from fa.core.health import Health, Verdict


def test_three_failures_in_a_row_while_it_succeeds_elsewhere() -> None:
    health = Health()
    assert health.succeeded("b", "proxy") == ()
    assert health.failed("a", "proxy") == health.failed("a", "proxy") == ()
    verdict = Verdict("a", "proxy", "3 failures in a row, while it succeeds on b")
    assert health.failed("a", "proxy") == (verdict,)
    assert health.failed("a", "hevc") == (), "each factory for itself"


def test_the_success_elsewhere_may_come_later() -> None:
    health = Health()
    for name in ("c", "a", "c", "a", "c", "a", "d"):
        assert health.failed(name, "proxy") == (), "it fails everywhere: the recipe or the sources are to blame"
    assert [verdict.node for verdict in health.succeeded("b", "proxy")] == ["a", "c"]


def test_a_success_between_starts_the_count_anew() -> None:
    health = Health()
    health.succeeded("b", "proxy")
    for _ in range(2):
        health.failed("a", "proxy")
    assert health.succeeded("a", "proxy") == ()
    for _ in range(2):
        assert health.failed("a", "proxy") == ()
    assert health.failed("b", "proxy") == ()
    assert health.failed("a", "proxy") == (), "b has failed since"


def test_a_verdict_is_repeated_until_it_is_known_to_be_carried_out() -> None:
    health = Health()
    health.succeeded("b", "proxy")
    assert [len(health.failed("a", "proxy")) for _ in range(4)] == [0, 0, 1, 1]
    health.quarantine("a", "proxy")
    assert health.failed("a", "proxy") == ()
    assert health.factories_of("a") == ("proxy",)
    assert health.factories_of("b") == ()


def test_who_is_released_has_to_fail_as_often_again() -> None:
    health = Health()
    health.succeeded("b", "proxy")
    for _ in range(3):
        health.failed("a", "proxy")
    health.quarantine("a", "proxy")
    health.release("a", "proxy")
    assert health.factories_of("a") == ()
    assert [len(health.failed("a", "proxy")) for _ in range(3)] == [0, 0, 1]


def test_who_does_not_see_what_another_node_used_has_failed() -> None:
    health = Health()
    health.succeeded("b", "proxy")
    for task in range(3):
        health.doubted(task, "a")
    assert [len(health.settled(task, "b", "proxy")) for task in range(4)] == [0, 0, 1, 0], "nobody doubted the last"


def test_what_came_later_was_missed_by_nobody() -> None:
    health = Health()
    health.succeeded("b", "proxy")
    for task in range(9):
        health.doubted(task, "a")
        health.doubted(task, "b")
        assert health.settled(task, "b", "proxy") == (), "b itself has missed it before"


def test_old_doubts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "DOUBTS_KEPT", 2)
    health = Health()
    health.succeeded("b", "proxy")
    for task in range(5):
        health.doubted(task, "a")
    assert [len(health.settled(task, "b", "proxy")) for task in range(5)] == [0] * 5, "of two it is not enough"
