"""Before something that is hard to take back: the exact objects, what it costs, the equal command. Default: no.

What is done is done to the objects that are listed, by their ids, not to what would match by the time of the answer
(docker/cli issue 3014)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fa.tui.edit import Edit
from fa.tui.host import Host
from fa.tui.line import Line, Span, line, say, wrapped
from fa.tui.scene import Scene

LISTED = 10
COMMAND_ROWS = 3


@dataclass(slots=True)
class Confirm:
    """``word``: what must be typed for "yes"; "" takes `y`. ``count``: of all, where only some are in ``objects``."""

    host: Host
    question: str
    objects: Sequence[str]
    cli: str
    yes: Callable[[], None]
    cost: str = ""
    summary: str = ""
    word: str = ""
    count: int = 0
    title: str = "Are you sure?"
    edit: Edit = field(default_factory=Edit)

    def lines(self, scene: Scene) -> list[Line]:
        room = min(100, scene.size.width - 8)
        listed = min(LISTED, max(1, scene.size.height - 12), len(self.objects))
        rows = [*wrapped(self.question, room, "title"), line(Span(""))]
        rows += [line(say(f"  {each}")) for each in self.objects[:listed]]
        more = (self.count or len(self.objects)) - listed
        if more > 0:
            told = f": {self.summary}" if self.summary else ""
            rows.append(line(say(f"  … and {more:,} more{told}", "dim")))
        if self.cost:
            rows += [line(Span("")), *wrapped(self.cost, room, "warn")]
        rows += [line(Span("")), *(command_lines(self.cli, room) if self.cli else ()), line(Span(""))]
        if self.word:
            rows.append(line(say(f"Type {self.word} and Enter: "), *self.edit.line(24)))
        keys = line(Span("y", "key"), Span(" yes   ")) if not self.word else ()
        return [*rows, line(*keys, Span("Esc", "key"), Span(" no, change nothing"))]

    def key(self, key: str, character: str | None) -> None:
        if key == "escape" or (not self.word and character in ("n", "q")):
            self.host.close()
        elif self.word:
            self._typed(key, character)
        elif character == "y":
            self._do()

    def _typed(self, key: str, character: str | None) -> None:
        if key != "enter":
            self.edit.key(key, character)
        elif self.edit.text.strip() == self.word:
            self._do()
        else:
            self.host.toast(f"that is not {self.word}; nothing was changed", "warn")

    def _do(self) -> None:
        self.host.close()  # first: a second key can no longer reach it, so nothing is sent twice
        self.yes()

    def paste(self, text: str) -> None:
        if self.word:
            self.edit.insert(text)


def command_lines(cli: str, room: int) -> list[Line]:
    """The equal command; one that names hundreds of ids ends in an ellipsis (the command log has all of it)."""
    rows = wrapped(f"$ {cli[: room * (COMMAND_ROWS + 1)]}", room - 2, "dim")
    return (
        rows if len(rows) <= COMMAND_ROWS else [*rows[: COMMAND_ROWS - 1], (*rows[COMMAND_ROWS - 1], Span(" …", "dim"))]
    )
