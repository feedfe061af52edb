"""A screen that is a list of things which fit into memory: nodes, factories, monitors, events. The base of those."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, Generic, TypeVar

from fa.tui.host import Host
from fa.tui.line import Line, Span, line
from fa.tui.roll import Roll
from fa.tui.scene import Scene
from fa.tui.table import Column, body, fitted, header

Row = TypeVar("Row")


class ListView(ABC, Generic[Row]):
    """Subclasses say which rows, under which key, in which columns."""

    name = ""
    title = ""
    needs: tuple[str, ...] = ()
    empty = "nothing yet"

    def __init__(self, host: Host) -> None:
        self.host = host
        self.roll = Roll()
        self._keys: list[Hashable] = []
        self._first_row = 0  # of the list, in the screen's own lines

    @abstractmethod
    def rows(self) -> Sequence[Row]: ...

    @abstractmethod
    def key_of(self, row: Row) -> Hashable: ...

    @abstractmethod
    def columns(self, scene: Scene) -> list[Column[Row]]: ...

    def table(self, scene: Scene, room: int, height: int) -> list[Line]:
        """Header and rows, within ``height`` lines; the cursor stays on its object when the list was read anew."""
        rows = self.rows()
        keys = [self.key_of(row) for row in rows]
        if keys != self._keys:
            self.roll.follow(self._keys, keys)
            self._keys = keys
        self.roll.fit(len(rows), height - 1)
        shown = fitted(self.columns(scene), room)
        if not rows:
            return [header(shown, room), line(Span(f"  {self._nothing(scene)}", "dim"))]
        return [header(shown, room), *body(shown, rows, self.roll, room)]

    def _nothing(self, scene: Scene) -> str:
        source = self.needs[0]
        if source in scene.world.troubles:
            return scene.world.troubles[source]
        return self.empty if source in scene.world.known else "asking the array…"

    def opened(self) -> None:
        """Nothing to fetch beyond what it needs of the world."""

    def move(self, key: str) -> bool:
        return self.roll.key(key)

    def act(self, action: str) -> bool:
        return False

    def heard(self, topic: str, data: Any) -> None:
        """The world takes it in."""

    def tick(self) -> None:
        """Nothing waits."""

    def click(self, row: int) -> None:
        at = self.roll.top + row - self._first_row
        if row - self._first_row >= 0 and at < self.roll.count:
            self.roll.at = at

    def what(self) -> Row | None:
        rows = self.rows()
        return rows[self.roll.at] if 0 <= self.roll.at < len(rows) else None
