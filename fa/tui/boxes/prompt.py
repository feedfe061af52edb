"""One value to type, with what it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fa.tui.edit import Edit
from fa.tui.host import Host
from fa.tui.line import Line, Span, line, say
from fa.tui.scene import Scene


@dataclass(slots=True)
class Prompt:
    """``check`` says what is wrong with the text, "" for nothing; ``done`` gets it."""

    host: Host
    title: str
    label: str
    check: Callable[[str], str]
    done: Callable[[str], None]
    edit: Edit = field(default_factory=Edit)

    def lines(self, scene: Scene) -> list[Line]:
        room = min(60, scene.size.width - 8)
        wrong = self.check(self.edit.text.strip()) if self.edit.text else ""
        return [
            line(say(self.label)),
            line(*self.edit.line(room)),
            line(say(wrong or " ", "warn")),
            line(Span("Enter", "key"), Span(" do it   "), Span("Esc", "key"), Span(" change nothing")),
        ]

    def key(self, key: str, character: str | None) -> None:
        if key == "escape":
            self.host.close()
        elif key == "enter":
            text = self.edit.text.strip()
            if not text or self.check(text):
                self.host.toast(self.check(text) or "nothing was typed", "warn")
                return
            self.host.close()
            self.done(text)
        else:
            self.edit.key(key, character)

    def paste(self, text: str) -> None:
        self.edit.insert(text)
