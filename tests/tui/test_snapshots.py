"""Every screen as plain text. ``FA_SNAPSHOTS=write pytest tests/tui/test_snapshots.py`` writes them anew; look at the
difference before it is committed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fa.tui.canvas import strip_of
from fa.tui.line import plain
from fa.tui.look import Look
from tests.tui.world import Seat, squeezed

FOLDER = Path(__file__).parent / "snapshots"
SIZES = ((80, 24), (120, 36), (200, 60))
SCREENS = {
    "array": ("1",),
    "jobs": ("2", "down", "space", "space"),
    "nodes": ("3", "down"),
    "factories": ("4",),
    "monitors": ("5", "down"),
    "mirror": ("6",),
    "events": ("7",),
}
JOB_TABS = {
    "job-log": ("2", "l"),
    "job-attempts": ("2", "a"),
    "job-facts": ("2", "l", "]", "]"),
    "job-graph": ("2", "l", "]", "]", "]"),
    "job-json": ("2", "l", "]", "]", "]", "]"),
}
OPENED = {
    **JOB_TABS,
    "factory": ("4", "enter"),
    "node": ("3", "enter"),
    "cancel": ("2", "space", "space", "c"),
    "cancel-all": ("2", "*", "c"),
    "bulk": ("2", "space", "b"),
    "why": ("2", "W"),
    "submit": ("2", "n"),
    "files": ("2", "n", *"san:in/", "ctrl+o"),
    "sort": ("2", "S"),
    "switchover": ("6", "s"),
    "help": ("2", "?"),
    "palette": ("2", "ctrl+p"),
    "command": (":", "j"),
}


def seat(keys: tuple[str, ...], width: int, height: int, look: Look | None = None) -> Seat:
    found = Seat(width=width, height=height, look=look)
    for second in range(40):
        found.now += 1
        told = {"phase": "flipping", "progress": 0.5 + second / 100, "fps": 20.0 + second % 13, "eta": 45}
        found.tell("progress", {"10000": told})
    return found.press(*keys)


def holds(name: str, text: str) -> None:
    path = FOLDER / f"{name}.txt"
    if os.environ.get("FA_SNAPSHOTS") == "write":
        path.write_text(text)
    assert path.read_text() == text, f"{name} looks different; see the docstring of this file"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
def test_screen(name: str, size: tuple[int, int]) -> None:
    holds(f"{name}-{size[0]}x{size[1]}", squeezed(seat(SCREENS[name], *size).screen))


@pytest.mark.parametrize("name", OPENED)
def test_opened(name: str) -> None:
    holds(f"{name}-80x24", squeezed(seat(OPENED[name], 80, 24).screen))


@pytest.mark.parametrize("name", JOB_TABS)
def test_the_tabs_of_a_job_where_there_is_room(name: str) -> None:
    holds(f"{name}-120x36", squeezed(seat(JOB_TABS[name], 120, 36).screen))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", [*SCREENS, *OPENED])
def test_other_looks_differ_in_glyphs_and_colours_only(name: str, size: tuple[int, int]) -> None:
    """So one text per dialog is enough: no colour and ASCII are held against it here, those of whole screens in
    test_looks.py."""
    keys = (SCREENS | OPENED)[name]
    dark = seat(keys, *size)
    grey, ascii = seat(keys, *size, Look("none")), seat(keys, *size, Look(ascii=True))
    assert grey.screen == dark.screen
    rows = dark.desk.lines(*size)
    assert [plain(row) for row in Look(ascii=True).finish(rows)] == [plain(row) for row in ascii.desk.lines(*size)]
    for row in grey.desk.lines(*size):
        for segment in strip_of(row, "none", size[0]):
            assert segment.style is None or (segment.style.color is None and segment.style.bgcolor is None)


@pytest.mark.parametrize("name", SCREENS)
def test_without_colour_cursor_and_tab_are_reversed(name: str) -> None:
    found = seat(SCREENS[name], 80, 24, Look("none"))
    rows = found.desk.lines(80, 24)
    tabs = [segment.text for segment in strip_of(rows[1], "none", 80) if segment.style and segment.style.reverse]
    assert [text.strip().split(" ")[1].lower() for text in tabs] == [name]
    if name in ("nodes", "jobs", "factories", "monitors", "mirror", "events", "array"):
        cursor = next(row for row in rows if plain(row).startswith("›"))
        assert all(segment.style and segment.style.reverse for segment in strip_of(cursor, "none", 80))
