"""The small pure parts: editing, scrolling, windows, logs, graphs, times, looks, pace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fa.client.text import width
from fa.tui.edit import Edit
from fa.tui.graph import graph, percentile, spark, squeezed
from fa.tui.line import Span, columns, plain
from fa.tui.log import Log
from fa.tui.look import DARK, NONE, PAINTS, TERMINAL, Look, badge_of, bar, paint
from fa.tui.pace import FIRST_SECONDS, GIVE_UP_SECONDS, Pace
from fa.tui.roll import Roll, Scroll
from fa.tui.times import Clock, age, roughly, size, span
from fa.tui.window import PAGE_ROWS, PAGES, Order, Window, read_page
from tests.tui.world import STEADY

# editing


def typed(*keys: str) -> Edit:
    edit = Edit()
    for key in keys:
        edit.key(key, key if len(key) == 1 else None)
    return edit


def test_a_line_is_edited() -> None:
    assert typed(*"abc", "left", "backspace", *"X").text == "aXc"
    assert typed(*"one two", "ctrl+w").text == "one "
    assert typed(*"abc", "home", "delete", "end", *"d").text == "bcd"
    assert typed(*"abc", "left", "ctrl+u").text == "c"
    assert typed(*"abc", "home", "right", "ctrl+k").text == "a"
    assert not Edit().key("f5", None)


def test_a_paste_cannot_bring_control_characters() -> None:
    edit = Edit()
    edit.insert("rm\n\x1b[31m -rf\t/")
    assert edit.text == "rm[31m -rf/"


@STEADY
@given(st.text(max_size=80), st.integers(1, 40), st.data())
def test_the_caret_is_always_on_the_line(text: str, room: int, data: st.DataObject) -> None:
    edit = Edit()
    edit.insert(text)
    edit.at = data.draw(st.integers(0, len(edit.text)))
    shown = edit.line(room)
    assert any("caret" in part.style for part in shown)
    assert columns(shown) >= room


# scrolling


@STEADY
@given(st.integers(0, 200), st.integers(1, 30), st.lists(st.sampled_from(
    ["up", "down", "pageup", "pagedown", "home", "end"]), max_size=40))  # fmt: skip
def test_the_cursor_is_always_on_the_screen(count: int, height: int, keys: list[str]) -> None:
    roll, scroll = Roll(), Scroll()
    roll.fit(count, height)
    scroll.fit(count, height)
    for key in keys:
        assert roll.key(key) and scroll.key(key)
        assert not count or roll.at in roll.rows
        assert len(roll.rows) == min(count, height), "a screen is filled as long as there are rows"
        assert 0 <= scroll.top <= max(0, count - height)


def test_leaving_the_screen_moves_it_by_half() -> None:
    roll = Roll()
    roll.fit(100, 10)
    roll.move(9)
    assert roll.top == 0
    roll.move(1)
    assert (roll.at, roll.top) == (10, 5)
    roll.move(-6)
    assert (roll.at, roll.top) == (4, 0)


def test_a_list_that_was_read_anew_stays_on_its_object() -> None:
    roll = Roll(at=3, top=2, height=5, count=10)
    roll.follow([*"abcdefghij"], [*"xyabcdefghij"])
    assert (roll.at, roll.top) == (5, 4)


def test_a_text_follows_its_end_until_one_scrolls_up() -> None:
    scroll = Scroll(follows=True)
    scroll.fit(100, 10)
    assert scroll.top == 90
    scroll.key("up")
    scroll.fit(120, 10)
    assert scroll.top == 89
    scroll.key("end")
    scroll.fit(130, 10)
    assert scroll.top == 120


# windows


def told(first: int, last: int, further: bool = True, back: bool = True) -> dict[str, Any]:
    """Jobs ``first`` down to ``last``."""
    items = [{"id": number, "state": "queued"} for number in range(first, last - 1, -1)]
    return {"items": items, "next": str(last) if further else None, "prev": str(first) if back else None}


def test_pages_are_joined_and_the_far_side_goes() -> None:
    window = Window(Order())
    window.reset(read_page(window.order, told(5000, 4901, back=False)))
    assert window.beyond("up") is None
    bottom, went = 4901, 0
    for _ in range(PAGES + 2):
        call = window.beyond("down")
        assert call is not None and call.query["after"] == str(bottom)
        went += window.add("down", read_page(window.order, told(bottom - 1, bottom - PAGE_ROWS)))
        bottom -= PAGE_ROWS
    assert len(window) == PAGES * PAGE_ROWS
    assert went == -3 * PAGE_ROWS
    up = window.beyond("up")
    assert up is not None and up.query["before"] == str(window.rows[0].id)
    assert window.add("up", read_page(window.order, told(4800, 4701))) == PAGE_ROWS
    assert [job.id for job in window.rows[:2]] == [4800, 4799]


def test_from_the_end_pages_are_read_the_other_way_round() -> None:
    order = Order("state:failed", reversed=True)
    assert order.call().query == {"q": "state:failed", "limit": str(PAGE_ROWS), "sort": "id"}
    assert Order(sort="id", reversed=True).sent == "-id"
    page = read_page(order, {"items": [{"id": 1}, {"id": 2}], "next": "2", "prev": None})
    assert [job.id for job in page.rows] == [2, 1]
    assert page.up is not None and page.up.query["after"] == "2" and page.down is None


def test_newer_knowledge_keeps_its_place_and_a_row_is_never_twice() -> None:
    window = Window(Order())
    window.reset(read_page(window.order, told(10, 6)))
    window.add("down", read_page(window.order, told(6, 2)))
    assert [job.id for job in window.rows] == list(range(10, 1, -1))
    at = window.place(7)
    assert at is not None and window.put(window.rows[at].__class__(id=7, state="failed"))
    assert window.rows[at].state == "failed"
    window.add("up", read_page(window.order, told(12, 11)))
    assert window.rows[at + 2].state == "failed", "also after the pages were joined anew"
    assert not window.put(window.rows[0].__class__(id=99))


# logs


def test_a_log_is_read_from_its_end_and_upwards() -> None:
    whole = b"".join(b"line %d\n" % number for number in range(20_000))
    log = Log()
    log.fresh(whole[-1000:], {"fa-log-size": str(len(whole))})
    assert log.lines[-1] == "line 19999"
    first_shown = log.lines[1]
    offset, length = log.before() or (0, 0)
    rows = log.earlier(whole[offset : offset + length])
    assert log.lines[1 + rows] == first_shown
    assert log.later(b"more\n") == 0
    assert log.lines[-1] == "more" and log.end == len(whole) + 5
    while above := log.before():
        log.earlier(whole[above[0] : above[0] + above[1]])
    assert log.start == 0 and log.lines[0] == "line 0"


def test_a_log_without_size_or_with_broken_bytes_is_shown() -> None:
    log = Log()
    log.fresh(b"\xff\xfeframe\rnext", {})
    assert log.lines == ["\\xff\\xfeframe", "next"]
    log.fresh(b"", {})
    assert log.lines == [] and log.before() is None


def test_what_grows_for_ever_is_kept_within_bounds() -> None:
    log = Log()
    log.fresh(b"0\n", {})
    chunk = b"a line of a log\n" * 4096
    gone = sum(log.later(chunk) for _ in range(40))
    assert gone > 0 and len(log.lines) * 16 <= 33 * 64 * 1024
    assert log.before() is not None


# graphs


def test_a_peak_is_never_squeezed_away() -> None:
    values = [1.0] * 500
    values[123] = 9.0
    assert max(squeezed(values, 40)) == 9.0
    assert spark([0, 0], 5) == "▁▁"
    assert spark([1, 8], 5)[-1] == "█"
    rows = graph([1.0, 2.0, 4.0], 30, 4, "fps")
    assert len(rows) == 5 and plain(rows[1]).strip().startswith("4.0")
    assert percentile([], 0.5) == 0.0 and percentile([1, 2, 3], 0.99) == 3


# times

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def test_times_are_local_or_utc_and_say_which() -> None:
    clock = Clock(NOON, timezone(timedelta(hours=1)))
    assert clock.time("2026-11-26T11:30:05.000Z") == "12:30:05"
    assert clock.time("2026-11-20T11:30:05.000Z") == "11-20 12:30"
    assert clock.time(1_795_692_605_000) == "12:30:05"
    assert clock.time(10**30) == "-"
    assert clock.hands() == "13:00 +01"
    assert Clock(NOON, timezone(timedelta(hours=1)), utc=True).hands() == "12:00 UTC"
    assert Clock(NOON, timezone(timedelta(hours=5, minutes=30))).hands() == "17:30 +0530"
    assert clock.time(None) == clock.time("rubbish") == clock.age(None) == "-"


@pytest.mark.parametrize("hours", [-12, -5, 0, 1, 14])
def test_the_ends_of_the_calendar_are_shown_in_every_zone(hours: int) -> None:
    """The API shows what lies beyond the calendar as its ends; a local time there may be beyond it again."""
    clock = Clock(NOON, timezone(timedelta(hours=hours)))
    assert clock.full("9999-12-31T23:59:59.999Z").startswith("9999-12-31 ")
    for first in (clock.full("0001-01-01T00:00:00.000Z"), clock.time("0001-01-01T00:00:00.000Z")):
        assert "01-01 " in first


def test_spans_never_take_minutes_for_hours() -> None:
    assert [span(None), span(9), span(3725)] == ["-", "0:00:09", "1:02:05"]
    assert [age(5), age(90), age(7200), age(86400 * 3)] == ["<1m", "1m", "2h", "3d"]
    assert [roughly(20), roughly(840), roughly(3 * 3600)] == ["about 20 s", "about 14 min", "about 3 h"]
    assert [size(None), size(999), size(3_210_000_000)] == ["-", "999 B", "3.2 GB"]


# looks


def test_every_style_is_known_in_every_theme() -> None:
    assert set(DARK) == set(TERMINAL) == set(NONE)


def test_without_colour_there_is_none_and_the_cursor_is_reversed() -> None:
    assert all(each.color is None and each.background is None for each in NONE.values())
    for style in ("cursor", "tab", "fail", "alarm", "toast"):
        assert NONE[style].reverse, f"{style} would not be seen"


def test_later_styles_lie_over_earlier_ones() -> None:
    mixed = paint("dark", "run cursor")
    assert mixed.color == DARK["run"].color and mixed.background == DARK["cursor"].background and mixed.bold
    assert paint("dark", "unheard-of") == DARK[""]
    assert set(PAINTS) == {"dark", "terminal", "none"}


def test_ascii_keeps_every_column() -> None:
    row = (Span("│─┌┐└┘├┤━╸·■□▲►✓✗↻⊘›●…↔→▸▁▂▃▄▅▆▇█"), Span(" 映画"))
    (shown,) = Look(ascii=True).finish([row])
    assert plain(shown)[: len(row[0].text)].isascii()
    assert columns(shown) == columns(row)


@STEADY
@given(st.floats(-1, 2), st.integers(0, 40))
def test_a_bar_is_as_long_as_it_was_asked_to_be(share: float, room: int) -> None:
    assert sum(width(part.text) for part in bar(share, room)) == room


def test_a_state_of_a_newer_node_is_shown_as_a_word() -> None:
    assert badge_of({}, "hibern\x1bating", 12).text == "? hibern\\x1b"


# pace


def test_nothing_is_painted_while_the_terminal_is_behind() -> None:
    pace = Pace(1.0)
    assert pace.may_paint(0.0) and pace.painted(0.0)
    assert not pace.may_paint(2.0), "the question is not answered yet"
    pace.answered(5.5)
    assert pace.trip == 5.5 and pace.slow and pace.late(0.5) and not pace.late(0.1)
    assert not pace.may_paint(10.0), "four round trips between repaints"
    assert pace.may_paint(22.0)


def test_a_terminal_that_never_answers_is_asked_once() -> None:
    pace = Pace(1.0)
    pace.painted(0.0)
    assert not pace.may_paint(FIRST_SECONDS - 1) and pace.may_paint(FIRST_SECONDS + 1)
    assert not pace.painted(FIRST_SECONDS + 1)
    assert pace.may_paint(FIRST_SECONDS + 2) and not pace.late(9.0)


def test_an_answer_that_comes_late_counts() -> None:
    pace = Pace(1.0)
    pace.painted(0.0)
    assert pace.may_paint(FIRST_SECONDS)
    pace.answered(6.0)
    assert pace.trip == 6.0 and not pace.may_paint(20.0) and pace.may_paint(25.0)
    assert pace.painted(25.0)
    assert not pace.may_paint(25.0 + GIVE_UP_SECONDS - 1) and pace.may_paint(25.0 + GIVE_UP_SECONDS + 5)


@pytest.mark.parametrize("refresh", [1.0, 5.0])
def test_the_refresh_is_the_shortest_time_between_repaints(refresh: float) -> None:
    pace = Pace(refresh)
    pace.painted(0.0)
    pace.answered(0.01)
    assert not pace.may_paint(refresh * 0.5)
    assert pace.may_paint(refresh)
