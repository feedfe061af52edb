"""A menu: entries with their keys; those that cannot be chosen stay, grey, and say why. The palette is one with a
line to search in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fa.client.text import clean
from fa.tui.edit import Edit
from fa.tui.host import Host
from fa.tui.keys import MOVES
from fa.tui.line import Line, Span, cell, line, over
from fa.tui.roll import Roll
from fa.tui.scene import Scene

ARROWS = ("up", "down", "pageup", "pagedown")


@dataclass(frozen=True, slots=True)
class Entry:
    """``key`` chooses it at once (menus without search); ``reason``: why it cannot be chosen."""

    label: str
    run: Callable[[], None]
    key: str = ""
    hint: str = ""
    reason: str = ""


@dataclass(slots=True)
class Menu:
    host: Host
    title: str
    entries: Sequence[Entry]
    search: bool = False
    edit: Edit = field(default_factory=Edit)
    roll: Roll = field(default_factory=Roll)

    def shown(self) -> list[Entry]:
        words = self.edit.text.lower().split()
        return [entry for entry in self.entries if all(word in f"{entry.label} {entry.hint}".lower() for word in words)]

    def lines(self, scene: Scene) -> list[Line]:
        room = min(90, scene.size.width - 8)
        entries = self.shown()
        height = max(1, min(len(self.entries), scene.size.height - (8 if self.search else 6)))
        self.roll.fit(len(entries), height)
        rows = [line(Span("> ", "key"), *self.edit.line(room - 2)), line(Span(""))] if self.search else []
        rows += [self._entry(entries[at], at == self.roll.at, room) for at in self.roll.rows]
        return rows + [line(Span(" " * room))] * (height - len(self.roll.rows))

    def _entry(self, entry: Entry, chosen: bool, room: int) -> Line:
        key = cell(entry.key, 6, "off" if entry.reason else "key")
        label = min(34, room // 2)
        tail = room - label - 9
        row = line(
            Span("› " if chosen else "  ", "key"),
            key,
            cell(entry.label, label, "off" if entry.reason else ""),
            Span(" "),
            cell(entry.reason or entry.hint, tail, "off" if entry.reason else "dim"),
        )
        return over(row, "cursor") if chosen else row

    def key(self, key: str, character: str | None) -> None:
        if key == "escape" or (not self.search and character == "q"):
            self.host.close()
        elif key == "enter":
            self._choose(self.roll.at)
        elif key in ("up", "down", "pageup", "pagedown") or (
            not self.search and key in MOVES and not self._has(character)
        ):
            self.roll.key(MOVES[key])
        elif self.search:
            self.edit.key(key, character)
            self.roll.at = 0
        else:
            self._by_key(character)

    def _has(self, character: str | None) -> bool:
        return any(entry.key == character for entry in self.entries)

    def _by_key(self, character: str | None) -> None:
        for at, entry in enumerate(self.shown()):
            if character and entry.key == character:
                self._choose(at)
                return

    def _choose(self, at: int) -> None:
        entries = self.shown()
        if not 0 <= at < len(entries):
            return
        entry = entries[at]
        if entry.reason:
            self.host.toast(clean(entry.reason), "warn")
            return
        self.host.close()
        entry.run()

    def paste(self, text: str) -> None:
        if self.search:
            self.edit.insert(text)
