"""What may be acknowledged."""

from __future__ import annotations

import pytest

from fa.core.array_chain import Chain, Link
from fa.core.mirror import Copy, Mirror
from fa.core.position import Position
from fa.core.view import Member, View

A, B, C = (Member(name, f"{name}.1") for name in "abc")


def at(txid: int) -> Position:
    return Position(txid, 100 + txid)


@pytest.fixture
def mirror() -> Mirror:
    """a leads b and c; its chain ends at 5; its own epoch began with 4."""
    chain = Chain(Link(at(txid) if txid else Position(0, 0), 1) for txid in range(6))
    made = Mirror(View(2048, "a", (A, B, C), (A, B, C), (A, B, C)), chain)
    made.committed(at(3), 1024)
    made.committed(at(4), 2048)
    made.committed(at(5), 2048)
    for member in (B, C):
        made.copies[member.node] = Copy(member, 0.0, 0.0)
    return made


def test_nothing_while_one_has_not_spoken(mirror: Mirror) -> None:
    assert mirror.confirm(mirror.copies["b"], at(5))
    assert mirror.acknowledgeable() is None and mirror.acknowledged() is None


def test_the_least_of_all_in_sync_copies(mirror: Mirror) -> None:
    mirror.confirm(mirror.copies["b"], at(5))
    mirror.confirm(mirror.copies["c"], at(4))
    assert mirror.acknowledged() == at(4)
    mirror.confirm(mirror.copies["c"], at(5))
    assert mirror.acknowledged() == at(5)


def test_nothing_below_the_epochs_own_commit(mirror: Mirror) -> None:
    mirror.confirm(mirror.copies["b"], at(5))
    mirror.confirm(mirror.copies["c"], at(3))
    assert mirror.floor == at(4)
    assert mirror.acknowledgeable() == at(3) and mirror.acknowledged() is None


def test_a_position_of_another_history_counts_for_nothing(mirror: Mirror) -> None:
    assert not mirror.confirm(mirror.copies["b"], Position(5, 999))
    assert not mirror.confirm(mirror.copies["b"], at(6))
    assert mirror.copies["b"].stored is None


def test_an_old_word_does_not_take_back_a_new_one(mirror: Mirror) -> None:
    mirror.confirm(mirror.copies["b"], at(5))
    assert mirror.confirm(mirror.copies["b"], at(2))
    assert mirror.copies["b"].stored == at(5)


def test_another_disk_is_another_member(mirror: Mirror) -> None:
    for node in ("b", "c"):
        mirror.confirm(mirror.copies[node], at(5))
    stranger = mirror.copies["c"] = Copy(Member("c", "c.2"), 0.0, 0.0)
    mirror.confirm(stranger, at(5))
    assert mirror.acknowledged() is None


def test_equal_means_every_segment_and_a_usable_copy(mirror: Mirror) -> None:
    copy = mirror.copies["b"]
    mirror.confirm(copy, at(5))
    assert not mirror.is_equal(B)
    copy.usable = True
    assert mirror.is_equal(B)
    copy.void()
    assert not mirror.is_equal(B)
    assert not mirror.is_equal(Member("x", "x.1"))
