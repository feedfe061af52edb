"""Who watches what."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from fa.core.monitor_places import ELSEWHERE_AFTER, SLOW_MAX, UNFIT_FOR, Fitness, Seat, Wish, place

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


def test_a_node_that_cannot_look_at_the_folder_gives_it_to_one_that_may() -> None:
    seats = {"a": Seat(SAN), "b": Seat(SAN), "c": Seat(SAN)}
    assert place([Wish(1, SAN, owner="a", unfit=frozenset("ab"))], seats) == {1: "c"}
    assert place([Wish(1, SAN, owner="b", unfit=frozenset("abc"))], seats) == {1: "b"}, "nobody is better"
    assert place([Wish(1, SAN, "a", "a", unfit=frozenset("a"))], seats) == {1: "a"}, "it is pinned"
    assert place([Wish(1, SAN, unfit=frozenset("a"))], seats) == {1: "b"}
    assert place([Wish(1, SAN, unfit=frozenset("abc"))], seats) == {1: "a"}, "one must try"
    more = [Wish(number, SAN, owner="b", unfit=frozenset("ac")) for number in range(4)]
    assert set(place(more, seats).values()) == {"b"}, "no share is taken by who cannot look"


def test_a_node_is_unfit_that_could_not_look_for_long() -> None:
    """Until it may have changed; one whose looks take long gets the time for them."""
    fitness, beat = Fitness(), 1.0
    fitness.note("a", away=True, scan_seconds=0, now=beat)
    fitness.note("a", away=True, scan_seconds=0, now=beat + ELSEWHERE_AFTER - 1)
    assert fitness.unfit(beat + ELSEWHERE_AFTER - 1) == frozenset()
    fitness.note("a", away=False, scan_seconds=0, now=beat + ELSEWHERE_AFTER - 0.5)
    fitness.note("a", away=True, scan_seconds=0, now=beat + ELSEWHERE_AFTER)
    assert fitness.unfit(beat + ELSEWHERE_AFTER) == frozenset(), "it could in between"
    fitness.note("a", away=True, scan_seconds=0, now=beat + 2 * ELSEWHERE_AFTER)
    fitness.note("b", away=True, scan_seconds=0, now=beat + 2 * ELSEWHERE_AFTER + 1)
    assert fitness.unfit(beat + 2 * ELSEWHERE_AFTER + 1) == frozenset("a"), "another one watches since"
    assert fitness.unfit(beat + 2 * ELSEWHERE_AFTER + UNFIT_FOR) == frozenset()


def test_a_node_whose_looks_take_long_is_not_unfit() -> None:
    fitness = Fitness()
    fitness.note("a", away=False, scan_seconds=60.0, now=0.0)
    fitness.note("a", away=True, scan_seconds=0.0, now=90.0)
    fitness.note("a", away=True, scan_seconds=0.0, now=90.0 + 60.0 + ELSEWHERE_AFTER)
    assert fitness.unfit(200.0) == frozenset()
    fitness.note("a", away=True, scan_seconds=0.0, now=90.0 + 120.0 + ELSEWHERE_AFTER)
    assert fitness.unfit(250.0) == frozenset("a")
    fitness.note("b", away=False, scan_seconds=5000.0, now=1000.0)
    fitness.note("b", away=True, scan_seconds=0.0, now=1000.0)
    fitness.note("b", away=True, scan_seconds=0.0, now=1000.0 + ELSEWHERE_AFTER + 2 * SLOW_MAX)
    assert fitness.unfit(1300.0) == frozenset("b"), "that look hung, and came back"


def test_placing_again_changes_nothing() -> None:
    """Whatever the array looks like, the answer to the answer is the answer."""
    rng = Random(3)
    for _ in range(300):
        seats = {name: Seat(rng.choice((SAN, BOTH, frozenset())), rng.random() < 0.8) for name in "abcd"}
        asked = [
            Wish(number, rng.choice((SAN, BOTH)), rng.choice(("", "", "a")), rng.choice(("", "a", "b", "z")), unfit)
            for number in range(rng.randrange(8))
            for unfit in (frozenset(rng.sample("abcd", rng.choice((0, 0, 1, 2, 4)))),)
        ]
        for _ in range(8):
            owners = place(asked, seats)
            again = [replace(wish, owner=owners[wish.monitor]) for wish in asked]
            if again == asked:
                break
            asked = again
        else:
            raise AssertionError(f"monitors wander for ever: {asked} {seats}")
