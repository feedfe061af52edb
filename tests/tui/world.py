"""A desk in front of an array, without terminal, clock and network: requests are answered at once, or on demand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from hypothesis import settings

from fa.client.feed import Live
from fa.client.plain import Reply
from fa.client.problems import kind_of
from fa.client.sse import ServerEvent
from fa.errors import Invalid
from fa.tui.desk import Desk, Options
from fa.tui.host import Effect, Send
from fa.tui.line import columns, plain
from fa.tui.look import Look
from tests.tui import fake
from tests.tui.fake import START, Array, Asked, Problem, answer

STEADY = settings(deadline=None, derandomize=True, database=None, max_examples=60)
"""For properties: the machine is slow at times, and a red run must be red again."""

KEYS = {
    " ": "space", "/": "slash", ":": "colon", "?": "question_mark", "+": "plus", "-": "minus", "*": "asterisk",
    "@": "at", "%": "percent_sign", "[": "left_square_bracket", "]": "right_square_bracket", "<": "less_than_sign",
    ">": "greater_than_sign",
}  # fmt: skip


class Seat:
    """Somebody at the dashboard."""

    def __init__(
        self,
        array: Array | None = None,
        width: int = 120,
        height: int = 36,
        look: Look | None = None,
        opened: bool = True,  # the live stream
        **options: Any,
    ) -> None:
        self.array = array or Array()
        self.width, self.height = width, height
        self.now = 1000.0
        self.desk = Desk(Options(look=look or Look(), zone=UTC, **options), self.now, START)
        self.effects: list[Effect] = []  # those that are not requests
        self.waiting: list[Send] = []  # requests that are not answered while `held`
        self.held = False
        self.desk.start()
        if opened:
            self.desk.heard(Live("a"))
        self.settle()
        self.tick()
        self.desk.lines(width, height)

    def settle(self) -> None:
        """Answer requests until there are no more."""
        while effects := self.desk.take():
            for effect in effects:
                if not isinstance(effect, Send):
                    self.effects.append(effect)
                elif self.held:
                    self.waiting.append(effect)
                else:
                    self.reply(effect)

    def reply(self, effect: Send) -> None:
        call = effect.call
        try:
            path = call.target.partition("?")[0]
        except UnicodeError:
            effect.fail(Invalid("This name cannot be sent."))
            return
        body = call.text if call.text is not None else call.body
        asked = Asked(call.method, path, call.query, body, call.headers.get("Idempotency-Key", ""))
        try:
            told = answer(self.array, asked)
        except Problem as problem:
            effect.fail(kind_of(problem.code, problem.status)(problem.detail))
            return
        effect.then(Reply(200, {"Fa-Log-Size": str(len(fake.LOG))}, told) if effect.raw else told)

    def release(self) -> None:
        """Answer what was held back."""
        self.held, waiting = False, self.waiting
        self.waiting = []
        for effect in waiting:
            self.reply(effect)
        self.settle()

    def press(self, *keys: str) -> Seat:
        """Keys by their names, or single characters."""
        for key in keys:
            named = KEYS.get(key, key)
            self.desk.key(named, key if len(key) == 1 else None, self.now)
            self.settle()
            self.desk.lines(self.width, self.height)
        return self

    def type(self, text: str) -> Seat:
        return self.press(*text)

    def tick(self, seconds: float = 1.0) -> Seat:
        self.now += seconds
        self.desk.tick(self.now, START)
        self.settle()
        return self

    def tell(self, topic: str, data: Any) -> Seat:
        self.desk.heard(ServerEvent(topic, "", data))
        return self

    @property
    def screen(self) -> list[str]:
        lines = self.desk.lines(self.width, self.height)
        assert len(lines) == self.height, "a screen has as many lines as the terminal"
        for row in lines:
            assert columns(row) == self.width, f"not {self.width} columns: {plain(row)!r}"
        return [plain(row).rstrip() for row in lines]

    @property
    def text(self) -> str:
        return "\n".join(self.screen)

    @property
    def toast(self) -> str:
        return self.desk.toasted.text if self.desk.toasted else ""

    def asked(self, method: str = "") -> list[str]:
        return [line for line in self.array.asked if line.startswith(method)]

    def writes(self) -> list[str]:
        return [line for line in self.array.asked if not line.startswith("GET")]


def squeezed(lines: Iterable[str]) -> str:
    """Lines with runs of the same line told by their number: what a snapshot holds."""
    out: list[str] = []
    rows = list(lines)
    at = 0
    while at < len(rows):
        count = 1
        while at + count < len(rows) and rows[at + count] == rows[at]:
            count += 1
        out.append(rows[at])
        if count > 1:
            out.append(f"⋮ the same, {count} times")
        at += count
    return "\n".join(out) + "\n"
