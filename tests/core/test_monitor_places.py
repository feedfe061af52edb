"""Who watches what."""

from __future__ import annotations

from random import Random

from fa.core.monitor_places import Seat, Wish, place

SAN = frozenset({"source:san"})
BOTH = SAN | {"source:nas"}


def wishes(count: int, **fields: str) -> list[Wish]:
    return [Wish(number, SAN, **fields) for number in range(1, count + 1)]


def test_a_monitor_goes_to_a_node_that_can() -> None:
    seats = {"a": Seat(frozenset()), "b": Seat(SAN)}
    assert place(wishes(1), seats) == {1: "b"}
    assert place(wishes(1), {"a": Seat(frozenset())}) == {1: ""}
    assert place([], seats) == {}


def test_monitors_are_spread() -> None:
    seats = {"a": Seat(SAN), "b": Seat(SAN)}
    assert place(wishes(4), seats) == {1: "a", 2: "b", 3: "a", 4: "b"}


def test_who_watches_goes_on() -> None:
    seats = {"a": Seat(SAN), "b": Seat(SAN)}
    assert place([Wish(1, SAN, owner="b"), Wish(2, SAN, owner="b"), Wish(3, SAN, owner="a")], seats) == {
        1: "b", 2: "b", 3: "a",
    }  # fmt: skip


def test_a_node_that_is_gone_loses_its_monitors() -> None:
    assert place([Wish(1, SAN, owner="a"), Wish(2, SAN, owner="b")], {"b": Seat(SAN)}) == {1: "b", 2: "b"}


def test_a_node_that_came_back_takes_its_share() -> None:
    seats = {"a": Seat(SAN), "b": Seat(SAN)}
    owners = place(wishes(4, owner="b"), seats)
    assert sorted(owners.values()) == ["a", "a", "b", "b"]
    assert place([Wish(1, SAN, owner="b")], seats) == {1: "b"}, "one is not worth a move"


def test_a_paused_node_keeps_what_it_has_and_gets_nothing_new() -> None:
    seats = {"a": Seat(SAN, new=False), "b": Seat(SAN)}
    assert place([Wish(1, SAN, owner="a"), Wish(2, SAN)], seats) == {1: "a", 2: "b"}
    assert place(wishes(1), {"a": Seat(SAN, new=False)}) == {1: ""}


def test_a_pinned_monitor_waits_for_its_node() -> None:
    seats = {"a": Seat(SAN), "b": Seat(SAN)}
    assert place([Wish(1, SAN, "b", owner="a")], seats) == {1: "b"}
    assert place([Wish(1, SAN, "c")], seats) == {1: ""}


def test_placing_again_changes_nothing() -> None:
    """Whatever the array looks like, the answer to the answer is the answer."""
    rng = Random(3)
    for _ in range(300):
        seats = {name: Seat(rng.choice((SAN, BOTH, frozenset())), rng.random() < 0.8) for name in "abcd"}
        asked = [
            Wish(number, rng.choice((SAN, BOTH)), rng.choice(("", "", "a")), rng.choice(("", "a", "b", "z")))
            for number in range(rng.randrange(8))
        ]
        for _ in range(8):
            owners = place(asked, seats)
            again = [Wish(wish.monitor, wish.needs, wish.pinned, owners[wish.monitor]) for wish in asked]
            if again == asked:
                break
            asked = again
        else:
            raise AssertionError(f"monitors wander for ever: {asked} {seats}")
