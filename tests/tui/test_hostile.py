"""Whatever the array says, a screen is text: names with escape sequences, bidi marks, markup, line breaks, nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fa.tui.canvas import strip_of
from tests.tui import fake
from tests.tui.fake import NASTY, Array, Asked
from tests.tui.world import STEADY, Seat

EVIL = st.one_of(
    st.sampled_from([NASTY, "", "\x1b]52;c;eA==\x07", "\u202eabc", "[@click=app.quit]x[/]", "a\nb\rc\td", "\x9b2J"]),
    st.sampled_from(["\U0001f3f3\ufe0f\u200d\U0001f308" * 9, "e\u0301\u0301\u0301", "\ud800"]),
    st.text(alphabet=st.characters(), max_size=40),
)
KEPT = {"id", "state", "health", "severity"} | {"at", "submitted_at", "started_at", "created_at", "finished_at"}
SCREENS = ("1", "2", "3", "4", "5", "6", "7")


def spoilt(value: Any, evil: str, name: str = "") -> Any:
    """The answer with every word that comes from outside replaced."""
    if isinstance(value, dict):
        return {key: spoilt(each, evil, key) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [spoilt(each, evil, name) for each in value]
    return evil if isinstance(value, str) and name not in KEPT else value


def shown(seat: Seat) -> None:
    for row in seat.desk.lines(seat.width, seat.height):
        text = strip_of(row, "dark", seat.width).text
        assert text.isprintable(), repr(text)
        assert len(seat.screen) == seat.height


@settings(STEADY, max_examples=8, suppress_health_check=list(HealthCheck))
@given(EVIL)
def test_every_screen_and_dialog_shows_hostile_words_as_text(evil: str) -> None:
    array = Array(total=30)
    real = fake.answer

    def answer(array: Array, asked: Asked) -> Any:
        told = real(array, asked)
        return told if isinstance(told, bytes) else spoilt(told, evil)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.tui.world.answer", answer)
        seat = Seat(array, width=100, height=30)
        for screen in SCREENS:
            shown(seat.press(screen))
            shown(seat.press("enter"))
            shown(seat.press("]"))
            shown(seat.press("y"))
            seat.press("escape", "escape", "escape")
        for keys in (("2", "c"), ("2", "W"), ("2", "a"), ("6", "s"), ("3", "x"), ("2", "n"), ("6", "V"), (":", "n")):
            shown(seat.press(*keys))
            seat.press("escape", "escape")


def test_hostile_logs_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "LOG", b"ok\n\x1b[2Jgone\r\xff\x9b\n\xe2\x80\xaebidi\n" * 200)
    seat = Seat().press("2", "l")
    shown(seat)
    assert "\\x1b[2Jgone" in seat.text and "\\u202ebidi" in seat.text


def test_a_toast_is_text() -> None:
    seat = Seat()
    seat.desk.toast("\x1b[31m\u202e[bold]x[/]")
    shown(seat)
    assert "\\x1b[31m\\u202e[bold]x[/]" in seat.text
