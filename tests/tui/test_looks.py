"""Every screen and every tab of a job without colour and in ASCII, at both sizes; and that no state needs a colour.

`FA_SNAPSHOTS=write` writes the pictures anew (see test_snapshots.py). Without colour, ⟦ ⟧ stand around what is
reversed: that is all that an operator sees besides the text."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from rich.segment import Segment

import fa.tui
from fa.core.lifecycle import JobState
from fa.core.model import AttemptState
from fa.tui import look as looks
from fa.tui.canvas import strip_of
from fa.tui.line import Line, plain
from fa.tui.look import Badge, Look
from tests.tui.fake import NASTY, Array
from tests.tui.test_snapshots import JOB_TABS, SCREENS, holds, seat
from tests.tui.world import Seat, squeezed

SIZES = ((80, 24), (120, 36))
NO_COLOUR, ASCII = Look("none"), Look(ascii=True)
BARE = Look("none", ascii=True)
BADGES: dict[str, Mapping[str, Badge]] = {
    name: getattr(looks, name)
    for name in ("JOBS", "NODES", "HEALTH", "MIRROR", "MONITORS", "VOLUMES", "SEVERITIES", "COPIES")
}
BADGES["ATTEMPTS"] = {state.value: looks.JOBS[state.value] for state in AttemptState}
BADGES["JOB"] = {state.value: looks.JOBS[state.value] for state in JobState}
BADGES["TASK"] = {"publishing": looks.PUBLISH}


def bare(text: str) -> str:
    """Our glyphs as their ASCII twins."""
    return plain(ASCII.finish([(looks.Span(text),)])[0])


def segments(row: Line, width: int) -> list[Segment]:
    return list(strip_of(row, "none", width))


def without_colour(found: Seat) -> list[str]:
    """What is seen, with ⟦ ⟧ around what is reversed. Asserts that no colour is sent for it."""
    out = []
    for row in found.desk.lines(found.width, found.height):
        parts = segments(row, found.width)
        for part in parts:
            assert part.style is None or (part.style.color is None and part.style.bgcolor is None), part
        runs = groupby(parts, lambda part: bool(part.style and part.style.reverse))
        texts = [(how, "".join(part.text for part in run)) for how, run in runs]
        out.append("".join(f"⟦{text}⟧" if how else text for how, text in texts).rstrip())
    return out


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", [*SCREENS, *JOB_TABS])
def test_without_colour(name: str, size: tuple[int, int]) -> None:
    found = seat((SCREENS | JOB_TABS)[name], *size, NO_COLOUR)
    seen = without_colour(found)
    dark = seat((SCREENS | JOB_TABS)[name], *size).screen
    assert [line.replace("⟦", "").replace("⟧", "").rstrip() for line in seen] == dark
    holds(f"{name}-{size[0]}x{size[1]}-no-colour", squeezed(seen))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", [*SCREENS, *JOB_TABS])
def test_in_ascii(name: str, size: tuple[int, int]) -> None:
    """Nothing of ours is left; a name of a file is not ours."""
    seen = seat((SCREENS | JOB_TABS)[name], *size, ASCII).screen
    ours = "\n".join(seen).translate(dict.fromkeys(map(ord, NASTY)))
    assert ours.isascii(), f"no twin in ASCII: {sorted({char for char in ours if not char.isascii()})}"
    holds(f"{name}-{size[0]}x{size[1]}-ascii", squeezed(seen))


def literals(path: Path) -> set[str]:
    """The texts of a file that are not its comments and docstrings."""
    tree = ast.parse(path.read_text())
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
    }


def test_every_glyph_that_the_dashboard_can_draw_has_a_twin_in_ascii() -> None:
    """Also those of screens and dialogs that no picture here shows."""
    without = {
        f"{path.name}: {char}"
        for path in Path(fa.tui.__file__).parent.rglob("*.py")
        for text in literals(path)
        for char in bare(text)
        if char.isprintable() and not char.isascii()
    }
    assert not without


@pytest.mark.parametrize("table", BADGES)
def test_a_state_is_a_glyph_and_a_word_and_no_two_read_alike(table: str) -> None:
    states = BADGES[table]
    assert all(len(badge.glyph) == 1 and badge.word.strip() for badge in states.values())
    assert len({bare(f"{badge.glyph} {badge.word}") for badge in states.values()}) == len(states)


# each state, on each screen that shows it


class Told(Array):
    """An array in which one thing is in a state of our choice."""

    state = ""


class OfNode(Told):
    def nodes(self) -> list[dict[str, Any]]:
        return [{**node, "state": self.state} for node in super().nodes()[:1]]


class OfMonitor(Told):
    def monitors(self) -> list[dict[str, Any]]:
        return [{**row, "state": self.state} for row in super().monitors()[:1]]


class OfHealth(Told):
    def status(self) -> dict[str, Any]:
        return {**super().status(), "health": self.state}


class OfMirror(Told):
    def status(self) -> dict[str, Any]:
        told = super().status()
        return {**told, "mirror": {**told["mirror"], "state": self.state}}

    def mirror(self) -> dict[str, Any]:
        return {**super().mirror(), "state": self.state}


class OfCopy(Told):
    def mirror(self) -> dict[str, Any]:
        told = super().mirror()
        return {**told, "copies": [{**copy, "state": self.state} for copy in told["copies"]]}


class OfEvent(Told):
    def events(self) -> dict[str, Any]:
        return {"items": [{**item, "severity": self.state} for item in super().events()["items"]]}


class OfVolume(Told):
    def volumes(self) -> list[dict[str, Any]]:
        return [{**row, "state": self.state} for row in super().volumes()]


class OfJob(Told):
    def _job(self, number: int, state: str) -> dict[str, Any]:
        return super()._job(number, self.state if number == self.total else state)


class OfTask(Told):
    """A task that is published while its job still runs."""

    def _task(self, number: int, state: str) -> dict[str, Any]:
        return {**super()._task(number, state), **({"state": self.state} if number == self.total else {})}


class OfAttempt(Told):
    def attempts(self) -> list[dict[str, Any]]:
        return [{**row, "state": self.state} for row in super().attempts()]


SHOWN: list[tuple[str, type[Told], Sequence[tuple[str, ...]], str]] = [
    ("JOB", OfJob, [("2",), ("2", "l"), ("2", "l", "]", "]"), ("2", "l", "]", "]", "]")], ""),
    ("TASK", OfTask, [("2",), ("2", "l"), ("2", "l", "]", "]"), ("2", "l", "]", "]", "]")], ""),
    ("NODES", OfNode, [("1",), ("3",)], "coordinator"),
    ("HEALTH", OfHealth, [("1",), ("7",)], "studio"),
    ("MIRROR", OfMirror, [("6",), ("1",)], ""),
    ("MONITORS", OfMonitor, [("5",), ("5", "enter")], ""),
    ("VOLUMES", OfVolume, [("3", "enter")], "volume"),
    ("SEVERITIES", OfEvent, [("1",), ("7",)], "job/999"),
    ("ATTEMPTS", OfAttempt, [("2", "a")], "proxy"),
    ("COPIES", OfCopy, [("6",)], ""),
]
CASES = [
    pytest.param(kind, state, badge, keys, beside, id=f"{table}-{state}-{''.join(keys)}")
    for table, kind, screens, beside in SHOWN
    for state, badge in BADGES[table].items()
    for keys in screens
]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(("kind", "state", "badge", "keys", "beside"), CASES)
def test_a_state_is_read_without_colour_and_in_ascii(
    kind: type[Told], state: str, badge: Badge, keys: tuple[str, ...], beside: str, size: tuple[int, int]
) -> None:
    array = kind()
    array.state = state
    seen = Seat(array, *size, BARE).press(*keys).screen
    said = bare(f"{badge.glyph} {badge.word}")
    assert any(said in row and beside in row for row in seen), "\n".join(seen)
