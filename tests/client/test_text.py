"""Nothing that a file can be called does anything to a terminal but show."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fa.client.text import clean, clean_json, clean_lines, fit, width

HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_every_code_point_is_shown_or_escaped() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        shown = clean(char)
        if unicodedata.category(char) in HARMFUL:
            assert shown.isascii() and shown.startswith("\\"), hex(code)
        else:
            assert shown == char, hex(code)


@settings(deadline=None, derandomize=True, database=None)
@given(st.text(alphabet=st.characters(codec=None)))
def test_json_keeps_its_value_and_holds_nothing_harmful(text: str) -> None:
    shown = clean_json(json.dumps({"name": text}, ensure_ascii=False, indent=2))
    assert json.loads(shown) == {"name": text}
    assert all(char == "\n" or unicodedata.category(char) not in HARMFUL for char in shown)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("clip.mxf", "clip.mxf"),
        ("Grüße 東京 🎬.mov", "Grüße 東京 🎬.mov"),
        ("a\x1b]0;owned\x07b", "a\\x1b]0;owned\\x07b"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("cod\u202efxm.exe", "cod\\u202efxm.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("broken\udcff", "broken\\udcff"),
        ("tag\U000e0041", "tag\\U000e0041"),
        (None, "None"),
        (7, "7"),
    ],
)
def test_clean(name: object, shown: str) -> None:
    assert clean(name) == shown


def test_lines_stay_lines() -> None:
    assert clean_lines("one\ttwo\n\x1b[2Jthree") == "one     two\n\\x1b[2Jthree"


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("東京", 4), ("e\u0301", 1), ("🎬", 2), ("", 0)])
def test_width(text: str, columns: int) -> None:
    assert width(text) == columns


@settings(deadline=None, derandomize=True, database=None)
@given(st.text(st.characters(exclude_categories=sorted(HARMFUL))), st.integers(2, 30), st.booleans())
def test_what_is_cut_fits(text: str, columns: int, tail: bool) -> None:
    cut = fit(text, columns, tail)
    assert width(cut) <= columns
    assert cut == text or (cut[1:] in text if tail else cut[:-1] in text)


def test_the_tail_of_a_path_is_kept() -> None:
    assert fit("san:in/season 2/EP06_v2.mxf", 12, keep_tail=True) == "…EP06_v2.mxf"
