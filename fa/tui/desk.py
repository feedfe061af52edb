"""The desk: holds the screens, the dialogs and the world; takes keys, answers and events; gives a screen of lines and
a list of effects. No terminal, no clock, no connection: those are the shell's (`fa.tui.shell`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any

from fa.client.calls import Call
from fa.client.feed import Feed, Live, Relist, Stale
from fa.client.problems import BadAnswer
from fa.client.text import clean
from fa.errors import FaError
from fa.tui import chrome, frame
from fa.tui.acts import Acts
from fa.tui.host import Box, Copy, Effect, Fail, Mouse, Quit, Redraw, Save, Send, Then, View, sentence
from fa.tui.keys import MOVES, Action, KeyMap
from fa.tui.line import Line, plain
from fa.tui.look import Look
from fa.tui.panel import Size
from fa.tui.prompt_line import PromptLine
from fa.tui.scene import Scene
from fa.tui.times import Clock, parse
from fa.tui.views.array import Array
from fa.tui.views.events import Events
from fa.tui.views.factories import Factories
from fa.tui.views.jobs import Jobs
from fa.tui.views.mirror import MirrorView
from fa.tui.views.monitors import Monitors
from fa.tui.views.nodes import Nodes
from fa.tui.world import SOURCES, World

TOAST_SECONDS = 6.0
LOOK_AGAIN_SECONDS = 5.0  # what is on the screen is read anew this often: counters move without an event
SAMPLE_SECONDS = 2.0  # between looks at the delay of commits, on whatever screen
COMMANDS_KEPT = 200


@dataclass(frozen=True, slots=True)
class Options:
    readonly: bool = False
    mouse: bool = False
    look: Look = field(default_factory=Look)
    zone: tzinfo | None = None
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Toast:
    text: str
    style: str
    until: float


@dataclass(frozen=True, slots=True)
class Did:
    """A line of the command log."""

    at: datetime
    cli: str
    became: str


class Desk:
    def __init__(self, options: Options, now: float = 0.0, wall: datetime | None = None) -> None:
        self.options, self.look = options, options.look
        self.now, self.wall = now, wall or datetime.now(UTC)
        self.world, self.keymap = World(), KeyMap(options.keys)
        self.world.link.heard = now
        views: list[View] = [
            Array(self), Jobs(self), Nodes(self), Factories(self), Monitors(self), MirrorView(self), Events(self),
        ]  # fmt: skip
        self.views = {view.name: view for view in views}
        self.stack: list[View] = [views[0]]
        self.boxes: list[Box] = []
        self.typing: PromptLine | None = None
        self.did: deque[Did] = deque(maxlen=COMMANDS_KEPT)
        self.undo: tuple[str, Callable[[], None]] | None = None
        self.frozen, self.utc, self.stamps, self.mouse = False, False, False, options.mouse
        self.link_ms: float | None = None
        self.size = Size(80, 24)
        self.acts = Acts(self)
        self._toast: Toast | None = None
        self._effects: list[Effect] = []
        self._asked: set[str] = set()
        self._led = (0, "")  # the last epoch in which somebody led, and who
        self._looked, self._sampled = now, now
        self._skew = timedelta()
        self._frozen_lines: list[Line] | None = None

    # what is seen

    @property
    def view(self) -> View:
        return self.stack[-1]

    @property
    def crumbs(self) -> list[str]:
        """What is opened on top of a screen."""
        return [view.title for view in self.stack[1:]]

    @property
    def jobs(self) -> Jobs:
        found = self.views["jobs"]
        assert isinstance(found, Jobs), "the second screen is the list of jobs"
        return found

    @property
    def clock(self) -> Clock:
        return Clock(self.wall + self._skew, self.options.zone, self.utc)

    @property
    def toasted(self) -> Toast | None:
        return self._toast

    def scene(self, size: Size) -> Scene:
        boxed = self.size.boxed
        return Scene(self.world, size, self.clock, self.now, self.stamps, boxed)

    def lines(self, width: int, height: int) -> list[Line]:
        """The whole screen: exactly ``height`` lines of ``width`` columns."""
        self.size = Size(width, height)
        return self.look.finish(frame.whole(self))

    def view_lines(self, size: Size) -> list[Line]:
        """The part of the screen; as it was when the screen was frozen."""
        if not self.frozen:
            return self.view.lines(self.scene(size))
        if self._frozen_lines is None:
            self._frozen_lines = self.view.lines(self.scene(size))
        return self._frozen_lines

    # what comes in

    def start(self) -> None:
        self._ask({"me"})
        self.view.opened()
        self._fetch()

    def key(self, key: str, character: str | None, now: float) -> None:
        """A key of the terminal."""
        self.now = now
        self._frozen_lines, self._toast = None, None
        if key == "ctrl+c":
            self.toast("q quits; c cancels jobs")
        elif self.boxes:
            self.boxes[-1].key(key, character)
        elif self.typing is not None:
            self.typing.key(key, character)
        elif key in MOVES:
            self.view.move(MOVES[key])
        else:
            action = self.keymap.find(key, self.view.name)
            if action is not None:
                self.run(action.id)

    def paste(self, text: str) -> None:
        if self.boxes:
            self.boxes[-1].paste(text)
        elif self.typing is not None:
            self.typing.insert(text)

    def click(self, x: int, y: int) -> None:
        """The left button, on a tab or on a row."""
        if self.boxes or self.typing is not None:
            return
        if y == 1:
            at, spans = 0, chrome.tabs(self.scene(self.size), self.stack[0].name, self.crumbs)
            for number, span in enumerate(spans):
                at += len(span.text)
                if x < at and 1 <= number <= len(chrome.TABS):
                    self.run(f"view.{chrome.TABS[number - 1]}")
                    return
        self.view.click(y - frame.ABOVE)

    def wheel(self, rows: int) -> None:
        if not self.boxes and self.typing is None:
            for _ in range(abs(rows)):
                self.view.move("down" if rows > 0 else "up")

    def heard(self, feed: Feed) -> None:
        """Something of the live stream."""
        match feed:
            case Live(node):
                if not self.world.link.node:
                    self.jobs.missed()  # what it listed before the stream was open for the first time
                self.world.link.live, self.world.link.node = True, node
                self.world.everything_is_old()
            case Stale(why):
                self.world.link.broke(why, self.now)
                return
            case Relist():
                self.world.everything_is_old()
                self.jobs.missed()
            case _:
                self._event(feed.name, feed.data)
        self.world.link.heard = self.now

    def _event(self, topic: str, data: Any) -> None:
        if topic == "":
            self._hear_clock(str(data))
            return
        try:
            self._tell(topic, data)
        except BadAnswer as error:  # of a node of another version; the next look at the array corrects it
            self.toast(sentence(error), "warn")

    def _tell(self, topic: str, data: Any) -> None:
        self.world.heard(topic, data, self.now)
        for view in {id(view): view for view in (*self.views.values(), *self.stack)}.values():
            view.heard(topic, data)

    def _hear_clock(self, moment: str) -> None:
        """Ages are counted by the server's clock (FACES.md section 7, 19)."""
        found = parse(moment)
        if found is not None:
            skew = found - self.wall
            self._skew = skew if abs(skew) > timedelta(seconds=2) else timedelta()

    def tick(self, now: float, wall: datetime) -> None:
        """Time went on: about once a second."""
        self.now, self.wall = now, wall
        if self._toast and now >= self._toast.until:
            self._toast = None
        if self.typing is not None:
            self.typing.tick()
        if now - self._looked >= LOOK_AGAIN_SECONDS:
            self._looked = now
            self.world.old |= {*self.view.needs, "me"}
        if not self.frozen:
            self.view.tick()
            self._fetch()

    # what goes out

    def take(self) -> list[Effect]:
        """The effects since the last call."""
        effects, self._effects = self._effects, []
        return effects

    def _fetch(self) -> None:
        needs = {*self.view.needs, "status"}
        wanted = {name for name in needs if name in self.world.old or name not in self.world.known}
        if self.now - self._sampled >= SAMPLE_SECONDS:
            self._sampled = self.now
            wanted.add("mirror")  # the delay of a commit is a sample, not a fact that changes
        if "me" in self.world.old:
            wanted.add("me")
        self._ask(wanted)

    def _ask(self, sources: set[str]) -> None:
        for name in sorted(sources - self._asked):
            self._asked.add(name)
            self.world.old.discard(name)
            self.send(SOURCES[name].call, partial(self._answered, name), partial(self._unanswered, name))

    def ask_for(self, sources: set[str]) -> None:
        """Something was changed that these show."""
        self.world.old |= sources
        self._ask(sources)

    def heard_job(self, job: int) -> None:
        """A job was changed from here: do not wait for the stream to say so."""
        self._event("job", {"id": job})

    def _answered(self, name: str, told: Any) -> None:
        self._asked.discard(name)
        self.world.told(name, told)
        if name == "status":
            self._watch_the_lead()

    def _watch_the_lead(self) -> None:
        """Say that the lead moved, also when for a while there was none."""
        status, (epoch, leader) = self.world.status, self._led
        if not status.coordinator:
            return
        self._led = (status.epoch, status.coordinator)
        if leader and status.epoch > epoch:
            moved = f"the lead moved from {leader} to {status.coordinator}"
            text = moved if status.coordinator != leader else f"{leader} leads again"
            self.toast(f"{text} (epoch {status.epoch})", "warn")
            self.world.everything_is_old()

    def _unanswered(self, name: str, error: FaError) -> None:
        self._asked.discard(name)
        self.world.troubles[name] = sentence(error)
        self.world.old.add(name)

    def send(self, call: Call, then: Then, fail: Fail | None = None, *, raw: bool = False, cli: str = "") -> None:
        """Ask the array. With ``cli``, an act of the person: it goes into the command log with what became of it."""
        failed = fail or self._complain
        if cli:
            then, failed = partial(self._done, cli, then), partial(self._not_done, cli, failed)
        self._effects.append(Send(call, then, failed, raw))

    def _done(self, cli: str, then: Then, told: Any) -> None:
        self.did.append(Did(self.wall, cli, "done"))
        then(told)

    def _not_done(self, cli: str, fail: Fail, error: FaError) -> None:
        self.did.append(Did(self.wall, cli, sentence(error)))
        fail(error)

    def _complain(self, error: FaError) -> None:
        self.toast(sentence(error), "warn")

    # what screens and dialogs ask for (see `Host`)

    def toast(self, text: str, style: str = "toast") -> None:
        self._toast = Toast(clean(text), style, self.now + TOAST_SECONDS)

    def push(self, view: View) -> None:
        self.stack.append(view)
        self._show()

    def show_screen(self, name: str) -> None:
        self.stack = [self.views[name]]
        self._show()

    def pop(self) -> None:
        if len(self.stack) > 1:
            self.stack.pop()
            self._show()

    def _show(self) -> None:
        self._frozen_lines = None
        self.world.old |= set(self.view.needs) - self._asked
        self.view.opened()
        self._fetch()

    def show(self, box: Box) -> None:
        self.boxes.append(box)

    def close(self) -> None:
        if self.boxes:
            self.boxes.pop()

    def copy(self, text: str, what: str) -> None:
        self._effects.append(Copy(text, what))

    def save(self) -> None:
        lines = tuple(plain(each).rstrip() for each in self.lines(self.size.width, self.size.height))
        self._effects.append(Save(f"fa-{self.view.name}", lines))

    def quit(self) -> None:
        self._effects.append(Quit())

    def redraw(self) -> None:
        self._effects.append(Redraw())

    def take_mouse(self, captured: bool) -> None:
        self.mouse = captured
        self._effects.append(Mouse(captured))

    def set_theme(self, theme: str) -> None:
        self.look = replace(self.look, theme=theme)
        self.redraw()

    def refresh(self) -> None:
        self.world.everything_is_old()
        self._asked.clear()
        self.jobs.reload()
        self.view.opened()
        self._fetch()

    def freeze(self) -> None:
        self.frozen = not self.frozen
        self._frozen_lines = None

    def denied(self, action: Action) -> str:
        """Why the action cannot be done now; "" when it can."""
        if not action.route:
            return ""
        if self.options.readonly and not action.route.startswith("GET "):
            return "the dashboard was started with --readonly"
        me = self.world.me
        if me.actions and action.route not in me.actions:
            return f"your role, {me.role}, does not allow it ({action.route})"
        return ""

    def run(self, action: str) -> None:
        found = self.keymap.by_id[action]
        if reason := self.denied(found):
            self.toast(f"{found.label}: {reason}", "warn")
        elif not self.view.act(action):
            self.acts.run(action)
