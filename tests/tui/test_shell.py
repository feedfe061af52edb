"""The shell for real: Textual, a socket, the live stream; keys by Pilot. What keys do is told in test_desk.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from fa.client.problems import Unreachable
from fa.client.target import Target
from fa.tui.desk import Options
from fa.tui.keys import ACTIONS, LISTS, MOVES
from fa.tui.line import Span, plain
from fa.tui.shell import Dashboard, _saved
from tests.tui.fake import Array, serving

PATIENCE_SECONDS = 60.0


class Watched:
    """A dashboard in a terminal that only exists here."""

    def __init__(self, app: Dashboard, pilot: Pilot[None], array: Array) -> None:
        self.app, self.pilot, self.array = app, pilot, array

    @property
    def text(self) -> str:
        """What was painted."""
        return "\n".join(plain(row) for row in self.app.canvas.rows)

    async def until(self, holds: Callable[[], bool], what: str = "") -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                await self.pilot.pause(0.02)

    async def shows(self, text: str) -> None:
        await self.until(lambda: text in self.text, text)

    async def hides(self, text: str) -> None:
        await self.until(lambda: text not in self.text, text)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)


@asynccontextmanager
async def watching(folder: Path, array: Array | None = None, **options: object) -> AsyncIterator[Watched]:
    array = array or Array()
    path = str(folder / "fa.sock")
    async with serving(array, path):
        app = Dashboard(Target(socket=path), Options(**options), refresh_seconds=0.2)  # type: ignore[arg-type]
        async with app.run_test(size=(120, 36)) as pilot:
            yield Watched(app, pilot, array)


async def test_from_the_first_paint_to_quitting(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        await seen.shows("LOCK-STEP")
        await seen.press("2")
        await seen.shows("all jobs")
        await seen.press("slash", *"state:fail", "enter")
        await seen.until(lambda: "FAIL" in seen.text and "► RUN      1000" not in seen.text)
        await seen.press("escape", "c")
        await seen.shows("Cancel 1 job?")
        await seen.press("y")
        await seen.shows("⊘ CNCL     1000")
        assert [line for line in seen.array.asked if line.startswith("POST")] == ["POST /v1/jobs/1000/cancel"]
        assert seen.array.keys[0], "a write carries a key, so that sending it twice does it once"
        await seen.press("q")
        await seen.until(lambda: not seen.app.is_running)
    assert seen.app.error is None and not seen.app.return_code


async def test_what_happens_is_shown_and_a_lost_stream_is_told(tmp_path: Path) -> None:
    async with watching(tmp_path, Array(running=2)) as seen:
        await seen.press("2")
        await seen.until(lambda: bool(seen.array.watchers) and "all jobs" in seen.text)
        seen.array.tell("progress", {"10000": {"phase": "delivering", "progress": 0.93}})
        await seen.shows("d 93%")
        seen.array.total += 1
        seen.array.tell("job", {"id": 1001, "state": "queued", "was": None}, "7-2")
        await seen.shows("v1001.mxf")
        seen.app.desk.world.link.heard -= 100
        seen.array.epoch, seen.array.coordinator = 8, "b"
        seen.array.cut()
        await seen.shows("the lead moved from a to b (epoch 8)")
        await seen.until(lambda: seen.app.desk.world.link.node == "b")


@pytest.mark.parametrize("scope", LISTS)
async def test_every_key_reaches_its_action(scope: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the terminal's own key names, on each screen; moves reach the screen."""
    opened = {"job": "2", "node": "3", "factory": "4", "monitor": "5"}
    numbers = {"array": "1", "jobs": "2", "nodes": "3", "factories": "4", "monitors": "5", "mirror": "6", "events": "7"}
    async with watching(tmp_path) as seen:
        await seen.shows("LOCK-STEP")
        await seen.press(numbers.get(scope) or opened[scope])
        await seen.until(lambda: seen.app.desk.view.what() is not None)
        if scope in opened:
            await seen.press("enter")
        await seen.until(lambda: seen.app.desk.view.name == scope)
        did: list[str] = []
        monkeypatch.setattr(seen.app.desk, "run", did.append)
        monkeypatch.setattr(seen.app.desk.view, "move", did.append)
        wanted = [(key, action.id) for action in ACTIONS if action.works_in(scope) for key in action.keys]
        await seen.press(*(key for key, _ in wanted), *MOVES)
        await seen.until(lambda: len(did) >= len(wanted) + len(MOVES))
        assert did == [*(action for _, action in wanted), *MOVES.values()]
        await seen.press("ctrl+c")
        await seen.shows("q quits")


async def test_a_paste_goes_into_the_line_and_nowhere_else(tmp_path: Path) -> None:
    from textual.events import Paste

    async with watching(tmp_path) as seen:
        await seen.shows("LOCK-STEP")
        await seen.press("2", "slash")
        seen.app.post_message(Paste("state:held\nq"))
        await seen.shows("state:heldq")
        assert seen.app.is_running


async def test_clicks_wheel_and_a_smaller_terminal(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        await seen.shows("LOCK-STEP")
        await seen.pilot.click(offset=(12, 1))
        await seen.shows("all jobs")
        await seen.shows("v997.mxf")
        await seen.pilot.click(offset=(20, 8))
        await seen.shows("─ Job 997 ─")
        await seen.pilot.resize_terminal(20, 5)
        await seen.until(lambda: len(seen.app.canvas.rows) == 5)
        await seen.pilot.resize_terminal(80, 24)
        await seen.until(lambda: len(seen.app.canvas.rows) == 24)
        await seen.press("ctrl+l")
        await seen.shows("v997.mxf")


async def test_only_what_changed_is_painted(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        await seen.press("2")
        await seen.shows("v997.mxf")
        canvas = seen.app.canvas
        lines = list(canvas.rows)
        assert canvas.show(lines, canvas.theme) == 0
        lines[5] = (*lines[5][:-1], Span("!"))
        assert canvas.show(lines, canvas.theme) == 1
        assert canvas.show(lines, "none") == 36


async def test_an_array_that_is_not_there_ends_it_with_a_sentence(tmp_path: Path) -> None:
    app = Dashboard(Target(socket=str(tmp_path / "nobody.sock")), Options())
    async with app.run_test(size=(80, 24)) as pilot:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while app.is_running and app.error is None:
                await pilot.pause(0.02)
    assert isinstance(app.error, Unreachable) and app.return_code == 1


async def test_a_token_that_is_not_taken_ends_it_too(tmp_path: Path) -> None:
    array = Array(broken={"GET /v1/stream": (401, "unauthorized")})
    async with watching(tmp_path, array) as seen:
        await seen.until(lambda: seen.app.error is not None)
    assert seen.app.error is not None and seen.app.error.code == "unauthorized"


async def test_effects_of_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with watching(tmp_path) as seen:
        await seen.shows("LOCK-STEP")
        written: list[str] = []
        monkeypatch.setattr(seen.app, "_write", written.append)
        await seen.press("2")
        await seen.shows("v1000.mxf")
        await seen.press("y", "1")
        await seen.shows("id sent to the clipboard of the terminal")
        assert "\x1b]52;c;MTAwMA==\x07" in written[-1]
        await seen.press("ctrl+s")
        await seen.shows("saved as")
        (saved,) = tmp_path.glob("fa-jobs-*.txt")
        assert "v1000.mxf" in saved.read_text()
        await seen.press("percent_sign")
        await seen.shows("the mouse is the dashboard's")


def test_a_screen_that_cannot_be_saved_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text, style = _saved("no/such/folder", ("x",))
    assert style == "warn" and "could not be saved" in text
