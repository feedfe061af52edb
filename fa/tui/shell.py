"""The shell around the desk: the terminal (by Textual), the clock, HTTP and the live stream. It decides nothing."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size

from fa.client.feed import Feed
from fa.client.target import Target
from fa.errors import FaError, Invalid
from fa.tui.canvas import Canvas
from fa.tui.desk import Desk, Options
from fa.tui.host import Copy, Effect, Mouse, Quit, Redraw, Save, Send
from fa.tui.keys import MOVES
from fa.tui.pace import QUESTION, Pace
from fa.tui.prompt_line import DEBOUNCE_SECONDS
from fa.tui.terminal import clipboard

if TYPE_CHECKING:
    from fa.client.aio import AsyncClient

TOPICS = ("job", "node", "mirror", "alert", "event", "progress")


class Dashboard(App[None]):
    """``error`` is what ended it, when the array could not be reached or did not let us in."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []  # every key goes to the desk
    CSS = "Screen { background: ansi_default; overflow: hidden; }"

    def __init__(self, target: Target, options: Options, refresh_seconds: float = 1.0) -> None:
        super().__init__(ansi_color=True)
        self._bindings.key_to_bindings.clear()
        self.target, self.refresh_seconds = target, refresh_seconds
        self.desk = Desk(options, time.monotonic(), datetime.now(UTC))
        self.pace = Pace(refresh_seconds)
        self.canvas = Canvas()
        self._client: AsyncClient | None = None
        self._requests: asyncio.TaskGroup | None = None  # in flight; none outlives the connection
        self._early: list[Send] = []  # asked for before there was one
        self.error: FaError | None = None
        self._extent = Size(80, 24)

    def compose(self) -> ComposeResult:
        yield self.canvas

    def on_mount(self) -> None:
        self.pace.mute = self.is_headless
        self.call_after_refresh(lambda: self.run_worker(self._live(), exit_on_error=True))
        self.set_interval(self.refresh_seconds, self._tick)

    # the array

    async def _live(self) -> None:
        """The connection, as long as the dashboard runs. HTTP is loaded when the first screen is painted already: it is
        half of all that there is to load."""
        from fa.client.aio import AsyncClient

        try:
            async with AsyncClient(self.target) as client, asyncio.TaskGroup() as requests:
                self._client, self._requests = client, requests
                for effect in self._early:
                    self._one(effect, foreground=True)
                self.desk.start()
                self._perform(foreground=True)
                async for feed in client.stream(TOPICS):
                    self._hear(feed)
        except* FaError as errors:
            self.error = _first(errors)
            self.exit(return_code=1)
        finally:
            self._requests = None

    def _hear(self, feed: Feed) -> None:
        self.desk.now = time.monotonic()
        self.desk.heard(feed)
        self._perform(foreground=False)

    async def _send(self, effect: Send, foreground: bool) -> None:
        assert self._client is not None, "nothing is sent before the connection is made"
        try:
            told = await (self._client.reply(effect.call) if effect.raw else self._client.send(effect.call))
            effect.then(told)
        except FaError as error:
            effect.fail(error)
        except UnicodeError:  # a name that holds half a character; no node has one
            effect.fail(Invalid("This name cannot be sent: it holds half a character."))
        self._perform(foreground)
        if foreground:
            self._paint()

    # the clock

    def _tick(self) -> None:
        now = time.monotonic()
        self.desk.link_ms = self.pace.trip * 1000 if self.pace.trip is not None else None
        self.desk.tick(now, datetime.now(UTC))
        self._perform(foreground=False)
        if self.pace.may_paint(now) and self._paint() and self.pace.painted(now):
            self._write(QUESTION)

    def on_cursor_position(self) -> None:
        self.pace.answered(time.monotonic())

    # the terminal

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        now = time.monotonic()
        if event.key in MOVES and self.pace.late(now - event.time):
            return
        self.desk.key(event.key, event.character, now)
        self._after()
        if self.desk.typing is not None:
            self.set_timer(DEBOUNCE_SECONDS * 1.1, self._typed)

    def _typed(self) -> None:
        self.desk.tick(time.monotonic(), datetime.now(UTC))
        self._after()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self.desk.paste(event.text)
        self._after()

    def on_click(self, event: events.Click) -> None:
        self.desk.click(event.screen_x, event.screen_y)
        self._after()

    def on_mouse_scroll_down(self) -> None:
        self.desk.wheel(3)
        self._after()

    def on_mouse_scroll_up(self) -> None:
        self.desk.wheel(-3)
        self._after()

    def on_resize(self, event: events.Resize) -> None:
        self._extent = event.size
        self._paint()

    def _after(self) -> None:
        """The person did something: it shows at once."""
        self._perform(foreground=True)
        self._paint()

    def _paint(self) -> int:
        """How many rows changed."""
        size = self._extent
        return self.canvas.show(self.desk.lines(size.width, size.height), self.desk.look.theme)

    def _write(self, text: str) -> None:
        if self._driver is not None:
            self._driver.write(text)

    # effects

    def _perform(self, foreground: bool) -> None:
        for effect in self.desk.take():
            self._one(effect, foreground)

    def _one(self, effect: Effect, foreground: bool) -> None:
        match effect:
            case Send():
                if self._requests is not None:
                    self._requests.create_task(self._send(effect, foreground))
                else:
                    self._early.append(effect)
            case Copy(text, what):
                self._write(clipboard(text, os.environ))
                self.desk.toast(f"{what} sent to the clipboard of the terminal")
            case Save(name, lines):
                self.desk.toast(*_saved(name, lines))
            case Mouse(captured):
                self._capture_mouse(captured)
            case Redraw():
                self.canvas.rows = []
                self.refresh(layout=True)
            case Quit():
                self.exit()

    def _capture_mouse(self, captured: bool) -> None:
        driver = self._driver
        if isinstance(driver, LinuxDriver):
            driver._mouse = True
            (driver._enable_mouse_support if captured else driver._disable_mouse_support)()
        self.desk.toast("the mouse is the dashboard's" if captured else "the mouse is the terminal's")


def _saved(name: str, lines: tuple[str, ...]) -> tuple[str, str]:
    """Write a screen to a new file in the current folder; what to say, and how."""
    path = Path.cwd() / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.txt"
    try:
        with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join(lines) + "\n")
    except OSError as error:
        return f"this screen could not be saved: {error}", "warn"
    return f"saved as {path}", "toast"


def _first(errors: BaseExceptionGroup[FaError]) -> FaError:
    """The error in a group; groups may be in groups."""
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
