"""One line that a person edits: filter, command line, fields of a form. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fa.client.text import clean, width
from fa.tui.line import Line, Span

LENGTH_MAX = 4096


@dataclass(slots=True)
class Edit:
    text: str = ""
    at: int = 0

    def __post_init__(self) -> None:
        self.at = len(self.text)

    def set(self, text: str) -> None:
        self.text, self.at = text, len(text)

    def insert(self, text: str) -> None:
        """Typed or pasted: line breaks and control characters of a paste never get in."""
        kept = "".join(char for char in text if char.isprintable())[: LENGTH_MAX - len(self.text)]
        self.text = self.text[: self.at] + kept + self.text[self.at :]
        self.at += len(kept)

    def key(self, key: str, character: str | None) -> bool:
        """Whether the key was for the line."""
        match key:
            case "left":
                self.at = max(0, self.at - 1)
            case "right":
                self.at = min(len(self.text), self.at + 1)
            case "home" | "ctrl+a":
                self.at = 0
            case "end" | "ctrl+e":
                self.at = len(self.text)
            case "backspace":
                self._cut(self.at - 1, self.at)
            case "delete":
                self._cut(self.at, self.at + 1)
            case "ctrl+u":
                self._cut(0, self.at)
            case "ctrl+k":
                self._cut(self.at, len(self.text))
            case "ctrl+w":
                self._cut(self._word_start(), self.at)
            case _:
                if not character or not character.isprintable():
                    return False
                self.insert(character)
        return True

    def _cut(self, start: int, end: int) -> None:
        start = max(0, start)
        self.text = self.text[:start] + self.text[end:]
        self.at = start

    def _word_start(self) -> int:
        return self.text[: self.at].rstrip().rfind(" ") + 1

    def line(self, room: int, focused: bool = True) -> Line:
        """The line with its caret; scrolled so that the caret shows."""
        before, under, after = self.text[: self.at], self.text[self.at : self.at + 1] or " ", self.text[self.at + 1 :]
        before, under = clean(before), clean(under)
        while before and width(before) + width(under) > room:
            before = before[1:]
        caret = "edit caret" if focused else "edit"
        used = width(before) + width(under)
        shown = ""
        for char in clean(after):
            if used + width(shown + char) > room:
                break
            shown += char
        pad = " " * max(0, room - used - width(shown))
        return Span(before, "edit"), Span(under, caret), Span(shown + pad, "edit")
