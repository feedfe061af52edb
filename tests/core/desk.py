"""A dispatcher with a real ledger behind it: commits are carried out when the test says so, time is what it says."""

from __future__ import annotations

from typing import Any

from fa.core import commands as c
from fa.core import work as w
from fa.core.dispatcher import Dispatcher
from fa.core.ledger import Outcome
from fa.core.model import NodeView, Output
from fa.core.position import Position
from fa.errors import FaError
from fa.node.active import active_of
from tests.core.book import AT, Book, view

POSITION = Position(5, 5)
EPOCH = 7


class Desk:
    """`told` collects what was said, as (node, message)."""

    def __init__(self, book: Book, **settings: Any) -> None:
        self.book = book
        self.now = 100.0
        self.dispatcher = Dispatcher("a", lost_after=3.0, **settings)
        self.told: list[tuple[str, w.WorkMessage]] = []
        self.answers: list[w.Answer] = []
        self.asked: list[c.Command] = []
        self.waiting: list[w.Commit] = []
        self.refuse: dict[type, FaError] = {}
        self.held = False
        self._boots: dict[str, int] = {}
        self._beats = 0

    # --- events ---

    def step(self, event: w.WorkEvent) -> None:
        for effect in self.dispatcher.step(event, w.Moment(self.now, AT + int(self.now * 1000))):
            match effect:
                case w.Commit(_, command):
                    self.asked.append(command)
                    self.waiting.append(effect)
                case w.Tell(node, message):
                    self.told.append((node, message))
                case w.Answer():
                    self.answers.append(effect)
                case w.LoadActive():
                    self.step(active_of(self.book.tables))
        if not self.held:
            self.carry_out()

    def carry_out(self) -> None:
        """Everything that waits, and what follows from it."""
        while self.waiting:
            commit = self.waiting.pop(0)
            self.step(w.Carried(commit.tag, self._result(commit.command), POSITION))

    def _result(self, command: c.Command) -> Outcome | FaError:
        if type(command) in self.refuse:
            return self.refuse[type(command)]
        try:
            return Outcome(self.book.do(command), tuple(self.book.facts))
        except FaError as error:
            return error

    def serve(self, epoch: int = EPOCH) -> None:
        self.step(w.Served(epoch))

    def tick(self, seconds: float = 0.0, beats: str = "") -> None:
        """Time passes, with a tick at each deadline; these nodes go on beating."""
        until = self.now + seconds
        while self.dispatcher.deadline is not None and self.dispatcher.deadline <= until:
            self.now = max(self.now, self.dispatcher.deadline)
            for name in beats:
                self.beat(name)
            self.step(w.Tick())
        self.now = until
        self.step(w.Tick())

    # --- nodes ---

    def join(self, *names: str, boot: int = 1, **fields: Any) -> None:
        """They beat and say what they can do."""
        for name in names:
            self.beat(name, boot=boot)
            self.offer(view(name, **fields), boot)

    def offer(
        self, offered: NodeView, boot: int = 1, number: int = 1, volumes: tuple[w.VolumeHealth, ...] = ()
    ) -> None:
        stamped = NodeView(
            offered.name, offered.slots, boot=boot, offers=offered.offers, unhealthy=offered.unhealthy,
            reserve=offered.reserve,
        )  # fmt: skip
        self.step(w.Told(offered.name, w.Offer(number, stamped, f"https://{offered.name}", "1", volumes)))

    def beat(self, name: str, *running: w.Key, boot: int | None = None, epoch: int = EPOCH, **fields: Any) -> None:
        """With these attempts; without any said, with those that should be there."""
        self._boots[name] = boot = self._boots.get(name, 1) if boot is None else boot
        self._beats += 1
        keys = fields.pop("exactly", running or self.dispatcher.runs_on(name))
        there = tuple(w.Running(*key, "flipping", 0.5) for key in keys)
        self.step(w.Told(name, w.WorkBeat(name, boot, fields.pop("number", self._beats), epoch, 1, there, **fields)))

    def report(self, name: str, key: w.Key, kind: w.ReportKind, **fields: Any) -> None:
        self.step(w.Told(name, w.Report(name, *key, kind, **fields)))

    def wish(self, order: c.Order) -> None:
        """The node is done and asks to publish."""
        made = Output(order.destination, 5, "ab")
        part = f"san:.fa/part/{order.task}-{order.attempt}"
        key = (order.task, order.attempt)
        self.report(order.node, key, w.ReportKind.WANTS_PUBLISH, part=part, output=made)

    def ask(self, command: c.Command) -> None:
        self.step(w.Asked(1, command))

    # --- what came of it ---

    def said(self, kind: type, node: str | None = None) -> list[Any]:
        """And forget it."""
        found = [message for to, message in self.told if isinstance(message, kind) and node in (None, to)]
        self.told = [
            (to, message) for to, message in self.told if not (isinstance(message, kind) and node in (None, to))
        ]
        return found

    def orders(self) -> list[c.Order]:
        return self.said(c.Order)

    def commands(self, kind: type) -> list[Any]:
        found = [command for command in self.asked if isinstance(command, kind)]
        self.asked = [command for command in self.asked if not isinstance(command, kind)]
        return found
