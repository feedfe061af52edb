"""Screen 4: recipes; Enter opens one with its graph as text, its TOML, its versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fa.client import calls
from fa.client.text import clean_lines
from fa.tui.host import Host, listed
from fa.tui.line import Line, Span, cell, crop, exactly, line, say, wrapped
from fa.tui.panel import frame, panel
from fa.tui.roll import Scroll
from fa.tui.scene import Scene
from fa.tui.table import Column, text
from fa.tui.values import Factory, read, read_list
from fa.tui.views.lists import ListView
from fa.tui.views.page import Page, tab_line, turned

TABS = ("Recipe", "TOML", "Versions")


class Factories(ListView[Factory]):
    name, title, needs = "factories", "Factories", ("factories", "status")
    empty = "no factory yet: fa factory apply -f FILE"

    def rows(self) -> Sequence[Factory]:
        return self.host.world.factories

    def key_of(self, row: Factory) -> str:
        return row.name

    def columns(self, scene: Scene) -> list[Column[Factory]]:
        return [
            text("FACTORY", 16, lambda row: row.name, "title", grow=1),
            text("VERSION", 7, lambda row: row.version, right=True),
            text("CHANGED", 11, lambda row: scene.when(row.created_at), "dim"),
            text("BY", 18, lambda row: row.created_by or "-", "dim"),
            text("NOTE", 10, lambda row: row.warning or "-", lambda row: "warn" if row.warning else "dim", grow=2),
        ]

    def lines(self, scene: Scene) -> list[Line]:
        across, down = frame(scene.boxed)
        width, height = scene.size.width, scene.size.height
        self._first_row = 2
        return panel("Factories", self.table(scene, width - across, height - down), width, height, scene.boxed)


class FactoryView(Page):
    """A factory alone."""

    name, needs = "factory", ("status",)

    def __init__(self, host: Host, factory: Factory) -> None:
        super().__init__(host, f"Factory {factory.name}")
        self.factory, self.tab = factory, TABS[0]
        self.versions: tuple[Factory, ...] = ()

    def opened(self) -> None:
        self.host.send(calls.show_factory(self.factory.name), self._shown, self.failed)
        self.host.send(calls.factory_versions(self.factory.name), self._listed, self.failed)

    def _shown(self, told: Any) -> None:
        self.factory = read(Factory, told)

    def _listed(self, told: Any) -> None:
        self.versions = read_list(Factory, told)

    def lines(self, scene: Scene) -> list[Line]:
        room, height = scene.size.width, scene.size.height - 2
        rows = {"Recipe": self._recipe, "TOML": self._toml, "Versions": self._versions}[self.tab](scene, room)
        if self.trouble:
            rows = [*wrapped(self.trouble, room, "warn"), *rows]
        head = crop(line(Span(" "), say(f"{self.factory.name}  version {self.factory.version}", "title")), room)
        return [head, tab_line(TABS, self.tab, room), *exactly(self.shown(rows, height), height, room)]

    def _recipe(self, scene: Scene, room: int) -> list[Line]:
        """What goes in, what comes out, and where it can run."""
        recipe = self.factory.recipe
        able = listed(self.factory.nodes) or "no node as the array is now"
        rows = [line(Span("source ", "dim"), Span("─┬─ ", "rule"), say(f"priority {recipe.get('priority', '-')}"))]
        products = [each for each in recipe.get("products") or () if isinstance(each, dict)]
        for product in products:
            last = product is products[-1]
            rows += _product(product, "└─► " if last else "├─► ", "    " if last else "│   ")
        rows += [line(Span("")), line(Span("runs on ", "dim"), say(able))]
        if self.factory.warning:
            rows += wrapped(self.factory.warning, room, "warn")
        return rows

    def _toml(self, scene: Scene, room: int) -> list[Line]:
        return [line(Span(each)) for each in clean_lines(self.factory.text).split("\n")]

    def _versions(self, scene: Scene, room: int) -> list[Line]:
        return [
            line(
                cell(row.version, 5, "title", right=True),
                Span("  "),
                say(scene.clock.full(row.created_at)),
                say(f"  {row.created_by}", "dim"),
            )
            for row in sorted(self.versions, key=lambda row: -row.version)
        ]

    def act(self, action: str) -> bool:
        if action not in ("tab.next", "tab.previous"):
            return False
        self.tab, self.scroll = turned(TABS, self.tab, action), Scroll()
        return True

    def what(self) -> Factory:
        return self.factory


def _product(product: dict[str, Any], arrow: str, trunk: str) -> list[Line]:
    indent = " " * 8
    what = product.get("preset") or product.get("exec") or "?"
    rows = [
        line(Span(indent), Span(arrow, "rule"), say(product.get("name"), "title"), Span("  "), say(what)),
        line(Span(indent), Span(trunk, "rule"), Span("→ ", "dim"), say(product.get("destination") or "-")),
    ]
    shown = ("name", "preset", "exec", "destination")
    more = [
        f"{key} {value}"
        for key, value in sorted(product.items())
        if key not in shown and value not in (None, "", [], {})
    ]
    if more:
        rows.append(line(Span(indent), Span(trunk, "rule"), say(", ".join(more), "dim")))
    return rows
