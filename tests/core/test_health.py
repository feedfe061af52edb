"""A node on which a factory keeps failing while it succeeds elsewhere is quarantined for it; bad sources are nobody's
fault."""

from __future__ import annotations

import pytest

from fa.core import health as rules
from fa.core.health import Health, Verdict
from fa.core.model import Group

PROXY, HEVC = Group(1, "proxy", "cpu", 1, ()), Group(2, "hevc", "cpu", 1, ())


def everybody(_: Group) -> frozenset[str]:
    return frozenset("abc")


def fails(health: Health, node: str, *tasks: int, group: Group = PROXY) -> None:
    for task in tasks:
        assert health.failed(node, group, task) == (), "nothing is known of it yet"


def test_three_tasks_that_then_succeed_elsewhere() -> None:
    health = Health(everybody)
    fails(health, "a", 1, 2, 3)
    fails(health, "a", 1, 2, 3, group=HEVC)
    assert health.succeeded("b", PROXY, 1) == health.succeeded("c", PROXY, 2) == ()
    verdict = Verdict("a", "proxy", "3 failures in a row, while it succeeds on b, c")
    assert health.succeeded("b", PROXY, 3) == (verdict,)
    assert health.succeeded("b", HEVC, 1) == (), "each factory for itself"


def test_bad_sources_are_nobodys_fault() -> None:
    health = Health(everybody)
    health.succeeded("a", PROXY, 1)
    health.succeeded("b", PROXY, 2)
    for task in range(3, 9):
        first, second = ("a", "b") if task % 2 else ("b", "a")
        fails(health, first, task)
        fails(health, second, task)
        assert health.failed(first, PROXY, task, final=True) == ()
        assert health.succeeded("b" if task % 2 else "a", PROXY, 100 + task) == ()


def test_what_is_found_to_be_the_sources_fault_does_not_count() -> None:
    health = Health(everybody)
    fails(health, "a", 1, 2, 3)
    assert health.forget(PROXY, 1) == ["a"]
    assert [health.succeeded("b", PROXY, task) for task in (1, 2, 3)] == [(), (), ()], "it was another source then"


def test_what_came_later_was_missed_by_nobody() -> None:
    health = Health(everybody)
    for task in range(9):
        fails(health, "a", task)
        fails(health, "b", task)
        assert health.succeeded("b", PROXY, task) == (), "b itself has failed at it before"


def test_who_fails_with_others_is_judged_with_them() -> None:
    health = Health(everybody)
    for node in "ca":
        fails(health, node, 1, 2, 3)
    assert health.succeeded("b", PROXY, 1) == health.succeeded("b", PROXY, 2) == ()
    assert [verdict.node for verdict in health.succeeded("b", PROXY, 3)] == ["a", "c"]


def test_what_is_tried_nowhere_else_counts_while_others_succeed() -> None:
    """A factory with one attempt would never be decided, and one bad node would fail the whole queue."""
    health = Health(everybody)
    for task in (1, 2, 3):
        assert health.failed("a", PROXY, task, final=True) == (), "it may be the recipe"
    assert [verdict.node for verdict in health.succeeded("b", PROXY, 4)] == ["a"]
    assert health.failed("b", PROXY, 5, final=True) == (), "b has failed since"


def test_a_success_between_starts_the_count_anew() -> None:
    health = Health(everybody)
    fails(health, "a", 1, 2, 3)
    assert health.succeeded("a", PROXY, 4) == ()
    assert [health.succeeded("b", PROXY, task) for task in (1, 2, 3)] == [(), (), ()]


def test_a_verdict_is_repeated_until_it_is_known_to_be_carried_out() -> None:
    health = Health(everybody)
    fails(health, "a", 1, 2, 3)
    assert [len(health.succeeded("b", PROXY, task)) for task in (1, 2, 3, 9)] == [0, 0, 1, 1]
    assert len(health.failed("a", PROXY, 4)) == 1
    health.quarantine("a", "proxy")
    assert health.succeeded("b", PROXY, 4) == ()
    assert health.factories_of("a") == ("proxy",)
    assert health.factories_of("b") == ()


def test_who_is_released_has_to_fail_as_often_again() -> None:
    health = Health(everybody)
    fails(health, "a", 1, 2, 3)
    for task in (1, 2, 3):
        health.succeeded("b", PROXY, task)
    health.quarantine("a", "proxy")
    health.release("a", "proxy")
    assert health.factories_of("a") == ()
    fails(health, "a", 4, 5, 6)
    assert [len(health.succeeded("b", PROXY, task)) for task in (4, 5, 6)] == [0, 0, 1]


def test_no_more_is_remembered_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "UNDECIDED_MAX", 3)
    health = Health(everybody)
    fails(health, "a", *range(1, 5))
    assert [len(health.succeeded("b", PROXY, task)) for task in range(1, 5)] == [0, 0, 0, 1]
