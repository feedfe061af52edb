"""One object alone, as a text that is scrolled: the base of the screens that are opened on top of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fa.errors import FaError
from fa.tui.host import Host, sentence
from fa.tui.line import Line, Span, crop, tail
from fa.tui.roll import Scroll


class Page:
    """Subclasses draw; what they do not care about is quietly nothing."""

    def __init__(self, host: Host, title: str) -> None:
        self.host, self.title = host, title
        self.scroll, self.trouble = Scroll(), ""

    def shown(self, rows: Sequence[Line], height: int) -> list[Line]:
        """The part of the text that is on the screen."""
        self.scroll.fit(len(rows), height)
        return [tail(row, self.scroll.left) for row in rows[self.scroll.top : self.scroll.top + height]]

    def opened(self) -> None:
        """The world has what is shown."""

    def failed(self, error: FaError) -> None:
        self.trouble = sentence(error)

    def move(self, key: str) -> bool:
        return self.scroll.key(key)

    def act(self, action: str) -> bool:
        return False

    def heard(self, topic: str, data: Any) -> None:
        """The world takes it in."""

    def tick(self) -> None:
        """Nothing waits."""

    def click(self, row: int) -> None:
        """Nothing to choose."""


def tab_line(tabs: Sequence[str], current: str, room: int, more: Span = Span("")) -> Line:  # noqa: B008  # a value
    spans = [Span(" ")]
    for tab in tabs:
        spans += [Span(f" {tab} ", "tab" if tab == current else "dim"), Span(" ")]
    return crop((*spans, more), room)


def turned(tabs: Sequence[str], current: str, action: str) -> str:
    """The tab after ``tab.next`` or ``tab.previous``."""
    return tabs[(tabs.index(current) + (1 if action == "tab.next" else -1)) % len(tabs)]
