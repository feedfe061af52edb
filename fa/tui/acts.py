"""What actions do that are not a screen's own: go somewhere, ask something, open a dialog."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from fa.client import calls
from fa.client.text import clean_json
from fa.errors import Invalid
from fa.tui.boxes.confirm import Confirm
from fa.tui.boxes.menu import Entry, Menu
from fa.tui.boxes.text import Text
from fa.tui.commands import Command
from fa.tui.help import command_log, keys_of
from fa.tui.job_acts import JobActs
from fa.tui.keys import Action, shown
from fa.tui.look import THEMES
from fa.tui.prompt_line import PromptLine
from fa.tui.setup_acts import SetupActs
from fa.tui.values import Alert, Event, Factory, Job, Monitor, Node
from fa.tui.views.factories import FactoryView
from fa.tui.views.job import JobView
from fa.tui.views.jobs import SORTS
from fa.tui.views.monitors import MonitorView
from fa.tui.views.nodes import NodeView

if TYPE_CHECKING:
    from fa.tui.desk import Desk

COPY_BYTES_MAX = 74_994  # more is cut off by terminals (k9s, K9S_OSC52_MAX)


class Acts:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.jobs, self.setup = JobActs(desk), SetupActs(desk)
        self._handlers: dict[str, Callable[[], None]] = {
            **{f"view.{name}": self._to(name) for name in desk.views},
            **self.jobs.handlers(),
            **self.setup.handlers(),
            "open": lambda: self.open(desk.view.what()),
            "back": desk.pop,
            "filter": self._filter,
            "command": self._command,
            "palette": self._palette,
            "help": self._help,
            "quit": self._quit,
            "sort": self._sort,
            "undo": self._undo,
            "copy": self._copy,
            "save": desk.save,
            "log": lambda: desk.show(Text(desk, "What was done here", lambda scene, room: command_log(desk, room))),
            "freeze": desk.freeze,
            "utc": self._utc,
            "stamps": self._stamps,
            "mouse": lambda: desk.take_mouse(not desk.mouse),
            "refresh": desk.refresh,
            "redraw": desk.redraw,
        }

    def run(self, action: str) -> None:
        """By its id; an action without a handler here belongs to a screen that has nothing to do it with."""
        handler = self._handlers.get(action)
        if handler is not None:
            handler()
        else:
            self.desk.toast("there is nothing here to do that with")

    def knows(self, action: str) -> bool:
        return action in self._handlers

    def _to(self, name: str) -> Callable[[], None]:
        return lambda: self.desk.show_screen(name)

    # going somewhere

    def open(self, what: Any) -> None:
        desk = self.desk
        match what:
            case Job():
                desk.push(JobView(desk, what))
            case Node():
                desk.push(NodeView(desk, what.name))
            case Factory():
                desk.push(FactoryView(desk, what))
            case Monitor():
                desk.push(MonitorView(desk, what))
            case Event() | Alert():
                self._subject(what.subject)
            case _:
                desk.toast("there is nothing to open")

    def _subject(self, subject: str) -> None:
        """What an event is about: "job/17", "node/b"."""
        kind, _, name = subject.partition("/")
        if kind == "job" and name.isdigit():
            self.open(Job(id=int(name)))
        elif kind in ("node", "factory", "monitor") and name:
            self.open({"node": Node, "factory": Factory, "monitor": Monitor}[kind](name=name))
        else:
            self.desk.toast(f"{subject or 'this'} cannot be opened")

    def _filter(self) -> None:
        self.desk.typing = PromptLine(self.desk, "/", self.desk.jobs.query)

    def _command(self) -> None:
        self.desk.ask_for({"factories", "nodes", "monitors"} - self.desk.world.known)  # to complete their names
        self.desk.typing = PromptLine(self.desk, ":")

    def command(self, command: Command, argument: str) -> None:
        """What was typed after the colon. Raises `Invalid`."""
        if command.action:
            self.desk.run(command.action)
            return
        if not argument and command.word != "jobs":
            raise Invalid(f"{command.word} wants {command.argument}.")
        getattr(self, f"_say_{command.word}")(argument)

    def _say_jobs(self, query: str) -> None:
        self.desk.show_screen("jobs")
        self.desk.jobs.filter(query)

    def _say_at(self, moment: str) -> None:
        self._say_jobs(f'until:"{moment}"' if " " in moment else f"until:{moment}")

    def _say_job(self, number: str) -> None:
        self.open(Job(id=_number(number)))

    def _say_why(self, number: str) -> None:
        self.jobs.why_of(_number(number))

    def _say_node(self, name: str) -> None:
        self.open(Node(name=name))

    def _say_factory(self, name: str) -> None:
        self.open(Factory(name=name))

    def _say_monitor(self, name: str) -> None:
        self.open(Monitor(name=name))

    def _say_theme(self, theme: str) -> None:
        if theme not in THEMES:
            raise Invalid(f"There is no theme {theme!r}.", hint=f"There are {', '.join(THEMES)}.")
        self.desk.set_theme(theme)

    # dialogs

    def _help(self) -> None:
        desk, scope = self.desk, self.desk.view.name
        title = f"Keys: {desk.view.title}"
        desk.show(Text(desk, title, lambda scene, room: keys_of(desk, scope, room)))

    def _palette(self) -> None:
        desk = self.desk
        entries = [self._entry(action) for action in desk.keymap.of(desk.view.name) if action.id != "palette"]
        desk.show(Menu(desk, "What shall be done?", entries, search=True))

    def _entry(self, action: Action) -> Entry:
        key = shown(action.keys[0])
        return Entry(action.label, partial(self.desk.run, action.id), key, action.help, self.desk.denied(action))

    def _sort(self) -> None:
        jobs = self.desk.jobs
        orders = [
            Entry(name, partial(jobs.sort, sort), str(number), f"fa jobs --sort {sort}")
            for number, (name, sort) in enumerate(SORTS.items(), 1)
        ]
        filters = [
            Entry(name, partial(jobs.filter, query), key, query)
            for key, name, query in (
                ("r", "only what runs", "state:running"),
                ("w", "only what waits", "state:queued"),
                ("f", "failed since yesterday", "state:failed since:24h"),
                ("u", "urgent", "pri:>=75"),
                ("a", "all", ""),
            )
        ]
        self.desk.show(Menu(self.desk, "Order, and filters at hand", [*orders, *filters]))

    def _quit(self) -> None:
        marks = self.desk.jobs.marks
        if not marks:
            self.desk.quit()
            return
        question = f"Leave? {len(marks):,} marks are lost."
        jobs = [f"job {job}" for job in marks.jobs]
        self.desk.show(Confirm(self.desk, question, jobs, "", self.desk.quit, title="Leave"))

    def _undo(self) -> None:
        if self.desk.undo is None:
            self.desk.toast("there is nothing to take back")
            return
        _, undo = self.desk.undo
        self.desk.undo = None
        undo()

    def _copy(self) -> None:
        desk, what = self.desk, self.desk.view.what()
        if what is None:
            desk.toast("there is nothing to copy")
            return
        entries = [
            Entry(label, partial(desk.copy, text[:COPY_BYTES_MAX], label), str(number), text)
            for number, (label, text) in enumerate(copies(what), 1)
        ]
        desk.show(Menu(desk, "Copy to the clipboard of the terminal", entries))

    def _utc(self) -> None:
        self.desk.utc = not self.desk.utc
        self.desk.toast("times in UTC" if self.desk.utc else "local times")

    def _stamps(self) -> None:
        self.desk.stamps = not self.desk.stamps


def _number(text: str) -> int:
    digits = text.removeprefix("job/").removeprefix("J")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise Invalid(f"{text!r} is not the number of a job.")
    return int(digits)


def copies(what: Any) -> list[tuple[str, str]]:
    """What can be copied of an object: (what it is, the text)."""
    whole = clean_json(json.dumps(msgspec.to_builtins(what), ensure_ascii=False))
    if not isinstance(what, Job):
        name = getattr(what, "name", "") or str(getattr(what, "id", getattr(what, "epoch", "")))
        return [("name", name), ("JSON", whole)]
    outputs = [(f"output {task.product}", task.output.path) for task in what.tasks if task.output]
    show = shlex.join(["fa", "job", "show", str(what.id)])
    curl = f"curl --unix-socket /var/lib/fa/fa.sock http://fa{calls.show_job(what.id).target}"
    return [("id", str(what.id)), ("source", what.source), *outputs, ("command", show), ("curl", curl), ("JSON", whole)]
