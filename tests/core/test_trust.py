"""What peers remember, and what it proves (R8)."""

from __future__ import annotations

import pytest

from fa.core.array_messages import Greet, Remembered, Unproven
from fa.core.trust import Memory, contradiction
from fa.core.view import Member, View

A, B = Member("a", "a.1"), Member("b", "b.1")
VIEW = View(1024, "a", (A, B), (A, B), (A, B))


def greet(run: str = "r2", boots: int = 2, epoch: int = 2048, txid: int = 9) -> Greet:
    return Greet("b.1", run, boots, txid, Unproven(boots, epoch, (run,)))


def test_the_answer_tells_what_was_known_before_the_greeting() -> None:
    memory = Memory()
    assert memory.greeted("w.1", "b", greet("r1", boots=1)) == Remembered("w.1", "b.1", "r1", 0, 0, 0)
    memory.told_epoch("b", "b.1", "r1", 2048)
    memory.acknowledged(VIEW, 7)
    assert memory.greeted("w.1", "b", greet("r2", boots=2)) == Remembered("w.1", "b.1", "r2", 1, 2048, 7, 1024)


def test_greeting_twice_contradicts_nothing() -> None:
    memory = Memory()
    memory.greeted("w.1", "b", greet())
    assert contradiction(greet(), memory.greeted("w.1", "b", greet())) == ""


def test_an_answer_that_was_lost_is_given_again() -> None:
    memory = Memory()
    memory.greeted("w.1", "b", greet("r1", boots=1))
    memory.told_epoch("b", "b.1", "r1", 3072)
    lost = memory.greeted("w.1", "b", greet("r2", boots=2))
    memory.told_epoch("b", "b.1", "r2", 5120)
    assert memory.greeted("w.1", "b", greet("r2", boots=2)) == lost
    assert "3072" in contradiction(greet("r2", boots=2), lost)


def test_another_boot_does_not_hide_that_the_disk_was_set_back() -> None:
    """It was set back, booted where nobody heard it, learned the newest epoch, and boots again."""
    memory = Memory()
    memory.greeted("w.1", "b", greet("r2", boots=2))
    set_back = Greet("b.1", "r9", 3, 9, Unproven(2, 5120, ("r8", "r9")))
    assert "boot 2" in contradiction(set_back, memory.greeted("w.1", "b", set_back))


def test_a_boot_that_was_never_answered_is_not_held_against_the_next() -> None:
    memory = Memory()
    memory.greeted("w.1", "b", greet("r1", boots=1, epoch=1024))
    memory.told_epoch("b", "b.1", "r1", 2048)
    memory.greeted("w.1", "b", greet("r2", boots=2, epoch=2048))
    memory.told_epoch("b", "b.1", "r2", 3072)
    again = Greet("b.1", "r3", 3, 9, Unproven(2, 2048, ("r2", "r3")))
    assert memory.greeted("w.1", "b", again) == Remembered("w.1", "b.1", "r3", 1, 2048, 0)
    assert contradiction(again, memory.greeted("w.1", "b", again)) == ""


def test_an_epoch_told_before_the_greeting_is_none_of_a_former_run() -> None:
    memory = Memory()
    memory.told_epoch("b", "b.1", "r1", 2048)
    remembered = memory.greeted("w.1", "b", greet("r1", boots=1, epoch=1024))
    assert contradiction(greet("r1", boots=1, epoch=1024), remembered) == ""


def test_a_late_greeting_of_an_earlier_life_changes_nothing() -> None:
    memory = Memory()
    memory.greeted("w.1", "b", greet("r3", boots=3))
    memory.greeted("w.1", "b", greet("r2", boots=2))
    assert contradiction(greet("r3", boots=3), memory.greeted("w.1", "b", greet("r3", boots=3))) == ""


@pytest.mark.parametrize(
    ("mine", "word"),
    [(greet(boots=1), "boot"), (greet(epoch=1024), "epoch"), (greet(txid=6), "transaction 7"), (greet(), "")],
)
def test_a_disk_set_back_in_time_is_noticed(mine: Greet, word: str) -> None:
    remembered = Remembered("w.1", "b.1", "r2", 1, 2048, 7)
    assert word in contradiction(mine, remembered)
    assert bool(word) == bool(contradiction(mine, remembered))


def test_a_copy_that_was_replaced_since_owes_nothing_to_what_it_held_before() -> None:
    remembered = Remembered("w.1", "b.1", "r2", 1, 2048, 7, in_sync=1024)
    assert contradiction(greet(txid=6), remembered, replaced=1024) != ""
    assert contradiction(greet(txid=6), remembered, replaced=1025) == ""


def test_another_incarnation_has_no_past() -> None:
    assert contradiction(Greet("b.2", "r", 1, 0, Unproven(1, 0)), Remembered("w.1", "b.1", "r", 9, 9999, 99)) == ""


def test_only_the_newest_incarnation_is_remembered() -> None:
    memory = Memory()
    memory.greeted("w.1", "b", Greet("b.1", "r1", 1, 0, Unproven(1, 0, ("r1",))))
    memory.told_epoch("b", "b.1", "r1", 5000)
    memory.greeted("w.1", "b", Greet("b.2", "r2", 2, 0, Unproven(2, 0, ("r2",))))
    memory.told_epoch("b", "b.2", "r2", 1024)
    assert [(mark.incarnation, mark.epoch) for mark in memory.all()] == [("b.2", 1024)]


def test_acknowledged_marks_only_rise_except_after_an_override() -> None:
    memory = Memory()
    memory.acknowledged(VIEW, 9, but="a")
    memory.acknowledged(VIEW, 5, but="a")
    assert [(mark.node, mark.txid) for mark in memory.all()] == [("b", 9)]
    memory.acknowledged(View(2048, "b", (B,), (B,), (B,), forced=1), 5)
    assert [(mark.node, mark.txid) for mark in memory.all()] == [("b", 5)]


def test_only_changes_are_to_be_saved() -> None:
    memory = Memory()
    memory.acknowledged(VIEW, 9)
    assert memory.changed
    again = Memory(memory.all())
    again.acknowledged(VIEW, 9)
    again.told_epoch("a", "a.1", "", 0)
    assert not again.changed
