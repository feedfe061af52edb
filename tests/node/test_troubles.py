from __future__ import annotations

from fa.core.alarms import Trouble
from fa.node.troubles import MOMENTS_KEPT, NUMBERS, REPEAT_AFTER, TroubleBook

LOW = Trouble("disk.low", "node/b/state", "1 % left")


class Book(TroubleBook):
    def __init__(self) -> None:
        self.seconds = 0.0
        super().__init__("node/b", lambda: self.seconds)


def test_what_stands_is_as_it_was_seen_last() -> None:
    book = Book()
    book.stands("disk", [LOW])
    assert book.changed.is_set() and book.all() == (LOW,)
    book.changed.clear()
    book.stands("disk", [LOW])
    assert not book.changed.is_set(), "nothing is new"
    book.stands("disk", ())
    assert book.changed.is_set() and book.all() == ()


def test_sources_do_not_speak_for_each_other() -> None:
    book, skew = Book(), Trouble("clock.skew", "node/b", "9 s")
    book.stands("disk", [LOW])
    book.stands("clock", [skew])
    book.stands("disk", ())
    assert book.all() == (skew,)


def test_what_happens_again_and_again_is_told_now_and_then() -> None:
    book = Book()
    for at in (0.0, 1.0, REPEAT_AFTER - 1, REPEAT_AFTER, REPEAT_AFTER + 1):
        book.seconds = at
        book.happened("link-refused", "a clone", life=3)
    book.happened("link-refused", "another reason", life=3)
    assert [trouble.number for trouble in book.all()] == [3 * NUMBERS + n for n in (1, 2, 3)]


def test_numbers_grow_over_lives() -> None:
    first, second = Book(), Book()
    first.happened("x", "1", life=1)
    second.happened("x", "1", life=2)
    assert second.all()[0].number > first.all()[0].number + NUMBERS - 2


def test_what_was_told_is_forgotten_and_what_came_meanwhile_is_not() -> None:
    book = Book()
    book.happened("x", "1", life=1)
    book.stands("disk", [LOW])
    before = book.all()
    book.happened("x", "2", life=1)
    book.told(before)
    assert [(trouble.kind, trouble.text) for trouble in book.all()] == [("disk.low", "1 % left"), ("x", "2")]


def test_what_nobody_takes_is_bounded() -> None:
    book = Book()
    for number in range(MOMENTS_KEPT + 9):
        book.happened("x", str(number), life=1)
    assert next(trouble.text for trouble in book.all()) == "9" and len(book.all()) == MOMENTS_KEPT
