from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from fa.client.text import width
from fa.tui.canvas import strip_of
from fa.tui.line import Line, Span, beside, cell, changed, columns, crop, exactly, laid, line, plain, tail, wrapped
from tests.tui.world import STEADY

TEXT = st.text(alphabet=st.characters(), max_size=30)
LINES = st.lists(st.tuples(TEXT, st.sampled_from(["", "dim", "run"])), max_size=4).map(
    lambda parts: tuple(Span(cell(text, 12).text, style) for text, style in parts)
)


def test_every_code_point_is_shown_as_plain_text() -> None:
    """Nothing that a name can hold moves the cursor, turns text around, or makes a line (SECURITY.md 4.5)."""
    for start in range(0, sys.maxunicode + 1, 4096):
        text = "".join(map(chr, range(start, start + 4096)))
        shown = strip_of((Span(text),), "dark", 50_000).text
        assert shown.isprintable() or all(char.isprintable() or char.isspace() for char in shown)
        assert not any(char in shown for char in "\x1b\x9b\n\r\t\u202e\u2066\u200f\x7f\x00")


def test_markup_is_text() -> None:
    name = "[bold]x[/] [@click=app.quit]y[/]"
    assert strip_of((cell(name, 40),), "dark", 40).text.rstrip() == name


@STEADY
@given(TEXT, st.integers(0, 40))
def test_a_cell_has_exactly_its_width(text: str, room: int) -> None:
    assert width(cell(text, room).text) == room
    assert width(cell(text, room, right=True, keep_tail=True).text) == room


@STEADY
@given(LINES, st.integers(0, 60))
def test_a_line_is_cropped_to_exactly_its_width(spans: Line, room: int) -> None:
    assert columns(crop(spans, room)) == room


@STEADY
@given(LINES, st.integers(0, 60))
def test_head_and_tail_make_the_whole(spans: Line, at: int) -> None:
    at = min(at, columns(spans))
    head, rest = crop(spans, at), tail(spans, at)
    assert columns(head) + columns(rest) == columns(spans)
    if plain(spans).isascii():
        assert plain(head) + plain(rest) == plain(spans)


def test_a_wide_character_that_is_cut_leaves_a_blank() -> None:
    assert plain(crop((Span("a映b"),), 2)) == "a "
    assert plain(tail((Span("a映b"),), 2)) == " b"


@STEADY
@given(LINES, LINES)
def test_repainting_what_changed_gives_the_new_line(old: Line, new: Line) -> None:
    old, new = crop(old, 48), crop(new, 48)
    part = changed(old, new)
    if part is None:
        assert plain(old) == plain(new)
        return
    start, length = part
    assert start >= 0 and start + length <= 48 and length > 0
    painted = (*crop(old, start), *crop(tail(new, start), length), *tail(old, start + length))
    assert plain(painted) == plain(new)


def test_a_bar_that_grows_repaints_its_end_only() -> None:
    old, new = (
        line("name ", Span("━━━", "run"), Span("───", "rule"), " 50%"),
        line("name ", Span("━━━━", "run"), Span("──", "rule"), " 50%"),
    )
    assert changed(old, new) == (8, 1)
    assert changed(new, new) is None


def test_blocks_are_laid_over_and_beside() -> None:
    base = [line("......")] * 3
    assert [plain(row) for row in laid(base, [line("ab"), line("cd")], 2, 1)] == ["......", "..ab..", "..cd.."]
    assert [plain(row) for row in laid(base, [line("ab")], 2, 9)] == ["......"] * 3
    assert [plain(row) for row in beside([line("a")], [line("b"), line("c")], 3, "|")] == ["a  |b", "   |c"]
    assert [plain(row) for row in exactly([line("abc")], 2, 2)] == ["ab", "  "]


def test_prose_is_broken_at_blanks_and_long_words_anywhere() -> None:
    assert [plain(row) for row in wrapped("one two three", 8)] == ["one two", "three"]
    assert [plain(row) for row in wrapped("abcdefghij", 4)] == ["abcd", "efgh", "ij"]
    assert [plain(row) for row in wrapped("a\x1bb", 20)] == ["a\\x1bb"]
