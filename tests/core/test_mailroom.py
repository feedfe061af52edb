from __future__ import annotations

from fa.core.alarms import Notice
from fa.core.mailroom import BACKOFF_FIRST, GIVE_UP_AFTER_MS, IN_ONE_MAX, Mailroom

OWN = ("mailto://desk",)


def notices(*numbers: int, targets: tuple[str, ...] = (), at: int = 0) -> list[Notice]:
    return [Notice(number, at, "node.lost", "error", f"node/{number}", "silent", targets) for number in numbers]


def ids(room: Mailroom, due: list[Notice], now: float) -> list[tuple[int, ...]]:
    return [tuple(notice.id for notice in letter.notices) for letter in room.letters(due, OWN, now)]


def send(room: Mailroom, due: list[Notice], now: float) -> list[tuple[int, ...]]:
    """Deliver all that goes out now."""
    letters = room.letters(due, OWN, now)
    for letter in letters:
        room.delivered(letter, now)
    return [tuple(notice.id for notice in letter.notices) for letter in letters]


def test_one_by_one_and_once() -> None:
    room, due = Mailroom(5), notices(1, 2)
    assert send(room, due, 0.0) == [(1,), (2,)]
    assert send(room, due, 1.0) == []
    assert room.ended(due, OWN, 0) == ((1, ""), (2, ""))


def test_a_storm_is_one_letter() -> None:
    room = Mailroom(3)
    assert send(room, notices(*range(1, 8)), 0.0) == [(1, 2, 3, 4, 5, 6, 7)]


def test_what_trickles_is_gathered_until_there_is_room_again() -> None:
    room, due = Mailroom(2), notices(1)
    assert send(room, due, 0.0) == [(1,)]
    due += notices(2)
    assert send(room, due, 10.0) == [(2,)]
    due += notices(3, 4, 5)
    assert send(room, due, 20.0) == [], "two a minute were sent"
    assert send(room, due, 60.5) == [(3, 4, 5)], "one may go again, and three wait"


def test_a_digest_is_bounded() -> None:
    due = notices(*range(1, IN_ONE_MAX + 8))
    assert [len(letter) for letter in send(Mailroom(2), due, 0.0)] == [IN_ONE_MAX]


def test_a_target_that_fails_is_left_alone_longer_each_time() -> None:
    room, due, now = Mailroom(5), notices(1), 0.0
    for tries in range(3):
        (letter,) = room.letters(due, OWN, now)
        room.failed(letter, "refused", now)
        wait = BACKOFF_FIRST * 2.0**tries
        assert ids(room, due, now + wait - 0.1) == []
        now += wait
    assert ids(room, due, now) == [(1,)]
    assert room.ended(due, OWN, 0) == ()


def test_a_target_that_works_again_is_believed_again() -> None:
    room, due = Mailroom(5), notices(1, 2)
    for now in (0.0, BACKOFF_FIRST):
        room.failed(room.letters(due, OWN, now)[0], "refused", now)
    for letter in room.letters(due[:1], OWN, 100.0):
        room.delivered(letter, 100.0)
    room.failed(room.letters(due, OWN, 101.0)[0], "refused", 101.0)
    assert ids(room, due, 101.0 + BACKOFF_FIRST) == [(2,)], "it begins with the first wait"


def test_one_that_fails_does_not_hold_up_the_others() -> None:
    own = ("mailto://desk", "json://hall")
    room, due = Mailroom(5), notices(1)
    mail, hall = room.letters(due, own, 0.0)
    room.failed(mail, "refused", 0.0)
    room.delivered(hall, 0.0)
    assert room.ended(due, own, 0) == ()
    (again,) = room.letters(due, own, BACKOFF_FIRST)
    assert again.target == "mailto://desk"
    room.delivered(again, BACKOFF_FIRST)
    assert room.ended(due, own, 0) == ((1, ""),)


def test_a_factory_names_its_own_targets() -> None:
    room, due = Mailroom(5), notices(1, targets=("json://b", "json://b", "json://c")) + notices(2)
    letters = room.letters(due, OWN, 0.0)
    assert [(letter.target, letter.own) for letter in letters] == [
        ("json://b", False), ("json://c", False), ("mailto://desk", True)
    ]  # fmt: skip


def test_a_target_of_both_is_trusted_only_for_what_is_not_the_factorys() -> None:
    """A digest that holds a factory's notice goes by the rules for factories."""
    due = notices(1, 2) + notices(3, targets=OWN)
    (letter,) = Mailroom(1).letters(due, OWN, 0.0)
    assert letter.notices == tuple(due) and not letter.own


def test_nobody_to_tell_is_the_end_of_it() -> None:
    assert Mailroom(5).ended(notices(1), (), 0) == ((1, ""),)


def test_after_a_day_it_is_given_up_with_the_reason() -> None:
    room, due = Mailroom(5), notices(1, at=0)
    (letter,) = room.letters(due, OWN, 0.0)
    room.failed(letter, "it answered HTTP 500", 0.0)
    assert room.ended(due, OWN, GIVE_UP_AFTER_MS) == ()
    assert room.ended(due, OWN, GIVE_UP_AFTER_MS + 1) == ((1, "not delivered in a day: it answered HTTP 500"),)
