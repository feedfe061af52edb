"""The line above the footer in which a filter or a command is typed. Pure but for what it asks of the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fa.core.query import parse as parse_query
from fa.errors import Invalid
from fa.tui import commands
from fa.tui.edit import Edit
from fa.tui.host import sentence
from fa.tui.line import Line, Span, crop, line, say

if TYPE_CHECKING:
    from fa.tui.desk import Desk

DEBOUNCE_SECONDS = 0.25
LISTED = 8


class PromptLine:
    """``sign`` is "/" for a filter, ":" for a command."""

    def __init__(self, desk: Desk, sign: str, text: str = "") -> None:
        self.desk, self.sign, self.edit = desk, sign, Edit(text)
        self._before = text
        self._changed: float | None = None

    def lines(self, width: int) -> list[Line]:
        found = commands.options(self.edit.text, self.desk.world)[:LISTED] if self.sign == ":" else []
        rows = [crop(line(Span("   "), say(_with_help(each), "bar")), width) for each in found]
        told = self.trouble()
        room = max(1, width - 3 - min(len(told) + 1, width // 2))
        mine = line(Span(f" {self.sign} ", "key"), *self.edit.line(room), Span(" "), say(told, "warn"))
        return [*rows, crop(mine, width)]

    def trouble(self) -> str:
        """What is wrong with a filter, by the same rules as the server's."""
        if self.sign != "/" or not self.edit.text.strip():
            return ""
        try:
            parse_query(self.edit.text, 0)
        except Invalid as error:
            return sentence(error)
        return ""

    def key(self, key: str, character: str | None) -> None:
        if key == "escape":
            self.desk.typing = None
            if self.sign == "/":
                self.desk.jobs.filter(self._before)
        elif key == "enter":
            self._enter()
        elif key == "tab" and self.sign == ":":
            self.edit.set(commands.completed(self.edit.text, self.desk.world))
        elif key == "backspace" and not self.edit.text:
            self.desk.typing = None
        elif self.edit.key(key, character):
            self._changed = self.desk.now

    def insert(self, text: str) -> None:
        self.edit.insert(text)
        self._changed = self.desk.now

    def tick(self) -> None:
        """A filter works while it is typed, a quarter of a second after the last key."""
        if self.sign == "/" and self._changed is not None and self.desk.now - self._changed >= DEBOUNCE_SECONDS:
            self._changed = None
            if not self.trouble():
                self.desk.jobs.filter(self.edit.text)

    def _enter(self) -> None:
        if self.sign == "/":
            if told := self.trouble():
                self.desk.toast(told, "warn")
                return
            self.desk.typing = None
            self.desk.jobs.filter(self.edit.text)
            return
        self.desk.typing = None
        if not self.edit.text.strip():
            return
        try:
            self.desk.acts.command(*commands.parse(self.edit.text))
        except Invalid as error:
            self.desk.toast(sentence(error), "warn")


def _with_help(option: str) -> str:
    command = commands.WORDS.get(option)
    return f"{option:<12}{command.argument:<22}{command.help}" if command else option
