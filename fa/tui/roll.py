"""A cursor in a list that is longer than the screen: anchored by key, scrolled in jumps. Pure.

When the cursor leaves the screen the list moves half a page: over a slow link a held arrow key then costs a fifth of
what edge scrolling costs (FACES.md section 2.4)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

ASIDE = 20  # columns that a text moves aside at once


@dataclass(slots=True)
class Roll:
    at: int = 0  # the cursor
    top: int = 0  # the first row on the screen
    height: int = 1  # rows on the screen, as last drawn
    count: int = 0

    def key(self, key: str) -> bool:
        """Whether the key moved (or could have moved) the cursor. Keys are names of the key map's list moves."""
        page = max(1, self.height - 1)
        steps = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "home": -self.count, "end": self.count}
        if key not in steps:
            return False
        self.move(steps[key])
        return True

    def move(self, rows: int) -> None:
        self.at = max(0, min(self.count - 1, self.at + rows))
        self.show()

    def fit(self, count: int, height: int) -> None:
        """There are ``count`` rows, and ``height`` of them fit."""
        self.count, self.height = count, max(1, height)
        self.at = max(0, min(count - 1, self.at))
        self.top = max(0, min(self.top, max(0, count - self.height)))
        self.show()

    def show(self) -> None:
        jump = max(1, self.height // 2)
        if self.at < self.top:
            self.top = max(0, self.at - jump + 1 if self.top - self.at <= jump else self.at)
        elif self.at >= self.top + self.height:
            far = self.at - (self.top + self.height) >= jump
            self.top = self.at - self.height + 1 if far else self.at - self.height + jump
        self.top = max(0, min(self.top, max(0, self.count - self.height)))

    def shift(self, rows: int) -> None:
        """``rows`` were added before (negative: taken away): cursor and screen stay on what they show."""
        self.at, self.top = max(0, self.at + rows), max(0, self.top + rows)

    def follow(self, before: Sequence[Hashable], after: Sequence[Hashable]) -> None:
        """The list was read anew: stay on the same object, at the same place of the screen."""
        if not 0 <= self.at < len(before):
            return
        key = before[self.at]
        if key in after:
            self.shift(after.index(key) - self.at)

    @property
    def rows(self) -> range:
        """What is on the screen."""
        return range(self.top, min(self.count, self.top + self.height))


@dataclass(slots=True)
class Scroll:
    """A text without a cursor: keys move the text itself. ``follows`` = it stays at its end as it grows; ``left`` is
    the first column that is shown."""

    top: int = 0
    left: int = 0
    height: int = 1
    count: int = 0
    follows: bool = False

    def fit(self, count: int, height: int) -> None:
        self.count, self.height = count, max(1, height)
        self.top = self._last if self.follows else max(0, min(self.top, self._last))

    @property
    def _last(self) -> int:
        return max(0, self.count - self.height)

    def key(self, key: str) -> bool:
        if key in ("left", "right"):
            self.left = max(0, self.left + (ASIDE if key == "right" else -ASIDE))
            return True
        page = max(1, self.height - 1)
        steps = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "home": -self.count, "end": self.count}
        if key not in steps:
            return False
        self.top = max(0, min(self._last, self.top + steps[key]))
        self.follows = (self.follows and self.top == self._last) or key == "end"
        return True

    def shift(self, rows: int) -> None:
        """``rows`` came in above (negative: went); the text on the screen stays."""
        self.count += rows
        self.top = max(0, self.top + rows)
