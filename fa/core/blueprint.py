"""Factories as the ledger needs them: each version parsed once, with what all new tasks of one product share."""

from __future__ import annotations

from fa.core.model import FactoryVersion, Group
from fa.core.recipe import RecipeError, parse_factory
from fa.core.recipe_needs import requirements
from fa.core.recipe_values import Factory

KEPT = 256  # parsed versions


class Blueprint:
    """One version of a factory. Raises `RecipeError` where its text is no recipe."""

    def __init__(self, row: FactoryVersion) -> None:
        self.text = row.text
        self.factory: Factory = parse_factory(row.text)
        self._needs = [requirements(self.factory, product) for product in self.factory.products]
        self._groups: dict[tuple[int, str], Group] = {}

    def group(self, ordinal: int, source_volume: str) -> Group:
        """The requirement class of a product's tasks with a source on this volume; its id is for the tables to say."""
        key = (ordinal, source_volume)
        if key not in self._groups:
            product = self.factory.products[ordinal]
            needs = self._needs[ordinal] | {f"source:{source_volume}"}
            self._groups[key] = Group(0, self.factory.name, product.slot, product.cost, tuple(sorted(needs)))
        return self._groups[key]


class Recipes:
    """Blueprints by name and version. A version never changes once it is committed; one that was rolled back may come
    again with another text, so the text is compared."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Blueprint] = {}

    def of(self, row: FactoryVersion) -> Blueprint:
        """Raises `RecipeError` where the text is no recipe for this version of fa."""
        key = (row.name, row.version)
        known = self._kept.get(key)
        if known is None or known.text != row.text:
            known = Blueprint(row)
            self._kept.pop(key, None)
            self._kept[key] = known
            if len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
        return known

    def read(self, row: FactoryVersion) -> Factory | None:
        """The factory; None where an earlier fa took a recipe that this one does not: its jobs must still end."""
        try:
            return self.of(row).factory
        except RecipeError:
            return None
