"""Which node gets which task, and what is said of every node that does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fa.core.model import Group, NodeMode, NodeView, Reserve
from fa.core.scheduling import (
    NEVER,
    Board,
    Why,
    free_slots,
    has_room,
    holders,
    slots_ever,
    still_blocked,
    why_never,
    why_no_slot,
    why_not,
    why_not_now,
)
from fa.core.work import Running

GROUP = Group(1, "proxy", "cpu", 1, ("encoder:libx264", "volume:san"))
BIG = replace(GROUP, id=2, cost=2)
NODE = NodeView("a", (("cpu", 4), ("gpu", 1)), offers=frozenset({"encoder:libx264", "volume:san", "tag:gpu"}))


def test_what_is_delivered_takes_no_slot_up_to_a_second_fill_of_the_node() -> None:
    slots = (("cpu", 4), ("gpu", 1))
    encodes = [Running(1, 1, "flipping", cost=4), Running(2, 1, "uploading", slot_class="gpu")]
    ended = [Running(task, 1, "delivering", cost=2) for task in (3, 4)]
    assert holders([*encodes, *ended], slots) == [(encodes[0], 4), (encodes[1], 1)]
    late, small = Running(5, 1, "delivering"), Running(6, 1, "delivering", slot_class="gpu")
    assert holders([*ended, late, small], slots) == [(late, 1)], "each class by itself"
    large = Running(7, 1, "delivering", cost=3)
    assert holders([ended[0], large], slots) == [(large, 1)], "the slots that are over, and no more"
    assert holders([small], ()) == [(small, 1)], "of a class that is not here any more"


@pytest.mark.parametrize(
    ("node", "why", "text"),
    [
        ({"only_factories": ("hevc",)}, Why.DEDICATED, "is dedicated to hevc"),
        ({"only_tags": ("gpu", "8k")}, Why.DEDICATED, "takes only work that requires tag gpu or 8k"),
        ({"slots": (("gpu", 1),)}, Why.TOO_SMALL, "has 0 cpu slots, one task costs 1"),
        ({"offers": frozenset({"tag:gpu"})}, Why.LACKS, "has no encoder:libx264, no volume:san"),
    ],
)
def test_why_a_node_never_can(node: dict[str, object], why: Why, text: str) -> None:
    reason = why_never(GROUP, replace(NODE, **node))
    assert reason is not None
    assert (reason.why, reason.text, reason.passes) == (why, text, False)
    assert reason == why_not(GROUP, replace(NODE, **node), 50)


@pytest.mark.parametrize(
    "node",
    [
        {},
        {"only_factories": ("x", "proxy")},
        {"offers": frozenset(), "unhealthy": (("encoder:libx264", "x"), ("volume:san", "y"))},
    ],
)  # fmt: skip
def test_a_node_could(node: dict[str, object]) -> None:
    assert why_never(GROUP, replace(NODE, **node)) is None


def test_a_node_for_a_tag_takes_what_requires_it() -> None:
    tagged = replace(GROUP, requires=("encoder:libx264", "tag:gpu"))
    assert why_not(tagged, replace(NODE, only_tags=("gpu",)), 50) is None


@pytest.mark.parametrize(
    ("node", "why", "text"),
    [
        ({"up": False}, Why.LOST, "is lost"),
        ({"mode": NodeMode.PAUSED}, Why.PAUSED, "is paused"),
        ({"mode": NodeMode.DRAINING}, Why.DRAINING, "is draining"),
        ({"quarantined": ("proxy",)}, Why.QUARANTINED, "is quarantined for factory proxy"),
        (
            {"offers": frozenset({"encoder:libx264"}), "unhealthy": (("volume:san", "hung"),)},
            Why.UNHEALTHY,
            "has trouble with volume:san (hung)",
        ),
        ({"used": (("cpu", 4, 50),)}, Why.BUSY, "has no 1 open cpu slots of 4"),
        (
            {"used": (("cpu", 2, 50),), "reserve": (Reserve(75, 2),)},
            Why.RESERVED,
            "keeps its open slots for work of higher priority",
        ),
        (
            {"reserve": (Reserve(75, 4),)},
            Why.TOO_SMALL,
            "keeps all but 0 of its 4 cpu slots for work of higher priority, one task costs 1",
        ),
    ],
)
def test_why_not_now(node: dict[str, object], why: Why, text: str) -> None:
    reason = why_not(GROUP, replace(NODE, **node), 50)
    assert reason is not None
    assert (reason.why, reason.text) == (why, text)
    assert reason.passes is (why not in NEVER)


@pytest.mark.parametrize(("up", "why", "text"), [(True, Why.SILENT, "has not said yet"), (False, Why.LOST, "is lost")])
def test_a_node_that_has_not_said_what_it_can_do_is_not_one_that_never_can(up: bool, why: Why, text: str) -> None:
    """After a take-over, or while it tries its encoders; and one that stops offers nothing any more."""
    unheard = NodeView("a", (), up=up)
    assert why_never(GROUP, unheard) is None
    reason = why_not(GROUP, unheard, 50)
    assert reason is not None
    assert reason.why is why and text in reason.text and reason.passes
    assert still_blocked(GROUP, [NODE, replace(unheard, name="b")], 50, ("a",)) == ()
    assert not Board([unheard]).able(GROUP)


def test_what_was_not_tried_yet_is_not_denied() -> None:
    odd = replace(GROUP, requires=("encoder:libmp3lame", "filter:hflip", "tag:gpu"))
    fresh = replace(NODE, failed=frozenset({"encoder:av1_nvenc"}))
    assert why_never(odd, fresh) is None
    reason = why_not(odd, fresh, 50)
    assert reason is not None and reason.passes
    assert (reason.why, reason.text) == (Why.TRYING, "is still trying encoder libmp3lame, filter hflip")
    assert not Board([fresh]).able(odd)
    tried = replace(NODE, failed=frozenset({"encoder:libmp3lame"}), offers=NODE.offers | {"filter:hflip"})
    lacks = why_never(odd, tried)
    assert lacks is not None and lacks.text == "has no encoder:libmp3lame"
    tag = why_never(replace(odd, requires=("encoder:libmp3lame", "tag:moon")), fresh)
    assert tag is not None and tag.text == "has no tag:moon", "nobody has to try for that"
    assert why_not(GROUP, fresh, 50) is None
    older = why_never(odd, NODE)
    assert older is not None, "a node that does not tell what failed lacks what it does not offer"


def test_other_trouble_does_not_matter() -> None:
    assert why_not_now(GROUP, replace(NODE, quarantined=("hevc",), unhealthy=(("volume:nas", "hung"),))) is None


def test_blocked_and_held_back() -> None:
    assert why_not(GROUP, NODE, 50, blocked=("b",)) is None
    blocked = why_not(GROUP, NODE, 50, blocked=("a",))
    assert blocked is not None
    assert blocked.why is Why.BLOCKED
    held = why_not(GROUP, NODE, 50, held_back=True)
    assert held is not None
    assert held.why is Why.HELD_BACK


def test_blocked_only_while_another_node_could() -> None:
    b = replace(NODE, name="b")
    assert still_blocked(GROUP, [NODE, b], 50, ()) == ()
    assert still_blocked(GROUP, [NODE, b], 50, ("a",)) == ("a",)
    busy = replace(b, used=(("cpu", 4, 50),))
    assert still_blocked(GROUP, [NODE, busy], 50, ("a",)) == ("a",), "it is worth waiting for"
    for away in (replace(b, up=False), replace(b, offers=frozenset())):
        assert still_blocked(GROUP, [NODE, away], 50, ("a",)) == ()
    assert still_blocked(GROUP, [NODE, b], 50, ("a", "b")) == (), "it failed everywhere: anybody may try"


# --- reserved slots ---


@pytest.mark.parametrize(
    ("used", "priority", "free"),
    [
        ((), 50, 1),
        ((), 75, 3),
        ((), 90, 4),
        ((("cpu", 1, 50),), 50, 0),
        ((("cpu", 1, 80),), 50, 1),
        ((("cpu", 1, 95),), 50, 1),
        ((("cpu", 1, 95), ("cpu", 1, 95)), 50, 1),
        ((("cpu", 1, 95), ("cpu", 1, 80)), 80, 2),
        ((("cpu", 1, 95), ("cpu", 1, 80), ("cpu", 1, 80)), 50, 1),
        ((("gpu", 1, 50),), 50, 1),
        ((("cpu", 3, 50),), 50, 0),
    ],
)
def test_reserved_slots_count_each_running_task_once(
    used: tuple[tuple[str, int, int], ...], priority: int, free: int
) -> None:
    """One slot for 90 and more, two for 75 and more, of four."""
    node = replace(NODE, reserve=(Reserve(75, 2), Reserve(90, 1), Reserve(99, 1, "gpu")), used=used)
    assert free_slots(node, "cpu", priority) == free
    board = Board([node])
    taken = 0
    while board.place(GROUP, priority):
        taken += 1
    assert taken == free or priority >= 75, "what it takes itself fills its own reserve"


def test_what_a_task_can_hope_for() -> None:
    node = replace(NODE, reserve=(Reserve(75, 3),))
    assert (slots_ever(node, "cpu", 50), slots_ever(node, "cpu", 75)) == (1, 4)
    assert why_no_slot(GROUP, node, 50) is None


# --- the board ---


def test_the_emptiest_node_is_first_then_the_name() -> None:
    a = replace(NODE, used=(("cpu", 1, 50),))
    b, c = replace(NODE, name="b", slots=(("cpu", 2),)), replace(NODE, name="c", slots=(("cpu", 2),))
    board = Board([c, b, a])
    assert [board.place(GROUP, 50) for _ in range(8)] == ["b", "c", "a", "a", "b", "c", "a", None]
    assert not Board([]).has_room()
    assert board.able(GROUP)


def test_a_board_holds_only_nodes_that_take_work() -> None:
    board = Board([replace(NODE, up=False), replace(NODE, name="b", mode=NodeMode.DRAINING)])
    assert not board.has_room()
    assert not board.able(GROUP)
    assert board.place(GROUP, 50) is None
    full = Board([replace(NODE, slots=(("cpu", 1),), used=(("cpu", 1, 50), ("odd", 1, 50)))])
    assert not full.has_room()


def test_room_is_what_a_node_that_takes_work_has_left() -> None:
    assert has_room(NODE)
    assert has_room(replace(NODE, used=(("cpu", 4, 50),))), "the gpu is idle"
    assert not has_room(replace(NODE, used=(("cpu", 4, 50), ("gpu", 1, 50))))
    for closed in (replace(NODE, up=False), replace(NODE, mode=NodeMode.PAUSED)):
        assert not has_room(closed)


def test_slots_of_a_class_that_a_node_does_not_have() -> None:
    """Such a thing may run there when its settings changed; it must not open a slot."""
    board = Board([replace(NODE, slots=(("cpu", 1),), used=(("gpu", 1, 50),))])
    assert board.place(replace(GROUP, id=9, slot_class="gpu"), 50) is None


def test_a_large_task_keeps_the_node_where_it_fits_first() -> None:
    a = replace(NODE, slots=(("cpu", 2),), used=(("cpu", 1, 50),))
    b = replace(a, name="b", used=(("cpu", 2, 50),))
    board = Board([a, b])
    assert board.place(BIG, 50) is None
    assert board.place(GROUP, 50) is None, "a's open slot waits for the large one"
    alone = Board([a, b])
    assert alone.place(GROUP, 50) == "a"


def test_what_a_large_task_saw_changes_nothing_for_small_ones() -> None:
    """The full node is looked at for the large task only, and names still decide among equals."""
    full = replace(NODE, name="a", slots=(("cpu", 2),), used=(("cpu", 2, 50),))
    board = Board([replace(NODE, name="c"), full, replace(NODE, name="b")])
    assert board.place(BIG, 50) == "b"
    assert [board.place(GROUP, 50) for _ in range(4)] == ["c", "c", "b", "c"]


def test_a_node_that_is_closed_takes_nothing_more() -> None:
    board = Board([NODE, replace(NODE, name="b")])
    assert board.place(GROUP, 50) == "a"
    board.close("a")
    assert [board.place(GROUP, 50), board.place(BIG, 50)] == ["b", "b"]
    board.close("b")
    assert not board.has_room()
    assert board.place(GROUP, 50) is None


def test_no_node_is_held_back_for_what_can_never_fit() -> None:
    """Its reserve leaves one slot for normal work: a normal task of two slots would wait there for ever."""
    node = replace(NODE, slots=(("cpu", 3),), reserve=(Reserve(75, 2),), used=())
    board = Board([node])
    assert board.place(BIG, 50) is None
    assert board.held_back("cpu") == frozenset()
    assert board.place(GROUP, 50) == "a"


def test_who_is_held_back_can_be_asked() -> None:
    board = Board([replace(NODE, used=(("cpu", 3, 50),)), replace(NODE, name="b", used=(("cpu", 4, 50),))])
    assert board.place(BIG, 50) is None
    assert (board.held_back("cpu"), board.held_back("gpu")) == ({"a"}, set())
    assert board.place(GROUP, 50) is None


def test_blocked_nodes_are_passed_over() -> None:
    board = Board([NODE])
    assert board.place(GROUP, 50, blocked=("a",)) is None
    assert board.place(GROUP, 50) == "a"
